/* Lua runs out of memory exactly while the results of a request are handed over. */
#include "lurcher_lua.h"
#include "support/host.h"

enum { LARGE = 1024 * 1024 };

static lua_Alloc usual;
static int refused;

/* Gives no block as large as the body's. */
static void *allocate(void *ud, void *block, size_t old_size, size_t size)
{
  if (size < LARGE || size <= old_size) return usual(ud, block, old_size, size);
  refused++;
  return NULL;
}

/* Asks twice for 2 MB, as one string and as a stream of small pieces. */
static const char source[] =
    "local http = require 'lurcher.http'\n"
    "local s = require('lurcher.server').start(function()\n"
    "  local left = 32\n"
    "  return { body = function() left = left - 1 return left >= 0 and ('x'):rep(65536) or nil end }\n"
    "end, { grace = 0 })\n"
    "local api = http.client { base_url = s.url }\n"
    "for _ = 1, 2 do print(pcall(api.get, api, '/')) end\n"
    "local bytes = 0\n"
    "api:stream('GET', '/', function(res) for piece in res:chunks() do bytes = bytes + #piece end end)\n"
    "print(bytes, api:stats().in_flight)\n"
    "print(pcall(api.get, api, '/'))\n";

int main(void)
{
  void *ud;
  host h;
  host_open(&h, NULL);
  usual = lua_getallocf(lur_lua(h.runtime), &ud);
  lua_setallocf(lur_lua(h.runtime), allocate, ud);
  host_start(&h, source, NULL);
  lur_run(h.runtime);
  check(h.status == LUR_OK);
  check_string(h.report, "");
  check(refused == 3);
  check_string(h.output,
               "false\tnot enough memory\nfalse\tnot enough memory\n2097152\t0\nfalse\tnot enough memory\n");
  host_close(&h); /* the sanitizer finds the transfer of the last request if nobody owns it */
  check(h.closed == 1);
  return unit_end();
}
