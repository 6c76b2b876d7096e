/* What limits of lur_options end, and that the runtime and the next script are none the worse for it. */
#include "support/host.h"

#include <math.h>
#include <time.h>

static const char *const loops[] = {
    "while true do end",
    "::again:: goto again",
    "repeat until false",
    "for i = 1, math.huge do end",
    "local function f() return 1 end local n = 0 while true do n = n + f() end",
    "local function f() return f() end f()",
    "while true do pcall(function() while true do end end) end",
    "while true do xpcall(function() while true do end end, function() while true do end end) end",
    "xpcall(error, function() while true do end end)",
    "while true do coroutine.wrap(function() pcall(function() while true do end end) end)() end",
    "local co co = coroutine.create(function() while true do coroutine.yield() end end) "
    "while true do coroutine.resume(co) end",
    "require('lurcher.task').defer(function() while true do end end) while true do end",
    "require('lurcher.task').defer(function() while true do end end)",
    "local task = require('lurcher.task') "
    "while true do pcall(task.shield, function() while true do pcall(function() while true do end end) end "
    "end) "
    "end",
    "table.sort({3, 2, 1, 5}, function() while true do end end)",
    "('x'):gsub('x', function() while true do end end)",
    "local m = setmetatable({}, {__index = function() while true do end end}) print(m.x)",
    "print(setmetatable({}, {__tostring = function() while true do end end}))",
    "debug.sethook() while true do end",
    "jit.on() while true do end",
    "local task = require('lurcher.task') for i = 1, 5 do task.spawn(function() while true do end end) end",
    "load(function() while true do end end)",
    "load('while true do end', '@lurcher/script.lua')()",
    "loadstring('while true do end', '@lurcher/script.lua')()",
    "local function f() return pcall(f) end while true do f() end",
    "while true do for a in ('x'):gmatch('x') do end end",
    "while true do local s = ('a'):rep(100) .. 'b' end",
    "while true do for k in pairs(_G) do end end",
    "local task = require('lurcher.task') for i = 1, 10 do task.yield() end while true do end",
    "local task = require('lurcher.task') task.race{function() while true do end end, function() end}",
    "local task = require('lurcher.task') "
    "while true do pcall(task.timeout, 0.01, function() while true do end end) end",
    "local p = newproxy and newproxy(true) "
    "if p then getmetatable(p).__gc = function() while true do end end p = nil collectgarbage() end "
    "while true do end",
};

/* The same within one call of a function in C, or with few instructions of Lua that take long. */
static const char *const long_calls[] = {
    "print(('x'):rep(3e4):find('x*x*x*x*y'))",
    "print(('a'):rep(3e4):find('.-.-.-.-b'))",
    "print(('a'):rep(3e4):match('(a*)(a*)(a*)%1%2%3b'))",
    "print(('x'):rep(3e4):gsub('x-x-x-x-y', ''))",
    "for _ in ('x'):rep(3e4):gmatch('x*x*x*x*y') do end",
    "print(('('):rep(3e5):find('%b()x'))",
    "while true do pcall(string.find, ('x'):rep(3e4), 'x*x*x*x*y') end",
    "local s = ('x'):rep(3e4) s:gsub('x', function() return s:find('x*x*x*x*y') end)",
    "require('lurcher.task').defer(string.find, ('x'):rep(3e4), 'x*x*x*x*y') while true do end",
    "local t = {} for i = 1, 1e9 do table.insert(t, 1, i) end",
    "table.insert({}, -2^31, 1)",
    "local t = {} for i = 1, 1e5 do t[i] = i % 7 end while true do table.sort(t) end",
    "local t = {} for i = 1, 1e5 do t[i] = '' end while true do table.concat(t) end",
    "local t = {} for i = 1, 1e5 do t[i] = i end while true do table.move(t, 1, 1e5, 2) end",
    "while true do local s = ('x'):rep(1e6) end",
    "local s = ('x'):rep(1e6) while true do local t = s:upper() end",
    "local s = ('x'):rep(1e6) while true do local t = s .. 'y' end",
    "local s = ('x'):rep(3e7) local t = s .. 'y' while true do local c = s < t end",
    "local s = ('x'):rep(3e7) while true do local t = s:reverse() end",
    "while true do pcall(require('host').compute, 0.02) end",
    "local json, t = require('lurcher.json'), {} for i = 1, 1e4 do t[i] = i end "
    "while true do json.encode(t) end",
};

