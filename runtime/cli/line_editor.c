#include "line_editor.h"

#include "libedit.h"
#include "output.h"
#include "progress.h"
#include "terminal_input.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <uv.h>

enum {
  HISTORY_SIZE = 1000,    /* entries */
  MAX_PASTE = 256 * 1024, /* characters */
  REDRAW_AFTER = 15,      /* milliseconds after something was written above the line */
};

#define PASTE_ON  "\033[?2004h"
#define PASTE_OFF "\033[?2004l"

static line_editor_hooks hooks;
static EditLine *editor;
static History *entries;
static const char *prompt_text = "";
static bool is_dumb, reading, hidden, has_paste;
static volatile sig_atomic_t resized, continued;
static struct termios before; /* the terminal as it was found */
static uv_timer_t redraw;

static char *get_prompt(EditLine *el)
{
  (void)el;
  return (char *)(uintptr_t)prompt_text;
}

int line_editor_columns(void)
{
  struct winsize size;
  bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

/* ---- what stands on the terminal ---- */

static int width_of(wchar_t c, int column)
{
  if (c == L'\t') return 8 - column % 8;
  int width = wcwidth(c);
  return width >= 0 ? width : c < 32 || c == 127 ? 2 : 8; /* ^X; \U+0085 */
}

/* How many rows the cursor is below the first of the prompt's. */
static int rows_above_cursor(void)
{
  const LineInfoW *line = libedit.el_wline(editor);
  int columns = line_editor_columns(), rows = 0, column = (int)strlen(prompt_text);
  for (const wchar_t *c = line->buffer; c < line->cursor; c++) {
    int width = *c == L'\n' ? 0 : width_of(*c, column);
    if (*c == L'\n' || column + width > columns) {
      rows++;
      column = 0;
    }
    column += width;
  }
  return rows + column / columns;
}

static void on_redraw_due(uv_timer_t *timer) { uv_stop(timer->loop); }

void line_editor_hide(void)
{
  if (!reading || hidden) return;
  int rows = is_dumb ? 0 : rows_above_cursor();
  if (is_dumb)
    fputs("\n", stdout);
  else if (rows)
    fprintf(stdout, "\033[%dA\r\033[J", rows);
  else
    fputs("\r\033[J", stdout);
  fflush(stdout);
  hidden = true;
  uv_timer_start(&redraw, on_redraw_due, REDRAW_AFTER, 0);
}

bool line_editor_reading(void) { return reading; }

/* Only between two runs of the loop. */
static void show(void)
{
  if (!hidden) return;
  output_end_line();
  hidden = false;
  uv_timer_stop(&redraw);
  libedit.el_set(editor, EL_REFRESH);
  fflush(stdout);
}

void line_editor_wake(void) { terminal_input_wake(); }

void line_editor_resized(void)
{
  resized = true;
  terminal_input_wake();
}

void line_editor_continued(void)
{
  continued = true;
  terminal_input_wake();
}

static void heed_signals(void)
{
  if (continued) {
    continued = false;
    libedit.el_set(editor, EL_PREP_TERM, 1);
    hidden = true;
  }
  if (resized) {
    resized = false;
    line_editor_hide();
    libedit.el_resize(editor);
  }
}

static bool woken(void)
{
  heed_signals();
  if (hidden && !uv_is_active((uv_handle_t *)&redraw)) show();
  return hooks.interrupted();
}

/* ---- characters ---- */

static bool was_interrupted, has_ended;

static input_result next_character(wchar_t *character)
{
  input_result result = terminal_input_read(character, woken);
  if (result == INPUT_INTERRUPTED) was_interrupted = true;
  if (result == INPUT_ENDED) has_ended = true;
  return result;
}

/* EL_GETCFN */
static int get_character(EditLine *el, wchar_t *character)
{
  (void)el;
  fflush(stdout);
  input_result result = next_character(character);
  if (result == INPUT_CHARACTER) {
    show();
    return 1;
  }
  errno = EINTR;
  return result == INPUT_ENDED ? 0 : -1;
}

/* Bracketed paste: what comes until ESC [ 201 ~ is inserted, whatever it is. */
static unsigned char on_paste(EditLine *el, int key)
{
  (void)key;
  static const wchar_t end[] = L"\033[201~";
  enum { END = sizeof end / sizeof *end - 1 };
  size_t length = 0;
  wchar_t c, *text = malloc((MAX_PASTE + 1) * sizeof *text);
  if (!text) return CC_ERROR;
  while (next_character(&c) == INPUT_CHARACTER) {
    if (length == MAX_PASTE) length -= END; /* the rest is dropped, but for the end */
    text[length++] = c == L'\r' ? L'\n' : c;
    if (length < END || wmemcmp(text + length - END, end, END) != 0) continue;
    length -= END;
    break;
  }
  size_t kept = 0;
  for (size_t i = 0; i < length; i++)
    if (text[i] >= 32 || text[i] == L'\t' || (text[i] == L'\n' && !(i && text[i - 1] == L'\r')))
      text[kept++] = text[i];
  while (kept && text[kept - 1] == L'\n') kept--;
  text[kept] = 0;
  show();
  if (kept) libedit.el_winsertstr(el, text);
  free(text);
  return was_interrupted || has_ended ? CC_EOF : CC_REFRESH;
}

static char *narrow(const wchar_t *from, const wchar_t *to)
{
  size_t size = (size_t)(to - from) * MB_CUR_MAX + 1, used = 0;
  char *text = malloc(size);
  mbstate_t state = {0};
  for (; text && from < to; from++) {
    size_t got = wcrtomb(text + used, *from, &state);
    if (got != (size_t)-1) used += got;
  }
  if (text) text[used] = 0;
  return text;
}

static void insert(EditLine *el, const char *text)
{
  size_t length = strlen(text), used, count = 0;
  wchar_t *wide = malloc((length + 1) * sizeof *wide);
  if (!wide) return;
  for (; (used = terminal_input_decode(text, length, &wide[count])); text += used, length -= used) count++;
  wide[count] = 0;
  if (count) libedit.el_winsertstr(el, wide);
  free(wide);
}

static unsigned char on_tab(EditLine *el, int key)
{
  (void)key;
  const LineInfoW *info = libedit.el_wline(el);
  const char *insertion = "", *listing = "";
  char *line = narrow(info->buffer, info->cursor);
  if (!line) return CC_ERROR;
  hooks.complete(line, &insertion, &listing);
  free(line);
  if (*listing) {
    line_editor_hide();
    output_line(listing);
    show();
    return CC_NORM;
  }
  insert(el, insertion);
  return *insertion ? CC_REFRESH : CC_REFRESH_BEEP;
}

/* ---- open and close ---- */

/* Characters beyond ASCII are told to libedit by the locale. */
static void choose_locale(void)
{
  setlocale(LC_CTYPE, "");
  if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) setlocale(LC_CTYPE, "C.UTF-8");
}

