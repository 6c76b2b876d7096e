/* One CURLM on the loop. It keeps its own connections; a pool spreads an origin over several multis, because
 * libcurl searches an origin's connections one by one. */
#ifndef LURCHER_NET_MULTI_H
#define LURCHER_NET_MULTI_H

#include "core/loop/loop.h"
#include "net/curl/multi_job.h"
#include "net/curl/resting.h"
#include "net/curl/watcher.h"

/* What all multis of one runtime share; their owner's, who keeps it in place and frees the table. */
typedef struct multi_shared multi_shared;

struct multi_shared {
  loop *loop;
  watcher_table watchers;
  resting_sockets resting;
  failed_addresses failed;
  uint64_t
      starving_since; /* socket() has failed for want of a descriptor each time since; 0: the last did not */
  void (*on_no_descriptor)(multi_shared *s);    /* socket() failed for want of one; libcurl is running */
  void (*on_descriptor_freed)(multi_shared *s); /* a socket was closed; libcurl is running */
};

typedef struct multi {
  multi_shared *shared;
  const loop_clock *time; /* of its pool; libcurl's own timer is always on the real one */
  CURLM *handle;          /* NULL while nothing was ever sent, or since its idle connections were closed */
  timer timer, unmute, expiry;
  deferred action;      /* libcurl asked for a call at once: one after this batch */
  deferred look_again;  /* at `drained` */
  unsigned calls;       /* of curl_multi_socket_action so far */
  multi_job *lost;      /* jobs to be woken */
  bool removing;        /* a job, whose attempts to connect are not lost but given up */
  watcher *new_sockets; /* made in the current call */
  unsigned uploads;     /* counted by the jobs: how often libcurl took bytes of a request's body */
  int streamed;    /* local port of the connection over which long HTTP/2 bodies came in the current call; 0:
                      none;    MANY_PORTS */
  uint16_t *begun; /* local ports of the connections over which exchanges began in the current call */
  size_t begun_count, begun_capacity;
  unsigned received;  /* counted by the jobs: pieces of heads and bodies of HTTP/2 */
  watcher *ahead;     /* those whose TLS sessions read ahead */
  watcher *drained;   /* over which such bytes came, to be looked at again */
  size_t in_flight;   /* jobs added */
  size_t sockets;     /* open sockets */
  size_t ended;       /* sockets shut down by us that libcurl has not closed yet */
  bool no_descriptor; /* socket() failed for want of a descriptor during the current curl_multi_socket_action
                       */
  size_t max_connections; /* kept open, idle or not */
  uint64_t idle_since;    /* time of the last job's end */
} multi;

/* `max_connections`: kept open, idle or not. */
void multi_init(multi *m, multi_shared *shared, const loop_clock *time, size_t max_connections);

/* Gives an easy handle, whose CURLOPT_PRIVATE is its job, to libcurl; the job's class is told of the
 * end. Not from within a libcurl callback. False: libcurl refused (out of memory). */
bool multi_add(multi *m, multi_job *job, CURL *easy);

/* Takes a job's handle back, before it finished or after. Not from within a libcurl callback. */
void multi_remove(multi *m, multi_job *job);

/* Closes every connection, unless a job runs. Not from within a libcurl callback. */
void multi_close_idle(multi *m);

/* The connection of `easy`, which has CURLOPT_CONNECT_ONLY and whose job has finished, is its user's from now
 * on: `on_event` is called for what multi_watch_taken asks for, with `user` as the handle's data. The watcher
 * is gone when the job is removed. NULL: there is no connection. Not from within a libcurl callback. */
watcher *multi_take_socket(multi *m, CURL *easy, void *user);

/* The same for a socket that libcurl has nothing to do with; to be closed by watcher_close. */
watcher *multi_take_detached(multi_shared *s, int fd, void *user);

void multi_watch_taken(watcher *w, int events, uv_poll_cb on_event);

/* Bytes of an HTTP/2 response's body come over the connection with that local port, so many that libcurl may
 * not hand on all that it has read. May be called by libcurl's callbacks. */
void multi_note_streamed(multi *m, int local_port);

/* Connections that may be used, idle or not. */
static inline size_t multi_connections(const multi *m) { return m->sockets - m->ended; }

/* Sets the callbacks for sockets on an easy handle that will run here. */
void multi_set_options(multi *m, CURL *easy);

#endif
