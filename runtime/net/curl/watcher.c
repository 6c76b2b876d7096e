#include "net/curl/watcher.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_PORTS = UINT16_MAX + 1 };

static int *port_entry(const watcher_table *table, int port)
{
  return &table->by_port[(size_t)port & (table->ports - 1)];
}

static bool make_room(watcher_table *table, size_t index)
{
  if (index < table->capacity) return true;
  size_t capacity = table->capacity ? table->capacity : 256;
  while (capacity <= index) capacity *= 2;
  watcher **grown = realloc(table->by_fd, capacity * sizeof *grown);
  if (!grown) return false;
  memset(grown + table->capacity, 0, (capacity - table->capacity) * sizeof *grown);
  table->by_fd = grown;
  table->capacity = capacity;
  free(table->by_port); /* for a larger one, with the next port that is noted */
  table->by_port = NULL;
  return true;
}

watcher *watcher_find(const watcher_table *table, int fd)
{
  return fd >= 0 && (size_t)fd < table->capacity ? table->by_fd[fd] : NULL;
}

/* There is one for each connection. With one byte more, mimalloc would take 64 more for each. */
_Static_assert(sizeof(watcher) <= 256, "a watcher has outgrown the allocator's class");

watcher *watcher_open(watcher_table *table, uv_loop_t *uv, int fd)
{
  watcher *w = watcher_find(table, fd);
  if (w) return w;
  if (fd < 0 || !make_room(table, (size_t)fd)) return NULL;
  w = calloc(1, sizeof *w);
  if (!w) return NULL;
  if (uv_poll_init_socket(uv, &w->poll, fd)) {
    free(w);
    return NULL;
  }
  /* Transfers hold the loop themselves; an idle connection must not. */
  uv_unref((uv_handle_t *)&w->poll);
  struct stat status = {0};
  fstat(fd, &status);
  w->fd = fd;
  w->inode = (uint32_t)status.st_ino; /* those of sockets are no longer */
  table->by_fd[fd] = w;
  return w;
}

/* Of a few connections hardly two share an entry, and of many each port has its own. All of that for a script
 * of one request would be 256 KB to clear. */
static void make_ports(watcher_table *table)
{
  table->ports = table->capacity < MAX_PORTS / 4 ? 4 * table->capacity : MAX_PORTS;
  table->by_port = calloc(table->ports, sizeof *table->by_port);
  for (size_t fd = 0; table->by_port && fd < table->capacity; fd++) {
    watcher *w = table->by_fd[fd];
    if (w && w->local_port) *port_entry(table, w->local_port) = w->fd + 1;
  }
}

void watcher_note_port(watcher_table *table, watcher *w, uint16_t port)
{
  w->local_port = port;
  if (!table->by_port) make_ports(table);
  if (table->by_port) *port_entry(table, port) = w->fd + 1;
}

/* Connections to different peers may share a port, and two ports an entry. */
watcher *watcher_find_port(const watcher_table *table, const struct multi *m, int port)
{
  watcher *w = table->by_port && port > 0 ? watcher_find(table, *port_entry(table, port) - 1) : NULL;
  if (w && w->multi == m && w->local_port == port) return w;
  for (size_t fd = 0; fd < table->capacity; fd++) {
    w = table->by_fd[fd];
    if (w && w->multi == m && w->local_port == port) return w;
  }
  return NULL;
}

bool watcher_is_open(const watcher *w)
{
  struct stat status;
  return fstat(w->fd, &status) == 0 && S_ISSOCK(status.st_mode) && (uint32_t)status.st_ino == w->inode;
}

void watcher_want(watcher *w, int events, uv_poll_cb on_event)
{
  w->wanted = (uint8_t)(events & 0xf);
  if ((w->armed & events) == events) return;
  w->armed = (uint8_t)(events & 0xf);
  uv_poll_start(&w->poll, events, on_event);
}

void watcher_set_state(watcher *w, watcher_state state)
{
  if (w->state < WATCHER_TAKEN) w->state = (uint8_t)state & 7;
}

static void on_closed(uv_handle_t *handle) { free(handle); }

void watcher_close(watcher_table *table, int fd)
{
  watcher *w = watcher_find(table, fd);
  if (!w) return;
  table->by_fd[fd] = NULL;
  uv_poll_stop(&w->poll);
  uv_close((uv_handle_t *)&w->poll, on_closed);
}

void watcher_table_free(watcher_table *table)
{
  free(table->by_fd);
  free(table->by_port);
  *table = (watcher_table){0};
}