void line_editor_restore_terminal(void)
{
  if (has_paste) {
    ssize_t written = write(STDOUT_FILENO, PASTE_OFF, sizeof PASTE_OFF - 1);
    (void)written;
  }
  tcsetattr(STDIN_FILENO, TCSANOW, &before);
}

static void bind_keys(void)
{
  static const char *const keys[][2] = {
      {"^R", "em-inc-search-prev"},   {"^W", "ed-delete-prev-word"},  {"\\033[3~", "ed-delete-next-char"},
      {"\\033[1~", "ed-move-to-beg"}, {"\\033[4~", "ed-move-to-end"}, {"\\033[H", "ed-move-to-beg"},
      {"\\033[F", "ed-move-to-end"},  {"\\033OH", "ed-move-to-beg"},  {"\\033OF", "ed-move-to-end"},
      {"\\033[1;5C", "em-next-word"}, {"\\033[1;5D", "ed-prev-word"}, {"\\033[200~", "lurcher-paste"},
      {"^I", "lurcher-complete"},
  };
  libedit.el_set(editor, EL_ADDFN, "lurcher-paste", "takes what is pasted", on_paste);
  libedit.el_set(editor, EL_ADDFN, "lurcher-complete", "completes the word", on_tab);
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
    libedit.el_set(editor, EL_BIND, keys[i][0], keys[i][1], NULL);
}

