#include "net/transfer/transfer_permit.h"

#include "core/file/file.h"
#include "core/file/guarded.h"
#include "core/file/guarded_path.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { NAME_SIZE = 256 };

/* A name as it is asked for. */
typedef struct {
  char name[NAME_SIZE];
  int port;
  struct sockaddr_storage address; /* AF_UNSPEC unless the name is one */
} destination;

static const char THE_PROXY[] = "a proxy", BY_PROXY[] = "through a proxy", A_SOCKET[] = "a Unix socket",
                  LOCAL[] = "a local address";

static const struct sockaddr *any(const struct sockaddr_storage *address) { return (const void *)address; }

/* 0x7f.1 is 127.0.0.1, for getaddrinfo too, and ::ffff:127.0.0.1 leads there. */
static void name_usually(destination *d)
{
  struct in_addr four;
  struct in6_addr six;
  size_t length = strlen(d->name);
  while (length && d->name[length - 1] == '.') d->name[--length] = '\0';
  bool is_usual = inet_pton(AF_INET, d->name, &four) == 1; /* it takes no other form, and most are that */
  bool is_mapped = !is_usual && inet_pton(AF_INET6, d->name, &six) == 1 && IN6_IS_ADDR_V4MAPPED(&six);
  if (is_mapped) memcpy(&four, six.s6_addr + 12, sizeof four);
  if (is_mapped || (!is_usual && inet_aton(d->name, &four)))
    inet_ntop(AF_INET, &four, d->name, sizeof d->name);
  permit_address_of(d->name, d->port, (struct sockaddr *)&d->address);
}

static void set_destination(destination *d, const char *host, size_t length, int port)
{
  *d = (destination){.port = port};
  memcpy(d->name, host, length < NAME_SIZE ? length : NAME_SIZE - 1);
  name_usually(d);
}

static void server_of(const transfer *t, destination *d)
{
  const url *u = &t->request.target;
  set_destination(d, url_bytes(u, u->host), u->host.length, u->port);
}

/* "scheme://host:port"; a host that no URL may have is none that may be asked for. */
static bool proxy_of(const transfer *t, destination *d, error *e)
{
  const char *text = t->options->texts[OPTION_PROXY];
  url u = {0};
  bool ok = url_parse(&u, text, strlen(text), e);
  if (ok) set_destination(d, url_bytes(&u, u.host), u.host.length, u.port);
  url_free(&u);
  return ok;
}

static const permit *permit_of(const transfer *t) { return t->pool->network->permit; }

static bool ask(const transfer *t, permit_kind kind, const destination *d, const char *why, error *e)
{
  permit_request request = {.kind = kind,
                            .name = d->name,
                            .port = d->port,
                            .address = kind == PERMIT_NET_ADDRESS ? any(&d->address) : NULL,
                            .why = why};
  return permit_check(permit_of(t), &request, NULL, e);
}

/* ---- before it begins ---- */

static void set_path(struct sockaddr_un *local, const char *path)
{
  *local = (struct sockaddr_un){.sun_family = AF_UNIX};
  snprintf(local->sun_path, sizeof local->sun_path, "%s", path);
}

/* Where a Unix socket really is. */
static bool find_socket(const char *path, struct sockaddr_un *local, error *e)
{
  char *found = guarded_path(path, true);
  const char *name = found ? guarded_name(found) : "";
  bool fits = *name && strlen(name) < sizeof local->sun_path;
  set_path(local, fits ? name : "");
  if (!fits)
    error_set(e, ERROR_denied, "connect", "the Unix socket '%.*s%s' has no path that could be permitted",
              SHORTENED(path, 200));
  free(found);
  return fits;
}

/* Whoever may use a socket need not be allowed the name of the server behind it. */
static bool permit_server(const transfer *t, const destination *server, error *e)
{
  const char *path = t->options->texts[OPTION_UNIX_SOCKET];
  struct sockaddr_un local;
  if (!path) return ask(t, PERMIT_NET_NAME, server, NULL, e);
  permit_request request = {
      .kind = PERMIT_NET_NAME, .name = server->name, .port = server->port, .why = A_SOCKET, .flagged = path};
  if (find_socket(path, &local, e)) request.flagged = local.sun_path;
  return permit_check(permit_of(t), &request, NULL, e);
}

static bool permit_proxy(const transfer *t, const destination *server, error *e)
{
  destination proxy;
  if (!t->options->texts[OPTION_PROXY]) return true;
  return ask(t, PERMIT_NET_ADDRESS, server, BY_PROXY, e) && proxy_of(t, &proxy, e) &&
         ask(t, PERMIT_NET_NAME, &proxy, THE_PROXY, e);
}

/* libcurl looks up what is neither an address nor an interface. */
static bool permit_local(const transfer *t, error *e)
{
  const char *text = t->options->texts[OPTION_LOCAL_ADDRESS];
  destination local;
  if (!text || !strncmp(text, "if!", 3)) return true;
  set_destination(&local, text, strlen(text), 0);
  return local.address.ss_family != AF_UNSPEC || ask(t, PERMIT_NET_NAME, &local, LOCAL, e);
}

