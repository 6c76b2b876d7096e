/* Looks at sockets that rest, on a clock of the test's own. */
#include "net/curl/resting.h"

#include "support/unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MICROSECOND = 1000, SOCKETS = 3 };

static uv_loop_t loop;
static watcher_table table;
static resting_sockets resting;
static watcher *watchers[SOCKETS];
static int peers[SOCKETS];

static void open_sockets(void)
{
  check(uv_loop_init(&loop) == 0);
  memset(&resting, 0, sizeof resting);
  for (int i = 0; i < SOCKETS; i++) {
    int pair[2];
    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    watchers[i] = watcher_open(&table, &loop, pair[0]);
    watchers[i]->state = WATCHER_IDLE;
    peers[i] = pair[1];
  }
}

static void close_sockets(void)
{
  for (int i = 0; i < SOCKETS; i++) {
    int fd = watchers[i] ? watchers[i]->fd : -1;
    if (fd < 0) continue;
    watcher_close(&table, fd);
    close(fd);
    close(peers[i]);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  check(uv_loop_close(&loop) == 0);
  watcher_table_free(&table);
}

static bool is_quiet(int i, uint64_t now) { return resting_is_quiet(&resting, &table, watchers[i], now); }
static void send_to(int i) { check(write(peers[i], "x", 1) == 1); }

static void tells_what_can_be_read(void)
{
  open_sockets();
  for (int i = 0; i < SOCKETS; i++) resting_add(&resting, watchers[i]);
  send_to(1);
  close(peers[2]);
  check(is_quiet(0, 2));
  check(!is_quiet(1, 2));
  check(!is_quiet(2, 2));
  close_sockets();
}

static void looks_at_all_of_them_at_once(void)
{
  open_sockets();
  for (int i = 0; i < 2; i++) resting_add(&resting, watchers[i]);
  check(is_quiet(0, 2));
  send_to(1);
  check(is_quiet(1, 2 + 499 * MICROSECOND)); /* the same look */
  close_sockets();
}

static void looks_again_after_a_moment(void)
{
  open_sockets();
  for (int i = 0; i < 2; i++) resting_add(&resting, watchers[i]);
  check(is_quiet(0, 2));
  send_to(1);
  check(!is_quiet(1, 2 + 501 * MICROSECOND));
  close_sockets();
}

static void looks_anew_at_each_use(void)
{
  open_sockets();
  check(is_quiet(0, 1)); /* one that nobody said rests */
  send_to(0);
  check(!is_quiet(0, 2));
  resting_add(&resting, watchers[1]);
  check(is_quiet(1, 3));
  send_to(1);
  resting_add(&resting, watchers[1]);
  check(!is_quiet(1, 5));
  close_sockets();
}

/* A look costs by their number. */
static void leaves_out_who_is_in_use_or_rests_for_long(void)
{
  open_sockets();
  for (int i = 0; i < SOCKETS; i++) resting_add(&resting, watchers[i]);
  for (int i = 0; i < 2 * MAX_RESTING; i++) resting_add(&resting, watchers[i % 2 + 1]);
  watchers[1]->state = WATCHER_ACTIVE;
  check(is_quiet(2, 1));
  watchers[1]->state = WATCHER_IDLE;
  for (int i = 0; i < 2; i++) send_to(i);
  for (int i = 0; i < 2; i++) check(!is_quiet(i, 2));
  close_sockets();
}

/* The place of the first is another's when it is asked for. */
static void forgets_the_oldest_of_many(void)
{
  open_sockets();
  for (int i = 0; i < 3; i++) resting_add(&resting, watchers[i]);
  for (int i = 0; i < MAX_RESTING; i++) {
    watchers[1]->place = 0;
    resting_add(&resting, watchers[1]);
  }
  send_to(2);
  check(is_quiet(0, 2) && is_quiet(1, 2) && !is_quiet(2, 2));
  close_sockets();
}

static void survives_the_end_of_a_socket(void)
{
  open_sockets();
  for (int i = 0; i < 2; i++) resting_add(&resting, watchers[i]);
  int fd = watchers[1]->fd;
  watcher_close(&table, fd);
  close(fd);
  close(peers[1]);
  watchers[1] = NULL;
  check(is_quiet(0, 2));
  close_sockets();
}

int main(void)
{
  tells_what_can_be_read();
  looks_at_all_of_them_at_once();
  looks_again_after_a_moment();
  looks_anew_at_each_use();
  leaves_out_who_is_in_use_or_rests_for_long();
  forgets_the_oldest_of_many();
  survives_the_end_of_a_socket();
  return unit_end();
}
