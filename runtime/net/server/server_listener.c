#include "net/server/server_listener.h"

#include "core/file/guarded.h"

#include "core/container_of.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

typedef union {
  struct sockaddr any;
  struct sockaddr_in v4;
  struct sockaddr_in6 v6;
  struct sockaddr_un local;
} address;

static void watch(server_listener *l);

static void unref_listener(server_listener *l)
{
  if (--l->references > 0) return;
  if (l->tls) tls_server_unref(l->tls);
  socket_group_unref(l->group);
  free(l->path);
  free(l);
}

static void on_listener_poll_closed(uv_handle_t *handle) { unref_listener(handle->data); }

static void on_paused(timer *t) { watch(container_of(t, server_listener, pause)); }

static void on_listener_poll(uv_poll_t *poll, int status, int events)
{
  server_listener *l = poll->data;
  loop_event(l->group->loop);
  (void)events;
  if (status < 0) l->armed = false;
  while (l->count < LISTENER_QUEUE) {
    int fd = accept4(l->socket, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      l->queue[(l->first + l->count++) % LISTENER_QUEUE] = fd;
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno != EAGAIN && errno != EWOULDBLOCK) {
      /* Out of descriptors or memory: the connection stays in the kernel's queue until some are free. */
      uint64_t due = loop_now(l->group->loop) + 50 * MILLISECOND;
      clock_start(&l->group->loop->real, &l->pause, due, on_paused);
    }
    break;
  }
  if (l->count) operation_complete(&l->accepting);
  watch(l);
}

static void watch(server_listener *l)
{
  bool wanted = l->count < LISTENER_QUEUE && !timer_active(&l->pause);
  if (wanted == l->armed) return;
  l->armed = wanted;
  if (wanted)
    uv_poll_start(&l->poll, UV_READABLE, on_listener_poll);
  else
    uv_poll_stop(&l->poll);
}

static int make_internet_address(address *a, socklen_t *size, const char *host, int port)
{
  if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
    a->v4.sin_family = AF_INET;
    a->v4.sin_port = htons((uint16_t)port);
    *size = sizeof a->v4;
  } else if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
    a->v6.sin6_family = AF_INET6;
    a->v6.sin6_port = htons((uint16_t)port);
    *size = sizeof a->v6;
  } else {
    return EINVAL;
  }
  return 0;
}

/* A guarded path's folder is held in *place, so that no link leads elsewhere. */
static int make_address(address *a, socklen_t *size, const char *host, int port, const char *path,
                        guarded_place *place)
{
  memset(a, 0, sizeof *a);
  *place = (guarded_place){.folder = AT_FDCWD};
  if (!path) return make_internet_address(a, size, host, port);
  if (!guarded_place_find(place, path)) return errno;
  size_t room = sizeof a->local.sun_path;
  bool is_held = place->folder >= 0;
  if (strlen(guarded_name(path)) >= room) return ENAMETOOLONG; /* its clients could not name it */
  int length = is_held ? snprintf(a->local.sun_path, room, "/proc/self/fd/%d/%s", place->folder, place->name)
                       : snprintf(a->local.sun_path, room, "%s", path);
  a->local.sun_family = AF_UNIX;
  *size = sizeof a->local;
  return (size_t)length < room ? 0 : ENAMETOOLONG;
}

/* Returns a listening socket and sets `a` to where it listens; -1 with errno. */
static int open_socket(address *a, socklen_t size)
{
  int yes = 1, family = a->any.sa_family;
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (!bind(fd, &a->any, size) && !listen(fd, SOMAXCONN) &&
      (family == AF_UNIX || !getsockname(fd, &a->any, &size)))
    return fd;
  int number = errno;
  close(fd);
  errno = number;
  return -1;
}

static void on_listener_group_closes(socket_member *m)
{
  server_listener_close(container_of(m, server_listener, member));
}

server_listener *server_listener_new(socket_group *g, const char *host, int port, const char *path,
                                     tls_server *tls, error *e)
{
  address a;
  socklen_t size = 0;
  guarded_place place;
  int fd = -1, number = make_address(&a, &size, host, port, path, &place);
  server_listener *l = NULL;
  if (!number && (fd = open_socket(&a, size)) < 0) number = errno;
  guarded_place_leave(&place, 0);
  if (number) goto fail;
  number = ENOMEM;
  if (g->closed || !(l = calloc(1, sizeof *l))) goto fail;
  if (path && !(l->path = strdup(path))) goto fail;
  if (uv_poll_init(g->loop->uv, &l->poll, fd)) goto fail;
  uv_unref((uv_handle_t *)&l->poll);
  l->poll.data = l;
  l->group = g;
  l->tls = tls ? tls_server_ref(tls) : NULL;
  l->socket = fd;
  l->port = path ? 0 : ntohs(a.any.sa_family == AF_INET ? a.v4.sin_port : a.v6.sin6_port);
  l->references = 2; /* the caller's and the poll handle's */
  socket_group_add(g, &l->member, on_listener_group_closes);
  l->local.port = l->port;
  l->local.path = l->path ? guarded_name(l->path) : NULL;
  local_server_add(g->loop, &l->local);
  watch(l);
  return l;
fail:
  if (fd >= 0) close(fd);
  if (l) free(l->path);
  free(l);
  if (path)
    error_set(e, ERROR_connect, NULL, "cannot listen on the Unix socket %s: %s", guarded_name(path),
              strerror(number));
  else
    error_set(e, ERROR_connect, NULL, "cannot listen on %s port %d: %s", host, port,
              number == EINVAL ? "that is no address, as 127.0.0.1 is one" : strerror(number));
  e->code = uv_err_name(uv_translate_sys_error(number));
  return NULL;
}

int server_listener_take(server_listener *l)
{
  if (l->count == 0) return -1;
  int fd = l->queue[l->first];
  l->first = (l->first + 1) % LISTENER_QUEUE;
  l->count--;
  watch(l);
  return fd;
}

static void abandon_accept(operation *op) { unref_listener(container_of(op, server_listener, accepting)); }

static const operation_class accept_class = {"accept a connection", abandon_accept};

operation *server_listener_wait(server_listener *l)
{
  l->references++;
  operation_begin(&l->accepting, &accept_class, l->group->loop, true);
  return &l->accepting;
}

void server_listener_done(server_listener *l, operation *op)
{
  operation_reset(op);
  unref_listener(l);
}

void server_listener_close(server_listener *l)
{
  if (l->socket < 0) return;
  timer_stop(&l->pause);
  socket_group_remove(&l->member);
  local_server_remove(&l->local);
  uv_close((uv_handle_t *)&l->poll, on_listener_poll_closed);
  close(l->socket);
  l->socket = -1;
  while (l->count) {
    close(l->queue[l->first]);
    l->first = (l->first + 1) % LISTENER_QUEUE;
    l->count--;
  }
  if (l->path) guarded_unlink(l->path);
  if (l->accepting.state == OPERATION_PENDING) operation_complete(&l->accepting);
}

void server_listener_release(server_listener *l)
{
  server_listener_close(l);
  unref_listener(l);
}
