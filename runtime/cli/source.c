#include "source.h"

#include "complaint.h"
#include "suggestion.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Standard input may be non-blocking. */
static bool await_input(int fd)
{
  struct pollfd input = {.fd = fd, .events = POLLIN};
  return poll(&input, 1, -1) >= 0 || errno == EINTR;
}

/* Reads all of a descriptor. False: errno tells. */
static bool read_all(source *s, int fd)
{
  size_t capacity = 0;
  for (;;) {
    if (s->length == capacity) {
      capacity = capacity ? capacity * 2 : 16384;
      char *grown = realloc(s->owned, capacity);
      if (!grown) return false;
      s->text = s->owned = grown;
    }
    ssize_t got = read(fd, s->owned + s->length, capacity - s->length);
    if (got < 0 && (errno == EINTR || (errno == EAGAIN && await_input(fd)))) continue;
    if (got <= 0) return got == 0;
    s->length += (size_t)got;
  }
}

static bool read_file(source *s, const char *path)
{
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  bool fine = read_all(s, fd);
  int error = errno;
  close(fd);
  errno = error;
  return fine;
}

/* A command is a module of its name, which is told how it was called. */
static bool make_call(source *s, const cli_options *options)
{
  const char *module = options->kind == SOURCE_REQUEST ? "request" : options->script;
  int length =
      asprintf(&s->owned, "return require('lurcher.command.%s').run('%s', ...)", module, options->script);
  s->text = s->owned = length < 0 ? NULL : s->owned;
  s->length = length < 0 ? 0 : (size_t)length;
  return length >= 0;
}

/* A word that names no file may be a command that was misspelt, or a URL. */
static void report_unreadable(const cli_options *options, const char *shown, int error)
{
  const char *meant = NULL;
  if (error == ENOENT && options->kind == SOURCE_FILE) meant = suggestion_command(options->script);
  const char *name = strerrorname_np(error), *why = strerror(error);
  const char *url = strchr(shown, ':') ? shown : "";
  if (meant)
    complain("cannot read %s: %s: %s; did you mean 'lurcher %s%s%s'?", shown, name, why, meant,
             *url ? " " : "", url);
  else
    complain("cannot read %s: %s: %s", shown, name, why);
}

bool source_read(source *s, const cli_options *options)
{
  static const char tests[] = "return require('lurcher.command.test').run(...)";
  static const char version[] = "require('lurcher.command.version').print()";
  static const struct {
    const char *argument, *chunkname;
  } names[] = {[SOURCE_STRING] = {"-e", "=(command line)"},  [SOURCE_INPUT] = {"-", "=standard input"},
               [SOURCE_TESTS] = {"test", "@lurcher/test"},   [SOURCE_PROMPT] = {"-", "=prompt"},
               [SOURCE_VERSION] = {"-", "@lurcher/version"}, [SOURCE_REQUEST] = {"-", "@lurcher/command"},
               [SOURCE_WORD] = {"-", "@lurcher/command"}};
  *s = (source){.argument = options->kind == SOURCE_FILE ? options->script : names[options->kind].argument};
  const char *shown = options->script;
  bool fine = true;
  switch (options->kind) {
  case SOURCE_FILE:
    fine = read_file(s, options->script);
    break;
  case SOURCE_INPUT:
    fine = read_all(s, STDIN_FILENO);
    shown = "standard input";
    break;
  case SOURCE_STRING:
    s->text = options->script;
    s->length = strlen(s->text);
    break;
  case SOURCE_TESTS:
    s->text = tests;
    s->length = sizeof tests - 1;
    break;
  case SOURCE_VERSION:
    s->text = version;
    s->length = sizeof version - 1;
    break;
  case SOURCE_REQUEST:
  case SOURCE_WORD:
    fine = make_call(s, options);
    break;
  case SOURCE_PROMPT:
    if (options->argc == 0) break;
    s->argument = shown = options->argv[0];
    fine = read_file(s, shown);
    break;
  case SOURCE_COMPLETION: /* no script: see completion.h and manual.h */
  case SOURCE_HELP:
    break;
  }
  if (fine) {
    bool is_file = options->kind == SOURCE_FILE;
    const char *name = is_file ? options->script : names[options->kind].chunkname;
    bool is_like_ours = is_file && strncmp(name, "lurcher/", 8) == 0;
    fine = asprintf(&s->chunkname, "%s%s", is_like_ours ? "@./" : is_file ? "@" : "", name) >= 0;
    if (!fine) s->chunkname = NULL;
  }
  if (fine) return true;
  report_unreadable(options, shown, errno);
  source_free(s);
  return false;
}

void source_free(source *s)
{
  free(s->owned);
  free(s->chunkname);
}
