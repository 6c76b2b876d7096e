#include "summaries.h"

#include "complaint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static const cli_options *wanted;
static lur_runtime *summarized;

/* ---- the report's file ---- */

static bool cannot_write(const char *path)
{
  complain("cannot write the report %s: %s: %s", path, strerrorname_np(errno), strerror(errno));
  return false;
}

/* Something that is no regular file (/dev/stdout, a pipe) is written to as it is. */
static bool is_special(const char *path)
{
  struct stat status;
  return stat(path, &status) == 0 && !S_ISREG(status.st_mode);
}

/* A new file beside `path`, whose name the caller frees; -1: errno tells. */
static int open_beside(const char *path, char **name)
{
  if (asprintf(name, "%s.XXXXXX", path) < 0) {
    *name = NULL;
    errno = ENOMEM;
    return -1;
  }
  return mkstemp(*name);
}

static bool is_writable(const char *path)
{
  if (is_special(path)) {
    int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) close(fd);
    return fd >= 0 || errno == ENXIO; /* a pipe may get its reader later */
  }
  char *name;
  int fd = open_beside(path, &name);
  if (fd >= 0) {
    close(fd);
    unlink(name);
  }
  int error = errno;
  free(name);
  errno = error;
  return fd >= 0;
}

static bool write_whole(int fd, const char *text, size_t length)
{
  while (length) {
    ssize_t written = write(fd, text, length);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text += written;
    length -= (size_t)written;
  }
  return true;
}

/* The whole page, or the file as it was. */
static bool write_report(const char *path, const char *text, size_t length)
{
  char *name = NULL;
  bool special = is_special(path);
  int fd = special ? open(path, O_WRONLY | O_CLOEXEC) : open_beside(path, &name);
  bool fine = fd >= 0 && write_whole(fd, text, length);
  if (fine && !special) {
    mode_t mask = umask(0);
    umask(mask);
    fine = fchmod(fd, 0666 & ~mask) == 0 && rename(name, path) == 0;
  }
  int error = errno;
  if (!fine && fd >= 0 && name) unlink(name);
  if (fd >= 0 && close(fd) != 0 && fine) {
    fine = false;
    error = errno;
  }
  free(name);
  errno = error;
  return fine;
}

static void on_page(const char *text, size_t length, void *ud)
{
  bool *fine = ud;
  *fine = write_report(wanted->report, text, length) || cannot_write(wanted->report);
}

/* ---- the terminal ---- */

static void on_text(const char *text, size_t length, void *ud)
{
  (void)ud;
  fputc('\n', stderr);
  fwrite(text, 1, length, stderr);
}

static int table_columns(void)
{
  struct winsize size;
  const char *given = getenv("COLUMNS");
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col) return size.ws_col;
  return given ? atoi(given) : 0;
}

static bool knows_colors(void)
{
  const char *terminal = getenv("TERM"), *no_color = getenv("NO_COLOR");
  return isatty(STDERR_FILENO) && !(no_color && *no_color) && terminal && strcmp(terminal, "dumb") != 0;
}

/* ---- all of it ---- */

bool summaries_prepare(lur_options *runtime_options, const cli_options *options)
{
  wanted = options;
  runtime_options->record = options->explain || options->report;
  return !options->report || is_writable(options->report) || cannot_write(options->report);
}

void summaries_watch(lur_runtime *rt) { summarized = rt; }

static bool summarize(lur_summary_kind kind, lur_print_fn write, bool *fine)
{
  if (lur_summary(summarized, kind, table_columns(), knows_colors(), write, fine) == LUR_OK) return *fine;
  complain("no summary: %s", lur_error(summarized));
  return false;
}

bool summaries_write(void)
{
  bool fine = true;
  if (!summarized || !(wanted->explain || wanted->stats || wanted->report)) return true;
  fflush(stdout);
  if (wanted->explain) fine &= summarize(LUR_SUMMARY_EXPLAIN, on_text, &(bool){true});
  if (wanted->stats) fine &= summarize(LUR_SUMMARY_STATS, on_text, &(bool){true});
  if (wanted->report) fine &= summarize(LUR_SUMMARY_HTML, on_page, &(bool){true});
  summarized = NULL;
  return fine;
}
