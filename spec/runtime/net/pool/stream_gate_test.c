/* How many HTTP/2 connections a burst makes, against a libcurl of a few lines: it puts a request on the first
 * connection with a stream left, and otherwise asks for a socket. */
#include "net/pool/stream_gate.h"

#include "support/unit.h"

enum { REQUESTS = 64, CONNECTIONS = REQUESTS + 1 };

typedef struct {
  stream_gate gate;
  stream_ticket tickets[REQUESTS];
  size_t waiting, opened, streams[CONNECTIONS];
  size_t each; /* streams that the server allows on a connection */
} burst;

/* Its connection is the one of that number, which is its port. */
static void join(burst *b, stream_ticket *t, size_t number)
{
  stream_gate_attach(&b->gate, t, (uint16_t)number);
  b->streams[number]++;
}

static size_t with_stream_left(const burst *b)
{
  for (size_t i = 1; i <= b->opened; i++)
    if (b->streams[i] < b->each) return i;
  return 0;
}

/* Starts what may start; then libcurl deals with all of it, and the connection it makes is made. */
static bool turn(burst *b)
{
  stream_ticket *started[REQUESTS], *connecting = NULL;
  size_t count = 0, number;
  for (size_t i = 0; i < REQUESTS && b->waiting && stream_gate_lets_start(&b->gate); i++) {
    if (b->tickets[i].entered) continue;
    stream_gate_enter(&b->gate, started[count++] = &b->tickets[i]);
    b->waiting--;
  }
  for (size_t i = 0; i < count; i++) {
    if ((number = with_stream_left(b))) {
      join(b, started[i], number);
    } else if (stream_gate_may_connect(&b->gate, started[i], true)) {
      check(!connecting);
      connecting = started[i];
    } else {
      stream_gate_leave(&b->gate, started[i]);
      b->waiting++;
    }
  }
  if (connecting) join(b, connecting, ++b->opened);
  if (connecting) stream_gate_answered(&b->gate, connecting);
  return count > 0;
}

static void end_all(burst *b)
{
  for (size_t i = 0; i < REQUESTS; i++) {
    stream_ticket *t = &b->tickets[i];
    if (t->attached) b->streams[t->port]--;
    stream_gate_leave(&b->gate, t);
  }
  check(b->gate.pending == 0 && b->gate.connecting == 0);
}

static void makes_no_more_connections_than_needed(void)
{
  static const size_t allowed[] = {1, 8, 10, 63, 64, 100};
  for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
    burst b = {.each = allowed[i]};
    for (int round = 0; round < 3; round++) {
      b.waiting = REQUESTS;
      while (turn(&b)) {
      }
      check(b.waiting == 0);
      check(b.opened == (REQUESTS + b.each - 1) / b.each);
      end_all(&b);
    }
    stream_gate_free(&b.gate);
  }
}

static void lets_all_start_where_streams_are_left(void)
{
  burst b = {.each = 100, .waiting = 1};
  check(turn(&b));
  b.waiting = REQUESTS - 1;
  check(turn(&b) && b.waiting == 0 && b.opened == 1);
  end_all(&b);
  b.waiting = REQUESTS;
  check(turn(&b) && b.waiting == 0 && b.opened == 1);
  stream_gate_free(&b.gate);
}

static void gives_streams_back(void)
{
  burst b = {.each = 2, .waiting = 3};
  while (turn(&b)) {
  }
  check(b.opened == 2);
  b.streams[b.tickets[0].port]--;
  stream_gate_leave(&b.gate, &b.tickets[0]);
  stream_gate_leave(&b.gate, &b.tickets[0]); /* twice does no harm */
  b.waiting = 2;
  while (turn(&b)) {
  }
  check(b.waiting == 0 && b.opened == 2);
  stream_gate_free(&b.gate);
}