/* The path was made one without links when the options were; who has put a link there since gets nothing. */
static bool permit_file(const transfer *t, const char *path, error *e)
{
  char *found = path ? guarded_path(path, true) : NULL;
  if (!path) return true;
  if (!found) return file_error(e, "read", path, errno);
  permit_request request = {.kind = PERMIT_READ, .name = guarded_name(found)};
  bool ok = permit_check(permit_of(t), &request, NULL, e);
  if (ok && strcmp(request.name, path) != 0) ok = file_error(e, "read", path, ELOOP);
  free(found);
  return ok;
}

static bool permit_files(const transfer *t, error *e)
{
  bool ok = true;
  for (size_t i = 0; ok && i < TRANSFER_FILES; i++) {
    transfer_text text = transfer_files[i];
    bool of_proxy = text == OPTION_PROXY_CA || text == OPTION_PROXY_CERT || text == OPTION_PROXY_KEY;
    if (of_proxy && !t->options->texts[OPTION_PROXY]) continue;
    ok = permit_file(t, t->options->texts[text], e);
  }
  return ok;
}

bool transfer_permit_begin(const transfer *t, error *e)
{
  destination server;
  if (!permit_of(t)) return true;
  server_of(t, &server);
  return permit_server(t, &server, e) && permit_proxy(t, &server, e) && permit_local(t, e) &&
         permit_files(t, e);
}

/* ---- connections ---- */

static int port_of(const struct sockaddr *address)
{
  const void *bytes = address;
  if (address->sa_family == AF_INET) return ntohs(((const struct sockaddr_in *)bytes)->sin_port);
  return address->sa_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)bytes)->sin6_port) : 0;
}

static bool permit_address(const transfer *t, const struct sockaddr *address, error *e)
{
  destination d;
  bool is_proxy = t->options->texts[OPTION_PROXY] && address->sa_family != AF_UNIX;
  if (!is_proxy)
    server_of(t, &d);
  else if (!proxy_of(t, &d, e))
    return false;
  permit_request request = {.kind = PERMIT_NET_ADDRESS,
                            .name = d.name,
                            .port = port_of(address),
                            .address = address,
                            .why = is_proxy                        ? THE_PROXY
                                   : address->sa_family == AF_UNIX ? A_SOCKET
                                                                   : NULL};
  return permit_check(permit_of(t), &request, t->op.owner, e);
}

void transfer_permit_release(transfer_handle *h)
{
  if (h->socket_place) close(h->socket_place - 1);
  h->socket_place = 0;
}

/* libcurl connects afterwards, by name: to a name for what is there now. What cannot be opened is not there,
 * whatever takes its place. */
static void hold_socket(transfer *t, struct sockaddr_un *local)
{
  guarded_hold h;
  char path[sizeof local->sun_path + 1];
  snprintf(path, sizeof path, "/%s", local->sun_path);
  bool is_held = guarded_hold_open(&h, path) == 0;
  set_path(local, is_held ? h.name : "/proc/self/fd/-1");
  t->handle->socket_place = is_held ? h.fd + 1 : 0;
}

/* libcurl's address has room for any. */
static bool permit_socket(transfer *t, struct curl_sockaddr *address, error *e)
{
  const char *path = t->options->texts[OPTION_UNIX_SOCKET];
  struct sockaddr_un local;
  transfer_permit_release(t->handle);
  if (!find_socket(path ? path : "", &local, e)) return false;
  if (!permit_address(t, (const void *)&local, e)) return false;
  hold_socket(t, &local);
  memcpy((char *)address + offsetof(struct curl_sockaddr, addr), &local, sizeof local);
  address->addrlen = sizeof local;
  return true;
}

static void keep_refusal(transfer *t, const error *e)
{
  if (!t->handle->refusal) t->handle->refusal = malloc(sizeof *e);
  if (t->handle->refusal) *t->handle->refusal = *e;
}

bool transfer_permit_connect(transfer *t, struct curl_sockaddr *address)
{
  error e;
  if (!permit_of(t)) return true;
  bool is_socket = address->family == AF_UNIX;
  bool ok = is_socket ? permit_socket(t, address, &e) : permit_address(t, &address->addr, &e);
  if (ok) return t->exchange.permitted = true;
  keep_refusal(t, &e);
  return false;
}

bool transfer_permit_reuse(transfer *t, const char *address, int port)
{
  error e;
  struct sockaddr_storage peer = {0};
  if (!permit_of(t)) return true;
  transfer_permit_release(t->handle);
  bool asked = t->exchange.permitted;
  t->exchange.permitted = false;
  if (asked) return true;
  const char *path = t->options->texts[OPTION_UNIX_SOCKET];
  bool ok = !path || find_socket(path, (void *)&peer, &e);
  if (!path) permit_address_of(address, port, (struct sockaddr *)&peer);
  if (ok && permit_address(t, any(&peer), &e)) return true;
  *transfer_failure(t) = e;
  return false;
}
