/* Finds watchers by the local port of their connection. */
#include "net/curl/watcher.h"

#include "support/unit.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct multi {
  int unused;
};

enum { MANY = 300 }; /* more than the table begins with */

static uv_loop_t loop;
static watcher_table table;
static struct multi first, second;

static watcher *open_watcher(struct multi *m, uint16_t port)
{
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  watcher *w = watcher_open(&table, &loop, fd);
  check(w != NULL);
  w->multi = m;
  watcher_note_port(&table, w, port);
  return w;
}

static void close_watcher(watcher *w)
{
  int fd = w->fd;
  watcher_close(&table, fd);
  close(fd);
}

static void close_all(void)
{
  for (size_t fd = 0; fd < table.capacity; fd++)
    if (table.by_fd[fd]) close_watcher(table.by_fd[fd]);
  uv_run(&loop, UV_RUN_DEFAULT);
  watcher_table_free(&table);
}

static void finds_a_port(void)
{
  check(!watcher_find_port(&table, &first, 4242));
  watcher *w = open_watcher(&first, 4242);
  check(watcher_find_port(&table, &first, 4242) == w);
  check(!watcher_find_port(&table, &first, 4243));
  check(!watcher_find_port(&table, &first, 0));
  check(!watcher_find_port(&table, &first, -1));
  close_watcher(w);
  check(!watcher_find_port(&table, &first, 4242));
  close_all();
}

static void tells_ports_with_the_same_low_bits_apart(void)
{
  watcher *w[] = {open_watcher(&first, 1024), open_watcher(&first, 2048), open_watcher(&first, 65535)};
  for (int i = 0; i < 3; i++) check(watcher_find_port(&table, &first, w[i]->local_port) == w[i]);
  check(!watcher_find_port(&table, &first, 4096));
  close_all();
}

static void tells_the_same_port_of_two_multis_apart(void)
{
  watcher *a = open_watcher(&first, 5000), *b = open_watcher(&second, 5000);
  check(watcher_find_port(&table, &first, 5000) == a);
  check(watcher_find_port(&table, &second, 5000) == b);
  close_all();
}

static void finds_all_after_the_table_grew(void)
{
  for (int i = 0; i < MANY; i++) open_watcher(&first, (uint16_t)(30000 + i));
  for (int i = 0; i < MANY; i++) {
    watcher *w = watcher_find_port(&table, &first, 30000 + i);
    check(w && w->local_port == 30000 + i);
  }
  close_all();
}

int main(void)
{
  check(uv_loop_init(&loop) == 0);
  finds_a_port();
  tells_ports_with_the_same_low_bits_apart();
  tells_the_same_port_of_two_multis_apart();
  finds_all_after_the_table_grew();
  check(uv_loop_close(&loop) == 0);
  return unit_end();
}