static void waits_for_one_that_makes_a_connection_unless_it_takes_long(void)
{
  stream_gate g = {0};
  stream_ticket tickets[4] = {{0}};
  stream_gate_enter(&g, &tickets[0]);
  check(stream_gate_may_connect(&g, &tickets[0], true));
  check(stream_gate_may_connect(&g, &tickets[0], true)); /* its next address */
  check(!stream_gate_lets_start(&g));
  stream_gate_widen(&g);
  check(stream_gate_lets_start(&g));
  stream_gate_enter(&g, &tickets[1]);
  check(stream_gate_may_connect(&g, &tickets[1], true) && !stream_gate_lets_start(&g));
  stream_gate_leave(&g, &tickets[0]); /* given up */
  check(stream_gate_lets_start(&g));
  stream_gate_attach(&g, &tickets[1], 1);
  check(stream_gate_lets_start(&g));
  stream_gate_free(&g);
}

static void forgets_a_connection_that_turns_out_to_be_gone(void)
{
  stream_gate g = {0};
  stream_ticket tickets[3] = {{0}};
  stream_gate_enter(&g, &tickets[0]);
  check(!tickets[0].rides && stream_gate_may_connect(&g, &tickets[0], true));
  stream_gate_attach(&g, &tickets[0], 1);
  stream_gate_leave(&g, &tickets[0]);
  stream_gate_enter(&g, &tickets[1]);
  stream_gate_enter(&g, &tickets[2]);
  check(tickets[1].rides && !stream_gate_may_connect(&g, &tickets[1], false));
  stream_gate_leave(&g, &tickets[1]);
  check(g.count == 0 && !stream_gate_lets_start(&g));
  stream_gate_leave(&g, &tickets[2]);
  stream_gate_enter(&g, &tickets[1]);
  check(!tickets[1].rides && stream_gate_may_connect(&g, &tickets[1], true));
  stream_gate_free(&g);
}

/* libcurl would put more on it than the server takes. */
static void fills_a_new_connection_only_as_far_as_the_others(void)
{
  burst b = {.each = 2, .waiting = 3};
  stream_ticket fourth = {0}, fifth = {0};
  while (turn(&b)) {
  }
  stream_gate_enter(&b.gate, &fourth);
  join(&b, &fourth, 2);
  stream_gate_enter(&b.gate, &fifth);
  check(stream_gate_may_connect(&b.gate, &fifth, true));
  stream_gate_attach(&b.gate, &fifth, 3);
  stream_ticket more[2] = {{0}};
  check(stream_gate_lets_start(&b.gate));
  stream_gate_enter(&b.gate, &more[0]);
  check(!stream_gate_lets_start(&b.gate));
  stream_gate_answered(&b.gate, &fourth);
  check(!stream_gate_lets_start(&b.gate));
  stream_gate_answered(&b.gate, &fifth);
  check(stream_gate_lets_start(&b.gate));
  stream_gate_free(&b.gate);
}

/* It asks for another socket; what the connection took is no limit to the next one. */
static void moves_a_request_whose_stream_was_refused(void)
{
  stream_gate g = {0};
  stream_ticket t = {0};
  stream_gate_enter(&g, &t);
  check(stream_gate_may_connect(&g, &t, true));
  stream_gate_attach(&g, &t, 1);
  check(stream_gate_may_connect(&g, &t, true) && g.pending == 1 && g.count == 0);
  stream_gate_attach(&g, &t, 2);
  check(g.pending == 0 && g.connections[0].port == 2 && g.connections[0].limit == SIZE_MAX);
  uint16_t port = 3;
  while (stream_gate_may_connect(&g, &t, true)) stream_gate_attach(&g, &t, port++);
  check(port < 8 && stream_gate_has_enough(&g));
  stream_gate_answered(&g, &t); /* another request */
  check(stream_gate_may_connect(&g, &t, true));
  stream_gate_free(&g);
}

int main(void)
{
  makes_no_more_connections_than_needed();
  lets_all_start_where_streams_are_left();
  gives_streams_back();
  waits_for_one_that_makes_a_connection_unless_it_takes_long();
  forgets_a_connection_that_turns_out_to_be_gone();
  fills_a_new_connection_only_as_far_as_the_others();
  moves_a_request_whose_stream_was_refused();
  return unit_end();
}