/* Each is nested in C functions or metamethods without end. */
static const char *const nested[] = {
    "local function f() return (('x'):gsub('x', f)) end f()",
    "local function f() table.sort({1, 2}, f) return true end f()",
    "local function f() return coroutine.wrap(f)() end f()",
    "local function f() return coroutine.resume(coroutine.create(f)) end f()",
    "local function f() return coroutine.wrap(function() return (('x'):gsub('x', f)) end)() end f()",
    "local m = {} m.__index = function(t, k) return t[k] .. '' end print(setmetatable({}, m).x)",
    "local m = {} m.__concat = function(a, b) return (a .. b) .. '' end print(setmetatable({}, m) .. 'x')",
    "local m = {} m.__tostring = function(s) return tostring(s) .. '' end tostring(setmetatable({}, m))",
    "local m = {} m.__lt = function(a, b) table.sort{a, b} return true end "
    "table.sort{setmetatable({}, m), setmetatable({}, m)}",
    "local function f() pcall(string.gsub, 'x', 'x', f) end while true do f() end",
};

/* serve(after): a WebSocket server whose connections go on with after(c), and its URL */
#define SERVE_WEBSOCKETS                                                                                     \
  "local ws, task, crypto = require 'lurcher.ws', require 'lurcher.task', require 'lurcher.crypto' "         \
  "local guid = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11' "                                                     \
  "local function serve(after) "                                                                             \
  "  return (require('lurcher.server').raw(function(c) "                                                     \
  "    local key = c:read_head().headers['sec-websocket-key'] "                                              \
  "    c:write('HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' "   \
  ".. "                                                                                                      \
  "      'Sec-WebSocket-Accept: ' .. crypto.base64(crypto.sha1(key .. guid, 'raw')) .. '\\r\\n\\r\\n') "     \
  "    after(c) "                                                                                            \
  "  end).url:gsub('^http', 'ws')) "                                                                         \
  "end "

static const char *const growth[] = {
    "local t, n = {}, 0 while true do n = n + 1 t[n] = ('x'):rep(1000) .. n end",
    "print(#('x'):rep(2 ^ 31 - 1))",
    "local t = {} while true do pcall(function() while true do t[#t + 1] = ('x'):rep(100) .. #t end end) end",
    "while true do pcall(string.rep, 'x', 1e9) end",
    "local s = 'x' while true do s = s .. s end",
    "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e6) end print(#table.concat(t))",
    "local t = {} while true do t[#t + 1] = function() return t end end",
    "local t = {} while true do t[#t + 1] = coroutine.create(function() end) end",
    "local task = require('lurcher.task') while true do task.spawn(task.sleep, 100) end",
    "print(#('x'):rep(1e6):gsub('x', ('y'):rep(1000)))",
    "local t = {} for i = 1, 1e9 do t['k' .. i] = i end",
    "local t = {} for i = 1, 1e9 do t[i] = i end",
    "local json, t = require('lurcher.json'), {} while true do t[#t + 1] = json.decode('[1,{\"a\":[1,2]}]') "
    "end",
    "local b = require('string.buffer').new() while true do b:put(('x'):rep(50)) end",
    "require('lurcher.task').defer(function() local t = {} while true do t[#t + 1] = {} end end) error('x')",
    /* what a server has received and nobody reads */
    "local http, task = require('lurcher.http'), require('lurcher.task') "
    "local s = require('lurcher.server').raw(function(c) c:read(1) task.sleep(100) end) "
    "local c, b = http.client{limits = {per_origin = false}}, ('x'):rep(2e5) "
    "for i = 1, 150 do task.spawn(function() c:post(s.url, {body = b}) end) end task.sleep(5)",
    /* a message of 13 MB, one of as much in many frames, what many servers do not take, what many send unread
     */
    SERVE_WEBSOCKETS "local url = serve(function(c) c:write('\\129\\127\\0\\0\\0\\0\\0\\200\\0\\0') "
                     "for i = 1, 200 do c:write(('x'):rep(65536)) end end) ws.connect(url):receive()",
    SERVE_WEBSOCKETS
    "local url = serve(function(c) for i = 1, 200 do c:write((i == 1 and '\\1' or '\\0') .. "
    "'\\127\\0\\0\\0\\0\\0\\1\\0\\0' .. ('x'):rep(65536)) end end) ws.connect(url):receive()",
    SERVE_WEBSOCKETS "local url, b = serve(function() task.sleep(100) end), ('x'):rep(1e6) local sends = {} "
                     "for i = 1, 30 do local c = ws.connect(url) sends[i] = function() c:send(b) end end "
                     "task.all(sends)",
    SERVE_WEBSOCKETS
    "local url = serve(function(c) while c:write('\\129\\126\\100\\0' .. ('x'):rep(25600)) do end "
    "end) local all = {} for i = 1, 500 do all[i] = ws.connect(url) end task.sleep(5)",
    /* copies of what is to be sent */
    "local http, task = require('lurcher.http'), require('lurcher.task') "
    "local s = require('lurcher.server').raw(function(c) task.sleep(100) end) "
    "local c, b = http.client{limits = {per_origin = false}}, ('x'):rep(1e6) "
    "for i = 1, 12 do task.spawn(function() c:post(s.url, {multipart = {{name = 'a', value = b}}}) end) end "
    "task.sleep(5)",
};

