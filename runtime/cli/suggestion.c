#include "suggestion.h"

#include <ctype.h>
#include <string.h>

enum { MIN_LENGTH = 3, NAME_MAX_LENGTH = 24 };

static size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* How many letters must be added, dropped, changed or swapped with their neighbour to make one of the other.
 */
static size_t distance(const char *a, size_t a_length, const char *b)
{
  size_t rows[3][NAME_MAX_LENGTH + 1], b_length = strlen(b);
  size_t *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b_length; j++) last[j] = j;
  for (size_t i = 1; i <= a_length; i++) {
    row[0] = i;
    for (size_t j = 1; j <= b_length; j++) {
      size_t best = smaller(smaller(last[j], row[j - 1]) + 1, last[j - 1] + (a[i - 1] != b[j - 1]));
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        best = smaller(best, before[j - 2] + 1);
      row[j] = best;
    }
    size_t *oldest = before;
    before = last;
    last = row;
    row = oldest;
  }
  return last[b_length];
}

const cli_option *suggestion_option(const char *name, size_t length, const char *command)
{
  const cli_option *found = NULL;
  size_t best = 3;
  for (size_t i = 0; i < options_count + word_options_count; i++) {
    const cli_option *o = i < options_count ? &options_table[i] : &word_options_table[i - options_count];
    if (length < MIN_LENGTH || length > NAME_MAX_LENGTH ||
        (o->words && !(command && options_belongs(o, command))))
      continue;
    size_t letters = distance(name, length, o->name);
    if (letters >= best) continue;
    best = letters;
    found = o;
  }
  return found;
}

/* "http://…", ":3000/…" and "localhost:3000" are no paths that people mean. */
static bool is_url(const char *word)
{
  const char *colon = strchr(word, ':');
  return colon && (strncmp(colon, "://", 3) == 0 || isdigit((unsigned char)colon[1]));
}

const char *suggestion_command(const char *word)
{
  char lower[NAME_MAX_LENGTH + 1];
  size_t length = strlen(word), best = 3;
  const char *found = NULL;
  if (is_url(word)) return "get";
  if (length < MIN_LENGTH || length > NAME_MAX_LENGTH || strpbrk(word, "/.")) return NULL;
  for (size_t i = 0; i <= length; i++) lower[i] = (char)tolower((unsigned char)word[i]);
  for (size_t i = 0; i < commands_count; i++) {
    size_t letters = distance(lower, length, commands_table[i].name);
    if (letters >= best || letters >= strlen(commands_table[i].name) - 1) continue;
    best = letters;
    found = commands_table[i].name;
  }
  return found;
}
