#include "options_table.h"

#include <string.h>

#define OPTION(name, short_name, value, choices, function, help)                                             \
  {name, short_name, value, choices, help, NULL},
#define COMMAND(name, arguments, kind, choices, help)
#define WORD_OPTION(words, name, short_name, value, choices, help)
const cli_option options_table[] = {
#include "options.def"
};
#undef OPTION
#undef COMMAND
#undef WORD_OPTION

#define OPTION(name, short_name, value, choices, function, help)
#define COMMAND(name, arguments, kind, choices, help) {name, arguments, kind, choices, help},
#define WORD_OPTION(words, name, short_name, value, choices, help)
const cli_command commands_table[] = {
#include "options.def"
};
#undef OPTION
#undef COMMAND
#undef WORD_OPTION

#define OPTION(name, short_name, value, choices, function, help)
#define COMMAND(name, arguments, kind, choices, help)
#define WORD_OPTION(words, name, short_name, value, choices, help)                                           \
  {name, short_name, value, choices, help, words},
const cli_option word_options_table[] = {
#include "options.def"
};

const size_t options_count = sizeof options_table / sizeof *options_table;
const size_t commands_count = sizeof commands_table / sizeof *commands_table;
const size_t word_options_count = sizeof word_options_table / sizeof *word_options_table;

bool options_belongs(const cli_option *option, const char *command)
{
  size_t length = strlen(command);
  for (const char *word = option->words; *word; word += strspn(word, " ")) {
    size_t size = strcspn(word, " ");
    if (size == length && memcmp(word, command, length) == 0) return true;
    word += size;
  }
  return false;
}

bool options_has_own(const char *command)
{
  for (size_t i = 0; i < word_options_count; i++)
    if (options_belongs(&word_options_table[i], command)) return true;
  return false;
}
