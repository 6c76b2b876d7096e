#include "options.h"

#include "complaint.h"
#include "help.h"
#include "options_table.h"
#include "permissions.h"
#include "suggestion.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What an option does: go on with the next argument, or end with a status. */
typedef enum { GO_ON = -1, END_WELL = STATUS_OK, WRONG_USAGE = STATUS_USAGE } verdict;

typedef verdict apply_option(cli_options *options, const char *value);

static verdict set_log_level(cli_options *options, const char *value)
{
  static const char *const names[] = {"error", "warn", "info", "debug"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (strcmp(names[i], value) != 0) continue;
    options->log_level = LUR_LOG_ERROR + i;
    return GO_ON;
  }
  complain("--log=%s: the levels are error, warn, info and debug", value);
  return WRONG_USAGE;
}

static verdict set_trace(cli_options *options, const char *value)
{
  (void)value;
  options->trace = true;
  return GO_ON;
}

static verdict set_trace_detail(cli_options *options, const char *value)
{
  options->trace = true;
  options->trace_detail = strcmp(value, "headers") == 0 ? 1 : strcmp(value, "bodies") == 0 ? 2 : 0;
  if (options->trace_detail) return GO_ON;
  complain("--trace=%s: it is --trace, --trace=headers or --trace=bodies", value);
  return WRONG_USAGE;
}

static verdict set_stats(cli_options *options, const char *value)
{
  (void)value;
  options->stats = true;
  return GO_ON;
}

static verdict set_explain(cli_options *options, const char *value)
{
  (void)value;
  options->explain = true;
  return GO_ON;
}

static verdict set_report(cli_options *options, const char *value)
{
  options->report = value;
  if (*value) return GO_ON;
  fputs("lurcher: --report= needs the path of the page to write, as in --report=out.html\n", stderr);
  return WRONG_USAGE;
}

/* The path of a cassette; there is one at a time. */
static verdict set_cassette(cli_options *options, const char **place, const char *value)
{
  *place = value;
  if (!*value) {
    complain("it needs the path of a cassette, as in --record=api.json");
    return WRONG_USAGE;
  }
  if (!options->record || !options->replay) return GO_ON;
  complain("--record and --replay exclude each other");
  return WRONG_USAGE;
}

static verdict set_record(cli_options *options, const char *value)
{
  return set_cassette(options, &options->record, value);
}

static verdict set_replay(cli_options *options, const char *value)
{
  return set_cassette(options, &options->replay, value);
}

/* What strtod takes for a number but does not start so is none to us: "-1", " 1", "inf". */
static bool is_digit(char c) { return (c >= '0' && c <= '9') || c == '.'; }

static verdict set_grace(cli_options *options, const char *value)
{
  char *end;
  options->grace = strtod(value, &end);
  if (*value && !*end && options->grace >= 0 && options->grace <= 86400) return GO_ON;
  complain("--grace=%s: give a number of seconds from 0 to 86400, as in --grace=10", value);
  return WRONG_USAGE;
}

static const double MAX_COUNT = 9007199254740992.0; /* every whole number up to it is a double */

static verdict set_max_requests(cli_options *options, const char *value)
{
  char *end;
  double count = strtod(value, &end);
  if (is_digit(*value) && !*end && count >= 1 && count <= MAX_COUNT && count == floor(count)) {
    options->max_requests = (unsigned long long)count;
    return GO_ON;
  }
  complain("--max-requests=%s: give a whole number of requests, as in --max-requests=1000", value);
  return WRONG_USAGE;
}

/* "10M": what a number of bytes is written as. False: it is none. */
static bool read_size(const char *value, double *size)
{
  static const char units[] = "KMGT";
  char *end;
  *size = strtod(value, &end);
  const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
  if (unit) {
    for (const char *u = units; u <= unit; u++) *size *= 1024;
    end++;
  }
  return is_digit(*value) && !*end && *size >= 1 && *size <= MAX_COUNT;
}

static verdict set_max_bytes(cli_options *options, const char *value)
{
  double size;
  if (read_size(value, &size)) {
    options->max_bytes = (unsigned long long)size;
    return GO_ON;
  }
  complain("--max-bytes=%s: give a number of bytes, or of KiB, MiB, GiB or TiB with K, M, G or T, as in "
           "--max-bytes=10M",
           value);
  return WRONG_USAGE;
}

static bool read_seconds(const char *value, double *seconds)
{
  char *end;
  *seconds = strtod(value, &end);
  return is_digit(*value) && !*end && *seconds > 0 && *seconds <= 1e9;
}

static verdict set_max_time(cli_options *options, const char *value)
{
  if (read_seconds(value, &options->max_time)) return GO_ON;
  complain("--max-time=%s: give a number of seconds above 0, as in --max-time=60", value);
  return WRONG_USAGE;
}

