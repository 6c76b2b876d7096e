#include "net/server/server_connection.h"

#include "support/unit.h"

#include <sys/socket.h>
#include <unistd.h>

static loop l;
static socket_group *group;
static server_connection *c;
static int peer;
static bool closed;

static void on_ready(operation *op, void *user)
{
  (void)op;
  (void)user;
}

static void on_closed(void *user)
{
  (void)user;
  closed = true;
}

static void open_all(void)
{
  int sockets[2];
  loop_init(&l, NULL, NULL);
  l.on_ready = on_ready;
  group = socket_group_new(&l);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sockets);
  peer = sockets[1];
  c = server_connection_new(group, sockets[0], NULL);
}

static void close_all(void)
{
  server_connection_release(c);
  socket_group_close(group);
  socket_group_unref(group);
  if (peer >= 0) close(peer);
  closed = false;
  loop_close(&l, on_closed);
  loop_run(&l);
  loop_deinit(&l);
  check(closed);
}

/* Lets what is under way arrive. */
static void turn(void)
{
  loop_hold(&l);
  for (int i = 0; i < 4; i++) uv_run(l.uv, UV_RUN_NOWAIT);
  loop_release(&l);
}

static connection_state look(connection_want want, size_t amount, size_t *length)
{
  turn();
  return server_connection_look(c, want, amount, length);
}

static void send_text(const char *text) { check(write(peer, text, strlen(text)) == (ssize_t)strlen(text)); }

/* What the peer gets: a length, 0 at the end, -1 when there is nothing yet. */
static ssize_t get(char *text, size_t size)
{
  turn();
  ssize_t n = read(peer, text, size - 1);
  text[n > 0 ? n : 0] = 0;
  return n;
}

static void gives_what_came_before_the_end(void)
{
  size_t length;
  open_all();
  check(look(CONNECTION_LINE, 100, &length) == CONNECTION_WAITING);
  send_text("one\ntw");
  check(look(CONNECTION_LINE, 100, &length) == CONNECTION_THERE && length == 4);
  server_connection_consume(c, length);
  shutdown(peer, SHUT_WR);
  check(look(CONNECTION_LINE, 100, &length) == CONNECTION_ENDED && length == 2);
  check(c->from_peer == INPUT_ENDED && server_connection_peer_gone(c));
  check(server_connection_write_state(c) == CONNECTION_THERE); /* the peer still listens */
  close_all();
}

static void half_closes_after_what_was_written(void)
{
  char text[16];
  size_t length;
  open_all();
  check(server_connection_write(c, "bye", 3));
  server_connection_half_close(c);
  check(get(text, sizeof text) == 3 && get(text, sizeof text) == 0);
  check(c->to_peer == OUTPUT_FINISHED && c->from_peer == INPUT_OPEN);
  check(server_connection_write_state(c) == CONNECTION_CLOSED && !server_connection_write(c, "x", 1));
  send_text("more");
  check(look(CONNECTION_EXACTLY, 4, &length) == CONNECTION_THERE);
  close_all();
}

static void drops_what_comes_after_it_was_closed(void)
{
  char text[16];
  size_t length;
  open_all();
  send_text("unread");
  turn();
  server_connection_close(c, CONNECTION_CLOSE_FIN);
  check(c->from_peer == INPUT_DROPPED && look(CONNECTION_ANY, 10, &length) == CONNECTION_CLOSED);
  send_text("and more"); /* no RST, which would lose what was sent to the peer */
  check(get(text, sizeof text) == 0 && c->socket >= 0);
  shutdown(peer, SHUT_WR);
  turn();
  check(c->from_peer == INPUT_OVER && c->socket < 0);
  close_all();
}

static void ends_at_once_when_the_peer_had_ended(void)
{
  open_all();
  shutdown(peer, SHUT_WR);
  turn();
  server_connection_close(c, CONNECTION_CLOSE_FIN);
  check(c->from_peer == INPUT_OVER && c->socket < 0);
  close_all();
}

static void fails_when_the_socket_does(void)
{
  size_t length;
  open_all();
  close(peer);
  peer = -1;
  server_connection_write(c, "x", 1);
  check(look(CONNECTION_ANY, 10, &length) == CONNECTION_FAILED && c->from_peer == INPUT_FAILED);
  check(c->fault_kind == ERROR_closed && server_connection_flushed(c));
  check(server_connection_write_state(c) == CONNECTION_FAILED);
  close_all();
}

static void resets_without_sending_the_rest(void)
{
  open_all();
  server_connection_close(c, CONNECTION_CLOSE_RESET);
  check(c->socket < 0 && c->from_peer == INPUT_OVER);
  server_connection_close(c, CONNECTION_CLOSE_FIN);
  server_connection_half_close(c);
  check(server_connection_write_state(c) == CONNECTION_CLOSED);
  close_all();
}

int main(void)
{
  gives_what_came_before_the_end();
  half_closes_after_what_was_written();
  drops_what_comes_after_it_was_closed();
  ends_at_once_when_the_peer_had_ended();
  fails_when_the_socket_does();
  resets_without_sending_the_rest();
  return unit_end();
}
