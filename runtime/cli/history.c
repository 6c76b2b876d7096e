#include "history.h"

#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An entry is a line of the file, with "\n" for its newlines and "\\" for its backslashes. */
enum {
  MAX_SIZE = 4 * 1024 * 1024, /* bytes of the file, from its end, that are read */
  MAX_ENTRIES = 1000,         /* that are kept when the file is written anew */
};

static char path[4096];
static bool is_off; /* why was said */

static void give_up(const char *why)
{
  char text[sizeof path + 128];
  is_off = true;
  snprintf(text, sizeof text, "no history is kept: %s: %s", *path ? path : "HOME is not set", why);
  output_report(text);
}

/* $XDG_STATE_HOME/lurcher/history, or that of ~/.local/state; its folders are made. */
static bool find_path(void)
{
  const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
  bool has_state = state && *state == '/';
  if (!has_state && !(home && *home == '/')) return false;
  int length = has_state ? snprintf(path, sizeof path, "%s/lurcher/history", state)
                         : snprintf(path, sizeof path, "%s/.local/state/lurcher/history", home);
  if (length < 0 || (size_t)length >= sizeof path) return false;
  for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
    *slash = 0;
    mkdir(path, 0700); /* what fails is told by open */
    *slash = '/';
  }
  return true;
}

static const char *wrong_file(int fd)
{
  struct stat status;
  if (fstat(fd, &status) != 0) return strerror(errno);
  if (!S_ISREG(status.st_mode)) return "it is no file";
  if (status.st_uid != geteuid()) return "it belongs to another user";
  return status.st_mode & 077 && fchmod(fd, 0600) != 0 ? strerror(errno) : NULL;
}

/* The file, or -1 after it was said what is wrong with it. */
static int open_file(int flags)
{
  if (is_off) return -1;
  int fd = open(path, flags | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
  const char *wrong = fd < 0 ? strerror(errno) : wrong_file(fd);
  if (!wrong) return fd;
  give_up(wrong);
  if (fd >= 0) close(fd);
  return -1;
}

/* ---- reading ---- */

/* In place. */
static void unescape(char *line)
{
  char *to = line;
  for (const char *from = line; *from; from++) {
    bool escaped = *from == '\\' && from[1];
    if (escaped) from++;
    *to++ = escaped && *from == 'n' ? '\n' : *from;
  }
  *to = 0;
}

/* The end of the file. NULs, which are there after the machine lost its power, end lines. */
static char *read_end(int fd)
{
  char *text = malloc(MAX_SIZE + 1);
  size_t length = 0;
  ssize_t got = 1;
  lseek(fd, -MAX_SIZE, SEEK_END); /* fails where there is less */
  while (text && length < MAX_SIZE && (got = read(fd, text + length, MAX_SIZE - length)) > 0)
    length += (size_t)got;
  if (!text) return NULL;
  for (size_t i = 0; i < length; i++)
    if (!text[i]) text[i] = '\n';
  text[length] = 0;
  return text;
}

/* Where the last MAX_ENTRIES lines begin. */
static char *last_entries(char *text)
{
  size_t lines = 0;
  for (const char *c = text; *c; c++) lines += *c == '\n';
  for (; lines > MAX_ENTRIES; lines--) text = strchr(text, '\n') + 1;
  return text;
}

static bool put(int fd, const char *text, size_t length)
{
  ssize_t written = write(fd, text, length);
  return written >= 0 && (size_t)written == length;
}

/* The file with these entries only, in the place of the old one. */
static void rewrite(const char *entries)
{
  char temporary[sizeof path + 16];
  snprintf(temporary, sizeof temporary, "%s.%d", path, (int)getpid());
  int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return;
  bool fine = put(fd, entries, strlen(entries));
  if (close(fd) != 0 || !fine || rename(temporary, path) != 0) unlink(temporary);
}

void history_load(void (*remember)(const char *entry))
{
  if (!find_path()) {
    give_up("there is no folder for it");
    return;
  }
  int fd = open_file(O_RDWR);
  char *text = fd >= 0 ? read_end(fd) : NULL;
  if (fd >= 0) close(fd);
  if (!text) return;
  char *entries = last_entries(text);
  if (entries > text + MAX_SIZE / 4) rewrite(entries);
  for (char *line = entries, *end; (end = strchr(line, '\n')); line = end + 1) {
    *end = 0;
    unescape(line);
    if (*line) remember(line);
  }
  free(text);
}

/* ---- writing ---- */

/* Whether the last line of the file was cut off. */
static bool is_in_line(int fd)
{
  char last = '\n';
  return lseek(fd, -1, SEEK_END) >= 0 && read(fd, &last, 1) == 1 && last != '\n';
}

void history_append(const char *entry)
{
  int fd = open_file(O_RDWR | O_APPEND);
  char *line = fd >= 0 ? malloc(2 * strlen(entry) + 3) : NULL, *to = line;
  if (line && is_in_line(fd)) *to++ = '\n';
  for (const char *c = entry; line && *c; c++) {
    if (*c == '\\' || *c == '\n') *to++ = '\\';
    *to++ = *c == '\n' ? 'n' : *c;
  }
  if (line) *to++ = '\n';
  if (line && !put(fd, line, (size_t)(to - line)))
    give_up(strerror(errno)); /* in one write: prompts share it */
  free(line);
  if (fd >= 0) close(fd);
}