static verdict set_memory(cli_options *options, const char *value)
{
  double size;
  if (read_size(value, &size)) {
    options->memory = (size_t)size;
    return GO_ON;
  }
  complain("--memory=%s: give a number of bytes, or of KiB, MiB, GiB or TiB with K, M, G or T, as in "
           "--memory=64M",
           value);
  return WRONG_USAGE;
}

static verdict set_cpu(cli_options *options, const char *value)
{
  if (read_seconds(value, &options->cpu)) return GO_ON;
  complain("--cpu=%s: give a number of seconds above 0, as in --cpu=10", value);
  return WRONG_USAGE;
}

static verdict set_burst(cli_options *options, const char *value)
{
  if (read_seconds(value, &options->burst)) return GO_ON;
  complain("--burst=%s: give a number of seconds above 0, as in --burst=0.5", value);
  return WRONG_USAGE;
}

static verdict set_sandbox(cli_options *options, const char *value)
{
  (void)value;
  options->sandbox = true;
  return GO_ON;
}

static verdict set_isolate(cli_options *options, const char *value)
{
  (void)value;
  options->sandbox = options->isolate = true;
  return GO_ON;
}

static verdict set_sandbox_log(cli_options *options, const char *value)
{
  options->sandbox = options->sandbox_tells = true;
  if (strcmp(value, "log") == 0) return GO_ON;
  complain("--sandbox=%s: it is --sandbox or --sandbox=log", value);
  return WRONG_USAGE;
}

#define PERMISSION(name)                                                                                     \
  static verdict name(cli_options *options, const char *value)                                               \
  {                                                                                                          \
    (void)options;                                                                                           \
    return permissions_##name(value) ? GO_ON : WRONG_USAGE;                                                  \
  }
PERMISSION(allow_net)
PERMISSION(deny_net)
PERMISSION(allow_read)
PERMISSION(allow_write)
PERMISSION(allow_env)
PERMISSION(allow_run)

static verdict allow_public_net(cli_options *options, const char *value)
{
  (void)options;
  (void)value;
  return permissions_allow_net(NULL) ? GO_ON : WRONG_USAGE;
}

static verdict show_help(cli_options *options, const char *value)
{
  (void)options;
  (void)value;
  help_print();
  return END_WELL;
}

static verdict show_version(cli_options *options, const char *value)
{
  (void)value;
  options->kind = SOURCE_VERSION;
  return GO_ON;
}

/* What to do for each row of options_table. */
static apply_option *const functions[] = {
#define OPTION(name, short_name, value, choices, function, help) function,
#define COMMAND(name, arguments, kind, choices, help)
#define WORD_OPTION(words, name, short_name, value, choices, help)
#include "options.def"
#undef OPTION
#undef COMMAND
#undef WORD_OPTION
};

static verdict unknown_option(const char *argument, size_t length, const char *command)
{
  const cli_option *meant = suggestion_option(argument, length, command);
  if (meant)
    complain("unknown option '%.*s'; did you mean '%s%s%s'?", (int)length, argument, meant->name,
             meant->value ? "=" : "", meant->value ? meant->value : "");
  else
    complain("unknown option '%.*s'; lurcher --help shows all", (int)length, argument);
  return WRONG_USAGE;
}

/* ---- parsing ---- */

static bool is_named(const char *name, const char *argument, size_t length)
{
  return name && strlen(name) == length && memcmp(name, argument, length) == 0;
}

/* What is wrong with an argument that no option fits: `meant` is one of that name, or NULL. */
static verdict refuse(const cli_option *meant, const char *argument, size_t length, const char *command)
{
  if (!meant) return unknown_option(argument, length, command);
  if (meant->value)
    complain("option '%s' needs a value: %s=%s", meant->name, meant->name, meant->value);
  else
    complain("option '%.*s' takes no value", (int)length, argument);
  return WRONG_USAGE;
}

/* Whether an option is the argument's; else *meant is set if it has that name, but takes a value or none. */
static bool fits(const cli_option *o, const char *argument, size_t length, const cli_option **meant)
{
  if (!is_named(o->name, argument, length) && !is_named(o->short_name, argument, length)) return false;
  if (!o->value == !argument[length]) return true;
  *meant = o;
  return false;
}

static verdict apply(cli_options *options, const char *argument, const char *command)
{
  size_t length = strcspn(argument, "=");
  const cli_option *meant = NULL;
  for (size_t i = 0; i < options_count; i++)
    if (fits(&options_table[i], argument, length, &meant))
      return functions[i](options, argument + length + 1);
  return refuse(meant, argument, length, command);
}

/* ---- options of commands ---- */

