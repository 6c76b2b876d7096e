#include "core/permit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

enum { SHOWN_NAME = 200 };

/* How a refusal reads: "VERB NAME is not permitted". The flag is the command's; NULL: it has none. */
static const struct {
  const char *verb, *flag;
} kinds[] = {
    [PERMIT_NET_NAME] = {"a request to", "--allow-net"},
    [PERMIT_NET_ADDRESS] = {"a connection to", "--allow-net"},
    [PERMIT_LISTEN] = {"listening on", "--allow-net"},
    [PERMIT_READ] = {"reading", "--allow-read"},
    [PERMIT_WRITE] = {"writing", "--allow-write"},
    [PERMIT_ENV] = {"the environment variable", "--allow-env"},
    [PERMIT_RUN] = {"running", "--allow-run"},
    [PERMIT_FFI] = {"native code by", NULL},
    [PERMIT_MODULE] = {"the module", NULL},
};

static void with_port(char *text, size_t size, const char *host, int port)
{
  const char *open = strchr(host, ':') ? "[" : "", *close = *open ? "]" : "";
  if (port)
    snprintf(text, size, "%s%.*s%s:%d", open, SHOWN_NAME, host, close, port);
  else
    snprintf(text, size, "%s%.*s%s", open, SHOWN_NAME, host, close);
}

/* Without its port; "": of no family there is. */
static void write_address(char *text, size_t size, const struct sockaddr *address)
{
  *text = '\0';
  const void *any = address;
  if (address->sa_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in *)any)->sin_addr, text, (socklen_t)size);
  if (address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)any)->sin6_addr, text, (socklen_t)size);
  if (address->sa_family == AF_UNIX) snprintf(text, size, "%s", ((const struct sockaddr_un *)any)->sun_path);
}

static bool is_numeric(const char *name)
{
  unsigned char ignored[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, name, ignored) == 1 || inet_pton(AF_INET6, name, ignored) == 1;
}

/* The host that a flag has to name: an address that stands for another one counts for itself only. */
static const char *flagged_host(const permit_request *r, const char *address)
{
  static const char mapped[] = "::ffff:";
  bool is_mapped = !strncmp(address, mapped, sizeof mapped - 1) && strchr(address, '.');
  if (*r->name && !(*address && is_numeric(r->name))) return r->name;
  return is_mapped ? address + sizeof mapped - 1 : address;
}

/* What is refused, as it is shown and as the flag has it. */
static void describe(const permit_request *r, char *shown, char *flagged, size_t size)
{
  char address[128] = "";
  snprintf(shown, size, "%.*s%s", SHORTENED(r->name, SHOWN_NAME));
  snprintf(flagged, size, "%.*s%s", SHORTENED(r->name, SHOWN_NAME));
  if (r->kind > PERMIT_LISTEN) return;
  if (r->address) write_address(address, sizeof address, r->address);
  bool is_path = r->address && r->address->sa_family == AF_UNIX;
  int port = is_path ? 0 : r->port;
  with_port(flagged, size, is_path ? address : flagged_host(r, address), port);
  with_port(shown, size, *address ? address : r->name, port);
  if (!*address || !*r->name || !strcmp(address, r->name)) return;
  size_t length = strlen(shown);
  snprintf(shown + length, size - length, " (%.*s)", SHOWN_NAME, r->name);
}

bool permit_check(const permit *p, const permit_request *request, const void *owner, error *e)
{
  char shown[2 * SHOWN_NAME + 200], flagged[SHOWN_NAME + 200];
  if (!p || p->ask(p, request, owner)) return true;
  describe(request, shown, flagged, sizeof flagged);
  if (request->flagged) snprintf(flagged, sizeof flagged, "%.*s%s", SHORTENED(request->flagged, SHOWN_NAME));
  const char *flag = p->names_flags ? kinds[request->kind].flag : NULL;
  bool net = request->kind <= PERMIT_NET_ADDRESS;
  error_set(e, ERROR_denied, net ? "connect" : NULL, "%s %s%s%s%s is not permitted%s%s%s%s",
            kinds[request->kind].verb, shown, request->why ? " (" : "", request->why ? request->why : "",
            request->why ? ")" : "", flag ? ": " : "", flag ? flag : "", flag ? "=" : "",
            flag ? flagged : "");
  return false;
}

void permit_address_of(const char *text, int port, struct sockaddr *address)
{
  struct sockaddr_in *four = (void *)address;
  struct sockaddr_in6 *six = (void *)address;
  if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons((uint16_t)port);
  } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons((uint16_t)port);
  } else {
    address->sa_family = AF_UNSPEC;
  }
}
