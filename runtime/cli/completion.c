#include "completion.h"

#include "options_table.h"

#include <stdio.h>
#include <string.h>

static bool is_path(const cli_option *o) { return o->value && strcmp(o->value, "FILE") == 0; }

/* `text` with a backslash before each of `special`. */
static void print_escaped(const char *text, const char *special)
{
  for (; *text; text++) {
    if (strchr(special, *text)) putchar('\\');
    putchar(*text);
  }
}

/* `text` inside single quotes, which bash and zsh end, escape and begin again. */
static void print_quoted(const char *text, const char *special)
{
  for (; *text; text++) {
    if (*text == '\'')
      fputs("'\\''", stdout);
    else
      print_escaped((const char[]){*text, 0}, special);
  }
}

/* Whether two commands are completed alike. */
static bool is_like(const cli_command *one, const cli_command *other)
{
  if (!one->choices != !other->choices) return false;
  for (size_t i = 0; i < word_options_count; i++) {
    const cli_option *o = &word_options_table[i];
    if (options_belongs(o, one->name) != options_belongs(o, other->name)) return false;
  }
  return true;
}

/* Whether a command is the first of those that have its options. */
static bool speaks_for_others(size_t command)
{
  for (size_t i = 0; i < command; i++)
    if (is_like(&commands_table[i], &commands_table[command])) return false;
  return options_has_own(commands_table[command].name);
}

/* The names of all commands like this one. */
static void print_alike(size_t command, const char *separator)
{
  for (size_t i = command; i < commands_count; i++)
    if (is_like(&commands_table[i], &commands_table[command]))
      printf("%s%s", i > command ? separator : "", commands_table[i].name);
}

/* ---- bash ---- */

/* bash takes --name=value apart into three words. */
static const char bash_begin[] =
    "# Completion of lurcher's command line for bash.\n"
    "_lurcher() {\n"
    "  local word=${COMP_WORDS[COMP_CWORD]} name='' command='' at\n"
    "  if [[ $word == = ]]; then\n"
    "    name=${COMP_WORDS[COMP_CWORD - 1]} word=''\n"
    "  elif ((COMP_CWORD > 2)) && [[ ${COMP_WORDS[COMP_CWORD - 1]} == = ]]; then\n"
    "    name=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "  fi\n"
    "  [[ $word == @ || $word == =@ ]] && word=''\n"
    "  for ((at = 1; at < COMP_CWORD; at++)); do\n"
    "    [[ ${COMP_WORDS[at]} == -* || ${COMP_WORDS[at]} == = || ${COMP_WORDS[at - 1]} == = ]] && continue\n"
    "    command=${COMP_WORDS[at]}\n"
    "    break\n"
    "  done\n"
    "  COMPREPLY=()\n"
    "  case $command in\n"
    "    '') case $name in\n";

static const char bash_scripts[] = "' -- \"$word\")\n"
                                   "      [[ $word == -* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < "
                                   "<(compgen -f -X '!*.lua' -- \"$word\"; "
                                   "compgen -d -S / -- \"$word\")\n"
                                   "      [[ ${COMPREPLY[0]} == *[=/] ]] && compopt -o nospace\n"
                                   "      ;;\n"
                                   "    esac ;;\n";

static const char bash_end[] = "    *) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n"
                               "  esac\n"
                               "}\n"
                               "complete -o filenames -F _lurcher lurcher\n";

static void bash_case(const char *name, const char *choices, bool path)
{
  if (choices)
    printf("    %s) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\") ;;\n", name, choices);
  else if (path)
    printf("    %s) mapfile -t COMPREPLY < <(compgen -f -- \"$word\") ;;\n", name);
}

static void bash_names(const cli_option *o) { printf(" %s%s", o->name, o->value ? "=" : ""); }

/* What stands behind commands that have options: these, values of these, and files. */
static void bash_options(size_t command)
{
  const char *name = commands_table[command].name;
  printf("    ");
  print_alike(command, "|");
  puts(") case $name in");
  for (size_t i = 0; i < word_options_count; i++)
    if (options_belongs(&word_options_table[i], name))
      bash_case(word_options_table[i].name, word_options_table[i].choices, is_path(&word_options_table[i]));
  fputs("    '') if [[ $word == -* ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W '",
        stdout);
  for (size_t i = 0; i < word_options_count; i++)
    if (options_belongs(&word_options_table[i], name)) bash_names(&word_options_table[i]);
  for (size_t i = 0; i < options_count; i++) bash_names(&options_table[i]);
  fputs("' -- \"$word\")\n"
        "        [[ ${COMPREPLY[0]} == *= ]] && compopt -o nospace\n",
        stdout);
  if (commands_table[command].choices)
    printf(
        "      elif ((COMP_CWORD == at + 1)); then mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$word\")\n",
        commands_table[command].choices);
  fputs("      else mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); fi ;;\n"
        "    esac ;;\n",
        stdout);
}

static void print_bash(void)
{
  fputs(bash_begin, stdout);
  for (size_t i = 0; i < options_count; i++)
    bash_case(options_table[i].name, options_table[i].choices, is_path(&options_table[i]));
  fputs("    '') mapfile -t COMPREPLY < <(compgen -W '-e", stdout);
  for (size_t i = 0; i < options_count; i++) bash_names(&options_table[i]);
  for (size_t i = 0; i < commands_count; i++) printf(" %s", commands_table[i].name);
  fputs(bash_scripts, stdout);
  for (size_t i = 0; i < commands_count; i++) {
    if (speaks_for_others(i)) bash_options(i);
    if (!options_has_own(commands_table[i].name))
      bash_case(commands_table[i].name, commands_table[i].choices, false);
  }
  fputs(bash_end, stdout);
}

