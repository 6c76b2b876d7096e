#include "script/task/task_busy.h"

#include "script/task/task_report.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
  lur_task *task;
  double seconds;
} busy;

static int warn(lua_State *L)
{
  const busy *b = lua_touserdata(L, 1);
  lur_task *t = b->task;
  char at[128];
  if (t->runtime->options.log_level < LUR_LOG_WARN) return 0;
  report_position(t->waiting ? t->waits_in : t->L, at, sizeof at);
  if (!*at && t->line < 0) snprintf(at, sizeof at, "%s:%d", t->source, -t->line); /* the script's last line */
  lua_pushinteger(L, (lua_Integer)t->id);
  lua_pushnumber(L, b->seconds);
  lua_pushstring(L, at);
  if (t->line > 0)
    lua_pushfstring(L, "%s:%d", t->source, t->line);
  else
    lua_pushliteral(L, "");
  report_ask(L, "busy", 4);
  return 0;
}

/* Nanoseconds that this thread was ready to run while others had the processors: the second number of what
 * Linux tells of it. 0: not known. A task that computes and one that blocks in a system call hold the loop;
 * one that the system does not let run does not, and the processor's time alone cannot tell the last two
 * apart. */
static uint64_t starved_for(void)
{
  char text[64] = "", *second;
  int fd = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  return length > 0 && (second = strchr(text, ' ')) ? strtoull(second, NULL, 10) : 0;
}

uint64_t busy_note_starved(lur_runtime *rt)
{
  rt->starved = starved_for();
  return rt->starved_at = busy_clock();
}

void busy_warn(lur_task *t)
{
  lur_runtime *rt = t->runtime;
  uint64_t starved = starved_for(), held = rt->stopped_at - rt->resumed_at;
  starved = starved > rt->starved ? starved - rt->starved : 0;
  if (starved + BUSY_LIMIT >= held) return;
  busy b = {t, (double)(held - starved) / NANOSECONDS};
  if (lua_cpcall(t->runtime->L, warn, &b) != 0) lua_pop(t->runtime->L, 1);
}

/* ---- from signal handlers ---- */

typedef struct {
  char *at, *end;
} safe_text;

static void add(safe_text *text, const char *words)
{
  while (*words && text->at < text->end) *text->at++ = *words++;
  *text->at = 0;
}

static void add_number(safe_text *text, uint64_t number)
{
  char digits[24], *first = digits + sizeof digits - 1;
  *first = 0;
  do *--first = (char)('0' + number % 10);
  while (number /= 10);
  add(text, first);
}

double lur_busy(const lur_runtime *rt, char *text, size_t size)
{
  if (!rt || !text || size == 0) return 0;
  safe_text out = {text, text + size - 1};
  *text = 0;
  const lur_task *t = rt->current;
  if (!t) return 0;
  uint64_t now = busy_clock(), held = now > rt->resumed_at ? now - rt->resumed_at : 0;
  add(&out, t->line < 0 ? "the main task" : "task ");
  if (t->line >= 0) add_number(&out, t->id);
  if (t->source[0]) add(&out, t->line > 0 ? " (spawned at " : " (");
  if (t->source[0]) add(&out, t->source);
  if (t->line > 0) add(&out, ":");
  if (t->line > 0) add_number(&out, (uint64_t)t->line);
  if (t->source[0]) add(&out, ")");
  return (double)held / NANOSECONDS;
}
