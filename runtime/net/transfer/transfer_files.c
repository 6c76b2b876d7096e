#include "net/transfer/transfer_files.h"

#include "core/buffer.h"
#include "core/file/guarded.h"
#include "net/transfer/transfer_failure.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 16 << 20, FOLDER_NAME_SIZE = 32 };

/* What was set on an easy handle, by the place of the file in transfer_files. */
struct transfer_file {
  dev_t device;
  ino_t number;
  off_t size;
  struct timespec changed;
};

static const struct {
  CURLoption name, bytes, folder;
} file_options[TRANSFER_FILES] = {
    {CURLOPT_CAINFO, CURLOPT_CAINFO_BLOB, CURLOPT_CAPATH},
    {CURLOPT_SSLCERT, CURLOPT_SSLCERT_BLOB, 0},
    {CURLOPT_SSLKEY, CURLOPT_SSLKEY_BLOB, 0},
    {CURLOPT_PROXY_CAINFO, CURLOPT_PROXY_CAINFO_BLOB, CURLOPT_PROXY_CAPATH},
    {CURLOPT_PROXY_SSLCERT, CURLOPT_PROXY_SSLCERT_BLOB, 0},
    {CURLOPT_PROXY_SSLKEY, CURLOPT_PROXY_SSLKEY_BLOB, 0},
};

/* -1 with errno. The path was asked for by transfer_permit_begin, and has no links. */
static int open_guarded(const char *path)
{
  char *guarded;
  if (asprintf(&guarded, "/%s", path) < 0) return -1;
  int fd = guarded_open(guarded, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0), number = errno;
  free(guarded);
  errno = number;
  return fd;
}

/* 0, or an errno. */
static int read_all(int fd, size_t size, buffer *bytes)
{
  char piece[4096];
  for (;;) {
    ssize_t got = read(fd, piece, sizeof piece);
    if (got < 0) return errno;
    if (!got) return 0;
    if (bytes->length > size + sizeof piece || bytes->length > MAX_FILE) return EFBIG;
    if (!buffer_append(bytes, piece, (size_t)got)) return ENOMEM;
  }
}

static int set_bytes(CURL *easy, size_t which, int fd, size_t size)
{
  buffer bytes = {0};
  int number = read_all(fd, size, &bytes);
  struct curl_blob blob = {
      .data = bytes.bytes ? bytes.bytes : "", .len = bytes.length, .flags = CURL_BLOB_COPY};
  if (!number && curl_easy_setopt(easy, file_options[which].bytes, &blob)) number = ENOMEM;
  curl_easy_setopt(easy, file_options[which].name, NULL);
  buffer_free(&bytes);
  return number;
}

/* A folder of authorities is looked into when a peer's is wanted: it stays open for as long as the options
 * live, under one name, which is part of what connections are told apart by. */
static int set_folder(transfer *t, size_t which, int fd)
{
  int *kept = &t->options->folders[which];
  char name[FOLDER_NAME_SIZE];
  if (!*kept) *kept = fcntl(fd, F_DUPFD_CLOEXEC, 0) + 1;
  if (!*kept) return errno;
  snprintf(name, sizeof name, "/proc/self/fd/%d", *kept - 1);
  curl_easy_setopt(t->handle->easy, file_options[which].name, NULL);
  return curl_easy_setopt(t->handle->easy, file_options[which].folder, name) ? ENOMEM : 0;
}

static bool is_same(const struct transfer_file *f, const struct stat *now)
{
  return f->device == now->st_dev && f->number == now->st_ino && f->size == now->st_size &&
         f->changed.tv_sec == now->st_ctim.tv_sec && f->changed.tv_nsec == now->st_ctim.tv_nsec;
}

static int set_file(transfer *t, size_t which, int fd)
{
  struct stat now;
  struct transfer_file *set = &t->handle->files[which];
  if (fstat(fd, &now) != 0) return errno;
  if (is_same(set, &now)) return 0;
  bool is_folder = S_ISDIR(now.st_mode);
  if (!S_ISREG(now.st_mode) && !(is_folder && file_options[which].folder)) return EINVAL;
  int number =
      is_folder ? set_folder(t, which, fd) : set_bytes(t->handle->easy, which, fd, (size_t)now.st_size);
  if (!number) *set = (struct transfer_file){now.st_dev, now.st_ino, now.st_size, now.st_ctim};
  return number;
}

static bool set_guarded(transfer *t, size_t which, const char *path)
{
  int fd = open_guarded(path), number = fd < 0 ? errno : set_file(t, which, fd);
  if (fd >= 0) close(fd);
  if (!number) return true;
  error *e = transfer_failure(t);
  error_set(e, ERROR_tls, "tls", "cannot read '%.*s%s': %s (%s)", SHORTENED(path, 200), strerror(number),
            strerrorname_np(number));
  return false;
}

bool transfer_files_set(transfer *t)
{
  bool of_server = t->request.target.scheme.length == 5, of_proxy = t->options->texts[OPTION_PROXY];
  if (!t->pool->network->permit) return true;
  for (size_t i = 0; i < TRANSFER_FILES; i++) {
    const char *path = t->options->texts[transfer_files[i]];
    bool is_proxys = i >= TRANSFER_FILES / 2;
    if (!path || !(is_proxys ? of_proxy : of_server)) continue;
    if (!t->handle->files) t->handle->files = calloc(TRANSFER_FILES, sizeof *t->handle->files);
    if (!t->handle->files || !set_guarded(t, i, path)) return false;
  }
  return true;
}

void transfer_files_forget(transfer_handle *h)
{
  free(h->files);
  h->files = NULL;
}