enum { MEMORY = 8 * 1024 * 1024 };

static void open_limited(host *h, size_t memory, double burst, double cpu, unsigned tasks)
{
  lur_options options;
  *h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = h;
  options.print = host_print;
  options.memory_limit = memory;
  options.burst_seconds = burst;
  options.cpu_seconds = cpu;
  options.max_tasks = tasks;
  if (!check(lur_open(&h->runtime, &options) == LUR_OK)) exit(1);
}

static void run(host *h, const char *source)
{
  if (!check(host_start(h, source, NULL) == LUR_OK))
    fprintf(stderr, "%s: %s\n", source, lur_error(h->runtime));
  check(lur_run(h->runtime) == LUR_OK);
  check(h->done == h->started);
}

/* Runs a script that must reach a limit, then one that must be well. */
static void expect_limit(host *h, const char *source, const char *words)
{
  run(h, source);
  if (!check(h->status == LUR_LIMIT) || !check(strstr(h->report, words) != NULL))
    fprintf(stderr, "%s\n  %s: %s\n", source, lur_status_name(h->status), h->report);
  run(h, "local t = {} for i = 1, 1000 do t[i] = i .. '' end print(#t)");
  check(h->status == LUR_OK);
}

static double processor_seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void test_loops(void)
{
  host h;
  open_limited(&h, 0, 0.02, 0, 0);
  for (size_t i = 0; i < sizeof loops / sizeof *loops; i++) {
    double began = processor_seconds();
    expect_limit(&h, loops[i], "'burst'");
    if (!check(processor_seconds() - began < 2)) fprintf(stderr, "%s\n", loops[i]);
    check(strstr(h.report, "script.lua") != NULL || h.status == LUR_OK);
  }
  host_close(&h);
}

static void test_growth(void)
{
  host h;
  open_limited(&h, MEMORY, 0, 0, 0);
  for (size_t i = 0; i < sizeof growth / sizeof *growth; i++) expect_limit(&h, growth[i], "'memory'");
  host_close(&h);
}

/* compute(seconds): a function of the host that holds the loop */
static void compute(lur_call *call, void *ud)
{
  double until = processor_seconds() + lur_arg_number(call, 1);
  (void)ud;
  while (processor_seconds() < until) continue;
}

static void test_long_calls(void)
{
  host h;
  open_limited(&h, 0, 0.02, 0, 0);
  check(lur_register(h.runtime, "compute", compute, NULL) == LUR_OK);
  for (size_t i = 0; i < sizeof long_calls / sizeof *long_calls; i++) {
    double began = processor_seconds();
    expect_limit(&h, long_calls[i], "'burst'");
    if (!check(processor_seconds() - began < 2)) fprintf(stderr, "%s\n", long_calls[i]);
  }
  host_close(&h);
}

