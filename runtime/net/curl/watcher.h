/* One uv_poll_t for each socket, kept from the first interest until the socket closes.
 *
 * libcurl announces "remove" and a new interest at every transfer on a reused connection. Following it would
 * cost six epoll_ctl calls per request, so "remove" only notes that nothing is wanted, and only what is
 * missing is armed. */
#ifndef LURCHER_NET_WATCHER_H
#define LURCHER_NET_WATCHER_H

#include "net/curl/failed_addresses.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

struct multi;

typedef enum {
  WATCHER_LOOKUP,     /* no connection: libcurl made it to hear of the end of a name lookup in a thread */
  WATCHER_CONNECTING, /* made by our open-socket callback; until it is connected, libcurl closes it untold */
  WATCHER_ACTIVE,     /* connected, in use; from now on our close-socket callback ends it */
  WATCHER_IDLE,       /* no transfer uses the connection: what comes now, nobody asked for */
  WATCHER_TAKEN,      /* its job's user reads and writes: multi_take_socket */
  WATCHER_ENDED       /* shut down by us: libcurl will find it closed and close it */
} watcher_state;

typedef struct watcher {
  uv_poll_t poll;
  struct multi *multi;          /* whose connection it is; NULL: libcurl's it is none */
  struct multi_job *job;        /* for which it was made; NULL: that has its connection, or is over */
  struct watcher *next_new;     /* among the sockets made in libcurl's current call */
  struct watcher *next_drained; /* among the multi's `drained` */
  union {
    failed_address address; /* of the peer, while its job connects */
    struct {                /* afterwards, with reads_ahead */
      struct watcher *next; /* among the multi's `ahead` */
      void *session;        /* its TLS session, which reads ahead: libcurl's */
      unsigned received;    /* the multi's count when it was last asked for more */
    } ahead;
  };
  uint64_t due;   /* while it is idle: time of the pool's clock when it ends; 0: not by itself */
  uint64_t heard; /* time of the loop when it last became readable */
  uint32_t inode; /* which socket it is, whatever the number `fd` stands for now */
  int fd;
  uint16_t local_port; /* 0: not known yet */
  uint8_t state : 3;   /* a watcher_state */
  bool muted : 1;      /* not watched for becoming writable, though libcurl wants that */
  bool reads_ahead : 1;
  uint8_t wanted : 4; /* UV_READABLE | UV_WRITABLE as libcurl has it now; 0 between transfers */
  uint8_t armed : 4;  /* what epoll watches */
  uint8_t futile;     /* times in a row that it became writable and nothing was sent */
  uint8_t looks;      /* to be taken at it as one of the drained; 0: it is none */
  uint8_t place;      /* among the resting, from 1; 0: none, or it has lost it */
} watcher;

typedef struct {
  watcher **by_fd;
  size_t capacity;
  int *by_port; /* descriptor + 1 of the watcher that last had a port with these low bits; NULL: none had */
  size_t ports; /* entries there, a power of two */
} watcher_table;

/* The watcher of `fd`, made when missing. NULL: out of memory, or the kernel cannot poll it. */
watcher *watcher_open(watcher_table *table, uv_loop_t *uv, int fd);

/* The watcher of `fd`, or NULL. */
watcher *watcher_find(const watcher_table *table, int fd);

/* Notes the local port of its connection. */
void watcher_note_port(watcher_table *table, watcher *w, uint16_t port);

/* A watcher of `m` with that local port, which was noted; or NULL. */
watcher *watcher_find_port(const watcher_table *table, const struct multi *m, int port);

/* Whether the descriptor still is the socket it was when it was opened. A number alone tells nothing: another
 * thread may have been given it since the socket was closed. */
bool watcher_is_open(const watcher *w);

/* Notes what libcurl waits for on it (0: nothing) and arms what is missing. */
void watcher_want(watcher *w, int events, uv_poll_cb on_event);

/* Stops watching; called before the socket closes, or in the same call of libcurl in which it was: later this
 * loop may have the number in use for something else. */
void watcher_close(watcher_table *table, int fd);

void watcher_table_free(watcher_table *table);

/* One that was ended or taken stays so, whatever libcurl does before it finds out. */
void watcher_set_state(watcher *w, watcher_state state);

#endif
