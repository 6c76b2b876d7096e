#include "script/task/task_permit.h"

#include "core/container_of.h"
#include "core/file/file.h"
#include "core/file/guarded.h"
#include "core/file/guarded_path.h"
#include "script/base/lua_error.h"
#include "script/task/task_internal.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert((int)PERMIT_MODULE == (int)LUR_MODULE && (int)PERMIT_READ == (int)LUR_READ,
               "the kinds are those of lurcher.h");

typedef struct {
  lur_runtime *runtime;
  lur_access access;
  bool allowed;
} question;

/* Under lua_cpcall: what the host raises, as Lua or C++ have it, is a refusal and goes no further. */
static int call_host(lua_State *L)
{
  question *q = lua_touserdata(L, 1);
  q->allowed = q->runtime->options.permit(&q->access, q->runtime->options.ud) != 0;
  return 0;
}

/* ::ffff:127.0.0.1 is 127.0.0.1, whoever looks only at one of them. */
static const struct sockaddr *plain_address(const struct sockaddr *given, struct sockaddr_in *four)
{
  const struct sockaddr_in6 *six = (const void *)given;
  if (!given || given->sa_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) return given;
  *four = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = six->sin6_port};
  memcpy(&four->sin_addr, six->sin6_addr.s6_addr + 12, 4);
  return (const void *)four;
}

static bool ask_host(const permit *p, const permit_request *r, const void *owner)
{
  lur_runtime *rt = container_of(p, lur_runtime, permit);
  const lur_task *t = owner ? owner : rt->current;
  struct sockaddr_in four;
  if (!rt->options.permit) return false;
  question q = {.runtime = rt,
                .access = {.size = sizeof q.access,
                           .kind = (lur_access_kind)r->kind,
                           .name = r->name,
                           .port = r->port,
                           .address = plain_address(r->address, &four),
                           .why = r->why,
                           .task = t && t->script ? t->script->main : NULL}};
  bool before = rt->asking;
  rt->asking = true;
  if (lua_cpcall(rt->L, call_host, &q) != 0) {
    lua_pop(rt->L, 1);
    q.allowed = false;
  }
  rt->asking = before;
  return q.allowed;
}

void task_permit_open(lur_runtime *rt)
{
  if (!rt->options.permit && rt->options.libraries != LUR_SANDBOX) return;
  rt->permit = (permit){.ask = ask_host, .names_flags = rt->options.names_flags};
}

const permit *task_permit(lua_State *L)
{
  lur_runtime *rt = runtime_of(L);
  return rt->permit.ask ? &rt->permit : NULL;
}

bool task_permits(lua_State *L, const permit_request *request, error *e)
{
  return permit_check(task_permit(L), request, NULL, e);
}

/* A path of a script must not look like one that was asked for. */
static int without_second_slash(lua_State *L, int index, const char *path)
{
  if (!is_guarded(path)) return 0;
  lua_pushstring(L, path + strspn(path, "/") - 1);
  lua_replace(L, index);
  return 0;
}

static bool permits_path(lua_State *L, const char *path, unsigned use, error *e)
{
  permit_request request = {.kind = PERMIT_READ, .name = guarded_name(path)};
  if ((use & TASK_READS) && !task_permits(L, &request, e)) return false;
  request.kind = PERMIT_WRITE;
  return !(use & TASK_WRITES) || task_permits(L, &request, e);
}

int task_refuses_path(lua_State *L, int index, unsigned use)
{
  error e;
  size_t length;
  const char *path = luaL_checklstring(L, index, &length);
  if (strlen(path) != length) return luaL_argerror(L, index, "a path cannot contain a NUL byte");
  if (!task_permit(L)) return without_second_slash(L, index, path);
  char *found = guarded_path(path, !(use & TASK_KEEPS_LINK));
  if (!found) {
    file_error(&e, use & TASK_WRITES ? "write" : "read", path, errno);
    return errors_return(L, &e);
  }
  char place[PATH_MAX + 2]; /* nothing that has to be freed when the next lines raise */
  snprintf(place, sizeof place, "%s", found);
  free(found);
  if (!permits_path(L, place, use, &e)) return errors_return(L, &e);
  lua_pushstring(L, place);
  lua_replace(L, index);
  return 0;
}