static void test_depth(void)
{
  host h;
  lur_options options;
  h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = &h;
  options.print = host_print;
  options.max_depth = 50;
  if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
  for (size_t i = 0; i < sizeof nested / sizeof *nested; i++) expect_limit(&h, nested[i], "'depth'");
  check(strstr(h.report, "50") || h.status == LUR_OK);
  run(&h, "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end "
          "local function g(n) return n == 0 and '' or (('x'):gsub('x', function() return g(n - 1) .. 'y' "
          "end)) end "
          "for i = 1, 100 do assert(f(5000) == 5000) end print(g(40), #g(40))");
  check(h.status == LUR_OK);
  host_close(&h);
}

/* Without a limit, too, calls that are nested without end are an error, not the end of the process. */
static void test_no_depth(void)
{
  host h;
  host_open(&h, NULL);
  for (int i = 0; i < 2; i++) {
    run(&h, nested[i]);
    check(h.status == LUR_FAILED && strstr(h.report, "stack overflow"));
  }
  run(&h, "for i = 1, 500 do pcall(string.gsub, 'x', 'x', function() ('y'):gsub('y', error) end) end");
  check(h.status == LUR_OK);
  host_close(&h);
}

/* Requests beyond max_in_flight wait, whatever the client's own limits are; bodies beyond max_body are
 * refused, whatever the request's own is. */
static void test_requests(void)
{
  host h = {.status = LUR_INVALID};
  lur_options options;
  lur_options_init(&options);
  options.ud = &h;
  options.print = host_print;
  options.max_in_flight = 2;
  options.max_body = 1000;
  if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
  run(&h, "local http, task = require('lurcher.http'), require('lurcher.task')\n"
          "local live, most = 0, 0\n"
          "local s = require('lurcher.server').start(function(req)\n"
          "  live = live + 1 most = math.max(most, live) task.sleep(0.005) live = live - 1\n"
          "  return ('x'):rep(tonumber(req.query.n))\n"
          "end)\n"
          "local one, two = http.client{limits = {inflight = false, per_origin = false}}, http.client{}\n"
          "task.map({1, 2, 3, 4, 5, 6, 7, 8}, function(i)\n"
          "  assert((i % 2 == 0 and one or two):get(s.url .. '/?n=1000'))\n"
          "end)\n"
          "print(most)\n"
          "for _, opts in ipairs{{}, {max_body = 1e6}, {max_body = 10}, {max_body = false}} do\n"
          "  local res, err = one:get(s.url .. '/?n=1001', opts) print(res, err.kind, err.limit)\n"
          "end\n"
          "s:stop()");
  check(h.status == LUR_OK);
  check_string(h.output, "2\nnil\ttoo_large\t1000\nnil\ttoo_large\t1000\nnil\ttoo_large\t10\n"
                         "nil\ttoo_large\t1000\n");
  host_close(&h);
}

/* The line is told, and that of who called. */
static void test_report(void)
{
  host h;
  open_limited(&h, 0, 0.02, 0, 0);
  run(&h, "local function f()\n while true do end\nend\n\nf()\nprint(1)");
  check(strstr(h.report, "at script.lua:2\n\tscript.lua:5") != NULL);
  host_close(&h);
}

/* Also where LuaJIT itself is refused memory, and has forgotten where it was once it has raised. */
static void test_memory_report(void)
{
  static const char *const sources[] = {
      "local t = {}\nfor i = 1, 1e9 do\n  t[i] = i end\nprint(#t)",
      "local t = {}\nwhile true do\n  t[{}] = 1 end",
      "local s = 'x'\nwhile true do\n  s = s .. s end",
      "local t = {}\n\nlocal s = ('x'):rep(1e9)\nprint(s)",
      "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e5) end\n\nlocal s = table.concat(t)\nprint(s)",
      "local t = {} for i = 1, 100 do t[i] = ('x'):rep(1e5) end\n\nreturn table.concat(t)",
      "\n\nreturn ('x'):rep(1e6, ('y'):rep(1e6))",
      "local t = {}\n\npcall(function() for i = 1, 1e9 do t[i] = i end end)\nprint(#t)",
  };
  host h;
  open_limited(&h, MEMORY, 0, 0, 0);
  for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
    run(&h, sources[i]);
    if (!check(strstr(h.report, ", at script.lua:3") != NULL))
      fprintf(stderr, "%s:\n%s\n", sources[i], h.report);
  }
  host_close(&h);
}