static bool has_words(const char *terminal) { return terminal && *terminal && strcmp(terminal, "dumb") != 0; }

static bool open_editor(void)
{
  HistEvent event;
  editor = libedit.el_init("lurcher", stdin, stdout, stderr);
  entries = libedit.history_init();
  if (!editor || !entries) return false;
  libedit.history(entries, &event, H_SETSIZE, HISTORY_SIZE);
  libedit.history(entries, &event, H_SETUNIQUE, 1);
  libedit.el_set(editor, EL_PROMPT, get_prompt);
  libedit.el_set(editor, EL_EDITOR, "emacs");
  libedit.el_set(editor, EL_HIST, libedit.history, entries);
  libedit.el_set(editor, EL_SIGNAL, 0);
  libedit.el_set(editor, EL_GETCFN, get_character);
  bind_keys();
  return true;
}

bool line_editor_open(lur_runtime *runtime, const line_editor_hooks *given)
{
  hooks = *given;
  if (!libedit_load()) return false;
  choose_locale();
  is_dumb = !has_words(getenv("TERM"));
  if (tcgetattr(STDIN_FILENO, &before) == 0) atexit(line_editor_restore_terminal);
  if (!terminal_input_open(runtime)) {
    output_report("the terminal cannot be watched");
    return false;
  }
  uv_timer_init(lur_loop(runtime), &redraw);
  uv_unref((uv_handle_t *)&redraw);
  if (open_editor()) return true;
  output_report("not enough memory for the prompt");
  line_editor_close();
  return false;
}

/* The editor itself stays until the process ends, which is soon: el_end loses the names of functions that
 * were added. */
void line_editor_close(void)
{
  uv_close((uv_handle_t *)&redraw, NULL);
  terminal_input_close();
  if (editor) libedit.el_set(editor, EL_PREP_TERM, 0);
}

/* ---- reading ---- */

static void switch_paste(bool on)
{
  if (is_dumb) return;
  has_paste = on;
  fputs(on ? PASTE_ON : PASTE_OFF, stdout);
}

line_result line_editor_read(const char *prompt, const char **text)
{
  static char *line;
  int length = 0;
  prompt_text = prompt;
  was_interrupted = has_ended = false;
  progress_end();
  output_end_line();
  continued = false;
  libedit.el_set(editor, EL_PREP_TERM, 1); /* before the prompt is there: what is typed at once is not lost */
  terminal_input_take_typed_ahead();
  switch_paste(true);
  reading = true;
  const char *read = libedit.el_gets(editor, &length);
  show();
  reading = false;
  switch_paste(false);
  fflush(stdout);
  if (was_interrupted) {
    fputs(is_dumb ? "^C\n" : "^C\n\033[J", stdout);
    terminal_input_drop();
    libedit.el_reset(editor);
    return LINE_INTERRUPTED;
  }
  if (has_ended || !read || length <= 0) {
    fputs("\n", stdout);
    return LINE_ENDED;
  }
  free(line);
  line = strdup(read);
  if (!line) return LINE_ENDED;
  size_t end = strlen(line);
  if (end && line[end - 1] == '\n') line[end - 1] = 0;
  *text = line;
  return LINE_READ;
}

void line_editor_remember(const char *entry)
{
  HistEvent event;
  libedit.history(entries, &event, H_ENTER, entry);
}
