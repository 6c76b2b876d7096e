#include "help.h"

#include "options_table.h"

#include <stdio.h>
#include <string.h>

static const char introduction[] =
    "\n"
    "Runs Lua scripts that talk HTTP to many things at once. A script just waits for\n"
    "what it asks for; tasks make it do many things meanwhile. Its arguments are ...\n"
    "and the table arg. It ends when its last line has run and every task it started\n"
    "has ended.\n"
    "\n"
    "options, before the script:\n";

static const char examples[] =
    "\n"
    "examples:\n"
    "  lurcher get https://example.org\n"
    "  lurcher -e 'print(assert(http.get(...)).body)' https://example.org\n"
    "\n"
    "  #!/usr/bin/env lurcher\n"
    "  -- Fetches each URL given, eight at a time, and prints its status.\n"
    "  local http = require \"lurcher.http\"\n"
    "  local task = require \"lurcher.task\"\n"
    "  task.map({ ... }, function(url)\n"
    "    local res, err = http.get(url, { timeout = 20 })\n"
    "    print(url, res and res.status or err)\n"
    "  end, { concurrency = 8 })\n"
    "\n"
    "exit status:\n"
    "  0    the script ended well, or what it gave to os.exit\n"
    "  1    it failed or does not compile: the error, and the lines that led to it,\n"
    "       are on standard error\n"
    "  2    wrong usage, or the script cannot be read\n"
    "  3    a budget (--max-...) ended it\n"
    "  130  SIGINT (Ctrl-C), 143 SIGTERM: tasks are cancelled and clean up, for at\n"
    "       most 5 seconds; a second signal ends it at once\n";

enum { WIDTH = 80 /* of any terminal */, GAP = 2 };

/* Words from `text` on, in lines from column `margin` to WIDTH; the first line has been begun up to there. */
static void print_wrapped(const char *text, int margin)
{
  int column = margin;
  while (*text) {
    int length = (int)strcspn(text, " ");
    if (column > margin && column + 1 + length > WIDTH) column = printf("\n%*s", margin, "") - 1;
    column += printf("%s%.*s", column > margin ? " " : "", length, text);
    text += length;
    text += strspn(text, " ");
  }
  putchar('\n');
}

static int heading_length(const cli_option *o)
{
  return (int)(strlen(o->name) + (o->value ? 1 + strlen(o->value) : 0) +
               (o->short_name ? 2 + strlen(o->short_name) : 0));
}

static void print_option(const cli_option *o, int margin)
{
  int column = printf("  %s%s%s%s%s", o->short_name ? o->short_name : "", o->short_name ? ", " : "", o->name,
                      o->value ? "=" : "", o->value ? o->value : "");
  printf("%*s", margin - column, "");
  print_wrapped(o->help, margin);
}

/* Commands that differ by their name alone share a line. */
static bool is_alike(const cli_command *a, const cli_command *b)
{
  return strcmp(a->help, b->help) == 0 && strcmp(a->arguments, b->arguments) == 0;
}

static void print_usage(void)
{
  static const char *const forms[][2] = {
      {"[options] script.lua [args...]", "run a script (works as #! line)"},
      {"[options] -e 'code' [args...]", "run a string"},
      {"[options] - [args...]", "run standard input"},
  };
  enum { FORMS = sizeof forms / sizeof *forms, COLUMN = 34, MARGIN = COLUMN + 15 };
  for (int i = 0; i < FORMS; i++)
    printf("%s lurcher %-*s %s\n", i ? "      " : "usage:", COLUMN - 1, forms[i][0], forms[i][1]);
  for (size_t i = 0; i < commands_count;) {
    const cli_command *first = &commands_table[i];
    int column = printf("       lurcher %s", first->name);
    for (i++; i < commands_count && is_alike(first, &commands_table[i]); i++)
      column += printf("|%s", commands_table[i].name);
    column += printf(" %s", first->arguments);
    if (column >= MARGIN) column = printf("\n") - 1;
    printf("%*s", MARGIN - column, "");
    print_wrapped(first->help, MARGIN);
  }
}

/* The options that stand behind a command. */
static void print_word_options(const char *heading, const char *command, int margin)
{
  printf("\noptions of %s:\n", heading);
  for (size_t i = 0; i < word_options_count; i++)
    if (options_belongs(&word_options_table[i], command)) print_option(&word_options_table[i], margin);
}

void help_print(void)
{
  static const cli_option end = {
      "--", NULL, NULL, NULL, "what follows is the script, even if it starts with '-'", NULL};
  int margin = 0;
  for (size_t i = 0; i < options_count; i++)
    if (heading_length(&options_table[i]) > margin) margin = heading_length(&options_table[i]);
  for (size_t i = 0; i < word_options_count; i++)
    if (heading_length(&word_options_table[i]) > margin) margin = heading_length(&word_options_table[i]);
  margin += 2 * GAP;
  print_usage();
  fputs(introduction, stdout);
  for (size_t i = 0; i < options_count; i++) print_option(&options_table[i], margin);
  print_option(&end, margin);
  print_word_options("get, head, post and so on, before or behind their items", "get", margin);
  print_word_options("serve", "serve", margin);
  fputs(examples, stdout);
}