/* Clean-up code runs, may wait, and has one burst of its own. */
static void test_cleanup(void)
{
  host h;
  open_limited(&h, 0, 0.02, 0, 0);
  expect_limit(&h,
               "local task = require('lurcher.task')\n"
               "task.defer(function() task.sleep(0.01) print('cleaned') end)\n"
               "while true do end",
               "'burst'");
  check(strstr(h.output, "cleaned\n") != NULL);
  host_close(&h);
}

/* What is garbage counts for nothing, and a heap that is nearly full goes on. */
static void test_garbage(void)
{
  host h;
  open_limited(&h, MEMORY, 0, 0, 0);
  run(&h, "for i = 1, 50 do local u = ('y'):rep(1.4e6) .. i end "
          "local t = {} for i = 1, 60 do t[i] = ('x'):rep(1e5 - 1) .. i end "
          "for i = 1, 200 do local u = ('y'):rep(1e4) .. i end print(#t)");
  check(h.status == LUR_OK);
  host_close(&h);
}

/* Only the script at fault ends for a burst; all do for the processor's time, and those to come. */
static void test_others(void)
{
  host h;
  open_limited(&h, 0, 0.02, 0, 0);
  check(host_start(&h, "require('lurcher.task').sleep(0.1) print('lives')", NULL) == LUR_OK);
  run(&h, "while true do end");
  check(strstr(h.output, "lives\n") != NULL && h.status == LUR_OK);
  host_close(&h);
  open_limited(&h, 0, 0, 0.05, 0);
  run(&h, "while true do end");
  check(h.status == LUR_LIMIT && strstr(h.report, "'cpu'"));
  run(&h, "print('too late')");
  check(h.status == LUR_LIMIT && !strstr(h.output, "too late"));
  host_close(&h);
}

static void test_tasks(void)
{
  host h;
  open_limited(&h, 0, 0, 0, 10);
  expect_limit(&h,
               "local task = require('lurcher.task') for i = 1, 10 do pcall(task.spawn, task.sleep, 100) end",
               "'tasks'");
  run(&h, "local task = require('lurcher.task') for i = 1, 9 do task.spawn(task.sleep, 0) end");
  check(h.status == LUR_OK);
  host_close(&h);
}

/* A loop that computes is stopped by an interruption where the JIT is off. */
static void interrupt_host(void *ud)
{
  host *h = ud;
  lur_interrupt(h->runtime);
}

static void test_interruption(void)
{
  host h;
  open_limited(&h, 0, 60, 0, 0);
  h.on_line = interrupt_host;
  run(&h, "print('now') while true do pcall(function() while true do end end) end");
  check(h.status == LUR_CANCELED);
  host_close(&h);
}

/* 1 byte, nothing that is a number, as much as there is. */
static void test_odd_limits(void)
{
  lur_options options;
  lur_runtime *runtime;
  lur_options_init(&options);
  options.memory_limit = 1;
  check(lur_open(&runtime, &options) == LUR_NO_MEMORY && !runtime);
  lur_options_init(&options);
  options.burst_seconds = NAN;
  check(lur_open(&runtime, &options) == LUR_INVALID);
  options.burst_seconds = -1;
  check(lur_open(&runtime, &options) == LUR_INVALID);
  host h;
  open_limited(&h, (size_t)-1, INFINITY, INFINITY, (unsigned)-1);
  run(&h, "print(#('x'):rep(1e6))");
  check(h.status == LUR_OK);
  host_close(&h);
}

/* Limits of every size, in scripts that hold much in different ways: never a crash or a wrong status. */
static void test_many_memory_limits(void)
{
  for (size_t memory = 700 * 1024; memory < 3000 * 1024; memory += 23 * 1024) {
    host h;
    open_limited(&h, memory, 0, 0, 0);
    for (int i = 0; i < 3; i++) {
      run(&h, growth[i * 6]);
      if (!check(h.status == LUR_LIMIT)) fprintf(stderr, "%zu %d: %s\n", memory, i, h.report);
    }
    host_close(&h);
  }
}

int main(void)
{
  test_loops();
  test_long_calls();
  test_growth();
  test_depth();
  test_no_depth();
  test_requests();
  test_report();
  test_memory_report();
  test_cleanup();
  test_garbage();
  test_others();
  test_tasks();
  test_interruption();
  test_odd_limits();
  test_many_memory_limits();
  return unit_end();
}
