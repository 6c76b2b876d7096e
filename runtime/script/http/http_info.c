#include "script/http/http_info.h"

#include "script/base/lua_fields.h"

#include <string.h>

static double seconds_between(uint64_t from, uint64_t to)
{
  return from && to > from ? (double)(to - from) / NANOSECONDS : 0;
}

static void push_timings(lua_State *L, const transfer_summary *o)
{
  const transfer_times *t = &o->times;
  const named_number fields[] = {
      {"queue", seconds_between(t->queued, t->dispatched ? t->dispatched : o->at)},
      {"rate", (double)o->rate_wait / NANOSECONDS},
      {"dns", (double)t->dns / NANOSECONDS},
      {"connect", (double)t->connect / NANOSECONDS},
      {"tls", (double)t->tls / NANOSECONDS},
      {"first_byte", seconds_between(t->dispatched, t->first_byte)},
      {"total", seconds_between(t->dispatched, o->at)},
  };
  lua_createtable(L, 0, 7);
  field_set_numbers(L, fields, sizeof fields / sizeof *fields);
}

void http_push_info(lua_State *L, const transfer_summary *o)
{
  const named_number fields[] = {
      {"bytes_received", (double)o->bytes_received},
      {"bytes_sent", (double)o->bytes_sent},
      {"dispatched", (double)o->times.dispatched / NANOSECONDS},
      {"ended", (double)o->at / NANOSECONDS},
      {"elapsed", seconds_between(o->times.queued, o->at)},
  };
  lua_createtable(L, 0, 10);
  field_set_numbers(L, fields, sizeof fields / sizeof *fields);
  push_timings(L, o);
  lua_setfield(L, -2, "timings");
  field_set_string(L, "http_version",
                   o->version == 20   ? "2"
                   : o->version == 10 ? "1.0"
                   : o->version       ? "1.1"
                                      : NULL);
  field_set_string(L, "reason", o->reason);
  lua_pushboolean(L, o->reused);
  lua_setfield(L, -2, "reused");
  if (!o->remote_address[0]) return;
  bool is_path = strchr(o->remote_address, '/'); /* of a Unix socket */
  lua_pushfstring(L,
                  is_path                          ? "%s"
                  : strchr(o->remote_address, ':') ? "[%s]:%d"
                                                   : "%s:%d",
                  o->remote_address, o->remote_port);
  lua_setfield(L, -2, "remote_address");
}
