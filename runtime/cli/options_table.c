#include "options_table.h"

#define OPTION(name, short_name, value, choices, function, help) {name, short_name, value, choices, help},
#define COMMAND(name, arguments, kind, choices, help)
const cli_option options_table[] = {
#include "options.def"
};
#undef OPTION
#undef COMMAND

#define OPTION(name, short_name, value, choices, function, help)
#define COMMAND(name, arguments, kind, choices, help) {name, arguments, kind, choices, help},
const cli_command commands_table[] = {
#include "options.def"
};

const size_t options_count = sizeof options_table / sizeof *options_table;
const size_t commands_count = sizeof commands_table / sizeof *commands_table;