/* How many arguments from argv[0] on are an option of the command: 1, or 2 with the value of a short one; 0:
 * none, and *meant is set if it has that name. */
static int own_option(const char *command, int argc, char **argv, const cli_option **meant)
{
  size_t length = strcspn(argv[0], "=");
  for (size_t i = 0; i < word_options_count; i++) {
    const cli_option *o = &word_options_table[i];
    if (!options_belongs(o, command)) continue;
    if (fits(o, argv[0], length, meant)) return 1;
    if (o->value && o->short_name && strcmp(o->short_name, argv[0]) == 0 && argc > 1) return 2;
  }
  return 0;
}

/* Takes the options for all out of a command's arguments, and checks the names of its own. */
static verdict sort_options(cli_options *options)
{
  int kept = 0, i = 0;
  char **argv = options->argv;
  while (i < options->argc && strcmp(argv[i], "--") != 0) {
    const cli_option *meant = NULL;
    int own = argv[i][0] != '-' || !argv[i][1]
                  ? 1
                  : own_option(options->script, options->argc - i, argv + i, &meant);
    for (int j = 0; j < own; j++) argv[kept++] = argv[i++];
    if (own) continue;
    if (meant) return refuse(meant, argv[i], strcspn(argv[i], "="), options->script);
    verdict so_far = apply(options, argv[i++], options->script);
    if (so_far != GO_ON || options->kind == SOURCE_VERSION) return so_far;
  }
  while (i < options->argc) argv[kept++] = argv[i++];
  options->argc = kept;
  return GO_ON;
}

static void set_source(cli_options *options, source_kind kind, const char *script, int argc, char **rest)
{
  options->kind = kind;
  options->script = script;
  options->argc = argc;
  options->argv = rest;
}

/* What is run when the first argument that is no option is this. */
static source_kind kind_of(const char *word)
{
  for (size_t i = 0; i < commands_count; i++)
    if (strcmp(commands_table[i].name, word) == 0) return commands_table[i].kind;
  return strcmp(word, "-") == 0 ? SOURCE_INPUT : SOURCE_FILE;
}

static verdict no_script(cli_options *options)
{
  if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    options->kind = SOURCE_PROMPT;
    return GO_ON;
  }
  fputs("lurcher: no script: give a file, '-' for standard input, or -e 'code'; lurcher --help shows more\n",
        stderr);
  return WRONG_USAGE;
}

/* What is ours has no place in a sandbox, and permissions none outside of it. */
static bool misuses_sandbox(const cli_options *options)
{
  const char *wrong = NULL;
  bool is_script =
      options->kind == SOURCE_FILE || options->kind == SOURCE_STRING || options->kind == SOURCE_INPUT;
  if (options->kind == SOURCE_VERSION || (!options->sandbox && !permissions_given())) return false;
  if (!options->sandbox)
    wrong = "--allow-net and the other permissions are for --sandbox: without it everything is allowed";
  else if (!is_script)
    wrong = "--sandbox is for scripts: a file, - or -e";
  else if (options->record || options->replay)
    wrong = "--sandbox does not go with --record and --replay";
  if (wrong) complain("%s", wrong);
  return wrong;
}

static verdict parse(cli_options *options, int argc, char **argv)
{
  int i = 1;
  verdict so_far = GO_ON;
  for (; i < argc && argv[i][0] == '-' && argv[i][1] && so_far == GO_ON; i++) {
    if (strcmp(argv[i], "--") == 0) {
      i++;
      break;
    }
    if (strcmp(argv[i], "-e") == 0) {
      if (i + 1 < argc) {
        set_source(options, SOURCE_STRING, argv[i + 1], argc - i - 2, argv + i + 2);
        return GO_ON;
      }
      fputs("lurcher: option '-e' needs code: lurcher -e 'print(\"hello\")'\n", stderr);
      return WRONG_USAGE;
    }
    so_far = apply(options, argv[i], NULL);
    if (so_far == GO_ON && options->kind == SOURCE_VERSION) return GO_ON;
  }
  if (so_far == GO_ON && i >= argc) so_far = no_script(options);
  if (so_far == GO_ON && i < argc) {
    set_source(options, kind_of(argv[i]), argv[i], argc - i - 1, argv + i + 1);
    if (options_has_own(argv[i]) && (options->kind == SOURCE_REQUEST || options->kind == SOURCE_WORD))
      so_far = sort_options(options);
  }
  return so_far;
}

bool options_parse(cli_options *options, int argc, char **argv, int *status)
{
  *options = (cli_options){.log_level = LUR_LOG_WARN};
  verdict so_far = parse(options, argc, argv);
  if (so_far == GO_ON && misuses_sandbox(options)) so_far = WRONG_USAGE;
  *status = so_far;
  return so_far == GO_ON;
}