/* ---- zsh ---- */

static void zsh_option(const cli_option *o)
{
  static const char special[] = "[]:\\";
  if (o->short_name)
    printf("    '(%s %s)'{%s,%s}'[", o->name, o->short_name, o->name, o->short_name);
  else
    printf("    '%s%s[", o->name, o->value ? "=" : "");
  print_quoted(o->help, special);
  putchar(']');
  if (o->value) printf(":%s:", o->value);
  if (o->choices)
    printf("(%s)", o->choices);
  else if (is_path(o))
    fputs("_files", stdout);
  fputs("' \\\n", stdout);
}

static void zsh_options(size_t command)
{
  const cli_command *c = &commands_table[command];
  fputs("    ", stdout);
  print_alike(command, "|");
  fputs(") _arguments -S \\\n", stdout);
  for (size_t i = 0; i < word_options_count; i++)
    if (options_belongs(&word_options_table[i], c->name)) zsh_option(&word_options_table[i]);
  for (size_t i = 0; i < options_count; i++) zsh_option(&options_table[i]);
  if (c->choices) printf("    '1:argument:(%s)' \\\n", c->choices);
  fputs("    '*:argument:_files' ;;\n", stdout);
}

static void print_zsh(void)
{
  fputs("#compdef lurcher\n"
        "# Completion of lurcher's command line for zsh.\n"
        "_lurcher_first() {\n"
        "  local -a commands=(\n",
        stdout);
  for (size_t i = 0; i < commands_count; i++) {
    printf("    '%s:", commands_table[i].name);
    print_quoted(commands_table[i].help, ":\\");
    fputs("'\n", stdout);
  }
  fputs("  )\n"
        "  _describe command commands\n"
        "  _files -g '*.lua'\n"
        "}\n"
        "_lurcher_rest() {\n"
        "  if compset -P '*@'; then _files; return; fi\n"
        "  case $words[1] in\n",
        stdout);
  for (size_t i = 0; i < commands_count; i++) {
    if (speaks_for_others(i)) zsh_options(i);
    if (commands_table[i].choices && !options_has_own(commands_table[i].name))
      printf("    %s) _values argument %s ;;\n", commands_table[i].name, commands_table[i].choices);
  }
  fputs("    *) _files ;;\n"
        "  esac\n"
        "}\n"
        "_lurcher() {\n"
        "  _arguments -S \\\n",
        stdout);
  for (size_t i = 0; i < options_count; i++) zsh_option(&options_table[i]);
  fputs("    '-e[run a string]:code:' \\\n"
        "    '1:script:_lurcher_first' \\\n"
        "    '*::argument:_lurcher_rest'\n"
        "}\n"
        "_lurcher \"$@\"\n",
        stdout);
}

/* ---- fish ---- */

static void fish_option(const cli_option *o)
{
  if (o->words)
    printf("complete -c lurcher -n '__fish_seen_subcommand_from %s' -l %s", o->words, o->name + 2);
  else {
    fputs("complete -c lurcher -n '__fish_use_subcommand; or __fish_seen_subcommand_from", stdout);
    for (size_t i = 0; i < commands_count; i++)
      if (options_has_own(commands_table[i].name)) printf(" %s", commands_table[i].name);
    printf("' -l %s", o->name + 2);
  }
  if (o->short_name) printf(" -s %s", o->short_name + 1);
  if (o->choices)
    printf(" -x -a '%s'", o->choices);
  else if (o->value)
    printf(" -r%s", is_path(o) ? " -F" : " -f");
  fputs(" -d '", stdout);
  print_escaped(o->help, "'\\");
  fputs("'\n", stdout);
}

static void print_fish(void)
{
  puts("# Completion of lurcher's command line for fish.");
  for (size_t i = 0; i < options_count; i++) fish_option(&options_table[i]);
  for (size_t i = 0; i < word_options_count; i++) fish_option(&word_options_table[i]);
  puts("complete -c lurcher -n __fish_use_subcommand -s e -x -d 'run a string'");
  for (size_t i = 0; i < commands_count; i++) {
    const cli_command *c = &commands_table[i];
    printf("complete -c lurcher -n __fish_use_subcommand -a %s -d '", c->name);
    print_escaped(c->help, "'\\");
    puts("'");
    if (c->choices)
      printf("complete -c lurcher -n '__fish_seen_subcommand_from %s' -f -a '%s'\n", c->name, c->choices);
  }
}

static const struct {
  const char *name;
  void (*print)(void);
} shells[] = {{"bash", print_bash}, {"zsh", print_zsh}, {"fish", print_fish}};

int completion_print(int argc, char **argv)
{
  for (size_t i = 0; argc == 1 && i < sizeof shells / sizeof *shells; i++) {
    if (strcmp(argv[0], shells[i].name) != 0) continue;
    shells[i].print();
    return STATUS_OK;
  }
  fputs("lurcher: for which shell? lurcher completion bash, zsh or fish\n", stderr);
  return STATUS_USAGE;
}
