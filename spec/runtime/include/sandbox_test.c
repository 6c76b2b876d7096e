/* What scripts try to get out of a sandbox, and what one script leaves to the next. */
#include "support/host.h"

/* Each returns what it must not get: anything that is true. */
static const char *const tricks[] = {
    /* what is not there */
    "return debug",
    "return getfenv",
    "return setfenv",
    "return loadstring",
    "return dofile",
    "return loadfile",
    "return io",
    "return package",
    "return newproxy",
    "return module",
    "return gcinfo",
    "return jit",
    "return ffi",
    "return cjson",
    "return lurcher",
    "return string.dump",
    "return ('x').dump",
    "return os.execute or os.remove or os.rename or os.tmpname or os.setlocale",
    "return os.getenv('PATH')",
    "return table.new or table.clear or string.buffer",
    /* modules */
    "return require('ffi')",
    "return require('jit')",
    "return require('jit.util')",
    "return require('jit.opt')",
    "return require('debug')",
    "return require('io')",
    "return require('package')",
    "return require('string.buffer')",
    "return require('table.new')",
    "return require('table.clear')",
    "return require('cjson')",
    "return require('lurcher.native.task')",
    "return require('lurcher.native.fs')",
    "return require('lurcher.native.process')",
    "return require('lurcher.native')",
    "return require('lurcher.base.errors')",
    "return require('lurcher.task.prelude')",
    "return require('lurcher.task.sandbox')",
    "return require('lurcher.task.sealed')",
    "return require('lurcher.command.repl')",
    "return require('lurcher.')",
    "return require('lurcher/http')",
    "return require('lurcher.http\\0')",
    "return require('lurcher.http\\0x')",
    "return require('lurcher..http') or require('lurcher.HTTP')",
    "return require('os').execute",
    "return require('string').dump",
    "return require('_G') ~= _G",
    "return require(setmetatable({}, {__tostring = function() return 'ffi' end}))",
    "return load('return require(\"lurcher.native.task\")', '@lurcher/x.lua')()",
    /* bytecode and load */
    "return load('\\27LJ\\2\\0')",
    "return load('\\27LJ\\2\\0', 'x', 'b')",
    "return load('return 1', 'x', 'b')",
    "local n = 0 return load(function() n = n + 1 return n == 1 and '\\27LJ\\2\\0' or nil end)",
    "return load('return getfenv or debug or io or package')()",
    "return load('return _G')() ~= _G",
    "return load('return string', 'x', 't', {})()",
    "return load('return print', 'x', nil, nil) == nil and io",
    "return coroutine.wrap(function() return load('return io or debug')() end)()",
    "local got require('lurcher.task').spawn(function() got = load('return io or debug')() end):join() "
    "return got",
    /* metatables */
    "return getmetatable('')",
    "getmetatable('').__index = nil return true",
    "return setmetatable('', {})",
    "return ('').__index",
    "return getmetatable(print)",
    "return getmetatable(1) or getmetatable(nil) or getmetatable(coroutine.create(print))",
    "return getmetatable(require('lurcher.http'))",
    "return getmetatable(require('lurcher.json').null)",
    "return getmetatable(select(2, require('lurcher.json').decode('x')))",
    "return type(select(2, require('lurcher.json').decode('x')).__index) == 'table'",
    "return setmetatable(select(2, require('lurcher.json').decode('x')), {})",
    "return getmetatable(require('lurcher.http').client{})",
    "return type(require('lurcher.http').client{}.__index) == 'table'",
    "return setmetatable(require('lurcher.http').client{}, {})",
    "return getmetatable(require('lurcher.task').spawn(print))",
    "return type(require('lurcher.task').queue().__index) == 'table'",
    "return type(require('lurcher.task').semaphore(1).__index) == 'table'",
    "return type(require('lurcher.url').parse('http://a/').__index) == 'table'",
    "local t = setmetatable({}, {__metatable = false}) return setmetatable(t, {})",
    "local was = setmetatable({}, {__gc = function() _G.ran = true end}) was = nil "
    "for i = 1, 1e4 do was = {} end return ran",
    /* addresses */
    "return tostring({}):find('0x')",
    "return tostring(print):find('0x')",
    "return tostring(coroutine.create(print)):find('0x')",
    "return tostring(require('lurcher.json').null):find('0x')",
    "return ('%s'):format({}):find('0x')",
    "return ('%q %s'):format('', print):find('0x')",
    "return ('%p'):format({})",
    "return ('%-20p'):format(print)",
    "return tostring(string):find('0x')",
    "return tostring(require('lurcher.task').spawn(print)):find('0x')",
    "return tostring(require('lurcher.http').client{}):find('0x')",
    "return tostring(select(2, pcall(error, {}))):find('0x')",
    "return select(2, pcall(function() return {} .. 'x' end)):find('0x')",
    "return tostring(select(2, pcall(require('lurcher.json').encode, print))):find('0x')",
    "return tostring(select(2, pcall(require('lurcher.http').client, {[print] = 1}))):find('0x')",
    /* threads and errors */
    "return coroutine.running()",
    "pcall(coroutine.resume, 1) return coroutine.running()",
    "for i = 1, 200 do pcall(coroutine.resume, print) end return not coroutine.wrap(function() return true "
    "end)()",
    "return coroutine.resume(coroutine.running() or coroutine.create(error))",
    "return pcall(coroutine.yield, 'x')",
    "local ok, e = xpcall(error, function(e) return io or debug end) return e",
    "local ok, e = pcall(require, 'lurcher.nothing') return tostring(e):find('prelude') ",
    /* the runtime's own state */
    "collectgarbage('stop') return true",
    "collectgarbage() return true",
    "collectgarbage('setpause', 1e6) return true",
    "return pcall(unpack, {}, 1, 1e8)",
    "return load(('('):rep(1e5))",

    "_G.type = nil _G.pcall = nil return not require('lurcher.json').decode('[1]')[1]",
    "string.rep = nil table.concat = nil string.format = nil math.floor = nil "
    "return require('lurcher.json').encode({1.5, 'x'}) ~= '[1.5,\"x\"]'",
    "tostring = function() return 'mine' end return require('lurcher.json').encode({1}) ~= '[1]'",
    "setmetatable(_G, {__index = function() return true end}) return load('return x')() and "
    "require('lurcher.url').parse('http://a/').scheme == true",
};

/* The first leaves something, the second returns what it finds of it. */
static const char *const traces[][2] = {
    {"x = 1", "return x"},
    {"_G.y = 1", "return rawget(_G, 'y')"},
    {"string.mine = print", "return string.mine"},
    {"string.mine = print", "return ('').mine"},
    {"string.upper = function() return 'evil' end", "return ('x'):upper() == 'evil'"},
    {"table.insert = nil", "return not table.insert"},
    {"print = nil pcall = nil", "return not (print and pcall)"},
    {"setmetatable(_G, {__index = function() return 1 end})", "return z"},
    {"setmetatable(string, {__index = function() return 1 end})", "return string.z"},
    {"require('lurcher.json').decode = nil", "return not require('lurcher.json').decode"},
    {"require('lurcher.json').mine = 1", "return rawget(require('lurcher.json'), 'mine')"},
    {"require('lurcher.retry').when.mine = 1", "return require('lurcher.retry').when.mine"},
    {"require('lurcher.http').get = nil", "return not require('lurcher.http').get"},
    {"require('host').mine = 1", "return require('host').mine"},
    {"require('host').value.mine = 1", "return require('host').value.mine"},
    {"arg[1] = 'evil' arg.mine = 1", "return arg[1] ~= 'given' or arg.mine"},
    {"os.time = nil", "return not os.time"},
    {"math.randomseed(7) r = math.random()",
     "math.randomseed(7) local a = math.random() return a ~= 0 and a == r"},
    {"local e = select(2, require('lurcher.json').decode('x')) rawset(e, 'mine', 1)",
     "return rawget(select(2, require('lurcher.json').decode('x')), 'mine')"},
    {"require('bit').band = nil", "return not require('bit').band"},
    {"rawset(require('lurcher.http').default(), 'get', print)",
     "return rawget(require('lurcher.http').default(), 'get')"},
    {"require('lurcher.http').default().hooks.request = {print}",
     "return next(require('lurcher.http').default().hooks)"},
    {"require('lurcher.http').default().cookies:set{name = 'a', value = 'b', domain = 'a.test'}",
     "return require('lurcher.http').default().cookies:list()[1]"},
    {"require('lurcher.http').default():close()",
     "local _, e = require('lurcher.http').default():get('http://127.0.0.1:1') return e.kind ~= 'denied'"},
    {"rawset(require('lurcher.http').raising(), 'mine', 1)",
     "return rawget(require('lurcher.http').raising(), 'mine')"},
    /* whatever a script can get hold of: none of it is the next one's */
    {"WALK local mark = walk(function(t) rawset(t, 'left behind', true) end)",
     "WALK local found walk(function(t) found = found or rawget(t, 'left behind') end) return found"},
};

/* Visits every table that can be reached without calling unknown functions. */
static const char walk[] =
    "local function walk(visit)\n"
    "  local seen, keys = {}, {'__index', '__newindex', '__metatable', '__call', '__tostring', 'methods',\n"
    "    'native', 'defaults', 'settings', 'jar', 'cookies', 'headers', 'request', 'response', 'cause'}\n"
    "  local function go(v)\n"
    "    local kind = type(v)\n"
    "    if kind ~= 'table' and kind ~= 'userdata' or seen[v] then return end\n"
    "    seen[v] = true\n"
    "    if kind == 'table' then\n"
    "      for k, m in next, v do go(k) go(m) end\n"
    "      visit(v)\n"
    "    end\n"
    "    for _, k in ipairs(keys) do\n"
    "      local ok, m = pcall(function() return v[k] end)\n"
    "      if ok then go(m) end\n"
    "    end\n"
    "    go(getmetatable(v))\n"
    "  end\n"
    "  local http, task, json = require('lurcher.http'), require('lurcher.task'), require('lurcher.json')\n"
    "  local roots = {http.client{}, http.default(), http.raising(), http.raising().default(), "
    "http.client{retry = {}}, task.queue(), task.event(), "
    "task.semaphore(1),\n"
    "    task.limiter{rate = 1}, task.spawn(print), select(2, json.decode('x')), json.null,\n"
    "    require('lurcher.url').parse('http://a/?b=c'), require('lurcher.breaker').new and 1}\n"
    "  for _, name in ipairs{'clock', 'crypto', 'csv', 'curl', 'date', 'fs', 'log', 'metrics', 'mock', "
    "'pages',\n"
    "    'process', 'progress', 'retry', 'server', 'sse', 'ws'} do\n"
    "    roots[#roots + 1] = require('lurcher.' .. name)\n"
    "  end\n"
    "  go(roots) go(_G)\n"
    "end\n";

static void open_sandbox(host *h, unsigned libraries)
{
  static const char *const arguments[] = {"given"};
  lur_options options;
  *h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = h;
  options.print = host_print;
  options.libraries = libraries;
  options.memory_limit = 64 * 1024 * 1024;
  if (!check(lur_open(&h->runtime, &options) == LUR_OK)) exit(1);
  check(lur_set_arg(h->runtime, "script.lua", 1, arguments) == LUR_OK);
  check(lur_set_json(h->runtime, "value", "{\"a\":1}", 7) == LUR_OK);
}

/* Runs it; what it prints begins with "got" when it returned something. */
static void run_trick(host *h, const char *source)
{
  char script[8192];
  bool walks = strncmp(source, "WALK", 4) == 0;
  h->output_length = 0;
  h->output[0] = 0;
  snprintf(script, sizeof script,
           "%slocal print, tostring = print, tostring local ok, got = pcall(function() %s\nend)\n"
           "print(ok and got and 'got ' .. tostring(got) or 'held', got)",
           walks ? walk : "", walks ? source + 4 : source);
  if (!check(host_start(h, script, NULL) == LUR_OK)) fprintf(stderr, "%s\n", lur_error(h->runtime));
  check(lur_run(h->runtime) == LUR_OK);
}

static void expect_held(host *h, const char *source)
{
  run_trick(h, source);
  bool held = h->status == LUR_OK && strncmp(h->output, "held", 4) == 0;
  if (!check(held)) fprintf(stderr, "%s\n  %d %s%s\n", source, h->status, h->report, h->output);
}

static void test_tricks(void)
{
  host h;
  open_sandbox(&h, LUR_SANDBOX);
  for (size_t i = 0; i < sizeof tricks / sizeof *tricks; i++) expect_held(&h, tricks[i]);
  host_close(&h);
}

static void test_traces(void)
{
  host h;
  open_sandbox(&h, LUR_SANDBOX);
  for (size_t i = 0; i < sizeof traces / sizeof *traces; i++) {
    run_trick(&h, traces[i][0]);
    expect_held(&h, traces[i][1]);
  }
  host_close(&h);
}

/* What a sandboxed script has works. */
static void test_what_there_is(void)
{
  static const char *const works[] = {
      "return os.time() > 0 and os.date('%Y') and os.clock() and os.difftime(2, 1) == 1",
      "return collectgarbage('count') > 0",
      "return load('return 1 + ...')(1) == 2",
      "x = 5 return load('return x')() == 5 and _G.x == 5 and _G._G == _G",
      "return load('return y', 'n', 't', {y = 7})() == 7",
      "return arg[1] == 'given'",
      "local c = setmetatable({}, {__index = {a = 1}}) return c.a == 1 and getmetatable(c).__index.a == 1",
      "return getmetatable(setmetatable({}, {__metatable = 'mine'})) == 'mine'",
      "return ('x'):rep(3) == 'xxx' and ('%d %s'):format(1, true) == '1 true' and ('100%%p'):format() == "
      "'100%p'",
      "return require('host').value.a == 1",
      "return require('lurcher.json') == require('lurcher.json')",
      "return bit.band(5, 4) == 4 and require('bit') == bit and require('string') == string",
      "math.randomseed(3) local a = math.random(100) math.randomseed(3) return a == math.random(100)",
      "return tostring(setmetatable({}, {__tostring = function() return 'shown' end})) == 'shown'",
      "local a, b = {}, {} return tostring(a) == tostring(a) and tostring(a) ~= tostring(b)",
      "local task = require('lurcher.task') return task.spawn(function() task.sleep(0) return 1 end):join() "
      "== 1",
      "local json = require('lurcher.json') return json.encode(json.decode('{\"a\":[1,null]}')) == "
      "'{\"a\":[1,null]}'",
      "return not pcall(require, 'lurcher.htp')",
      "for _, f in ipairs{function() local a = ('%p'):format({}) end, function() local a = os.getenv() end, "
      "function() local a = coroutine.wrap(1) end, function() local a = coroutine.resume(1) end} do "
      "local _, e = pcall(f) if not e:find('^script.lua:%d+: [bi][an][dv]') then return error(e) end end "
      "return true",
      "local ok, e = pcall(require, 'lurcher.htp') return e:find(\"did you mean 'lurcher.http'\", 1, true)",
  };
  host h;
  open_sandbox(&h, LUR_SANDBOX);
  for (size_t i = 0; i < sizeof works / sizeof *works; i++) {
    run_trick(&h, works[i]);
    if (!check(strncmp(h.output, "got", 3) == 0))
      fprintf(stderr, "%s\n  %s%s\n", works[i], h.report, h.output);
  }
  host_close(&h);
}

/* A mock is under the clients of the script that put it there, while others run. */
static void test_installed(void)
{
  static const char installs[] =
      "local task, mock = require('lurcher.task'), require('lurcher.mock')\n"
      "local m = mock.new() m:on('GET', '^http://.*$'):reply(200, 'MOCK'):persist() m:install()\n"
      "require('lurcher.http').get('http://a.test/')\n"
      "for _ = 1, 20 do task.yield() end print('mine ' .. "
      "require('lurcher.http').get('http://a.test/').body)";
  static const char asks[] =
      "local http, task = require('lurcher.http'), require('lurcher.task')\n"
      "local made = http.client{} for _ = 1, 5 do task.yield() end\n"
      "for _, c in ipairs{http, made, http.client{}, http.default()} do\n"
      "local _, e = c.get(c ~= http and c or 'http://a.test/', c ~= http and 'http://a.test/' or nil)\n"
      "print(e and e.kind) end";
  host h;
  open_sandbox(&h, LUR_SANDBOX);
  check(host_start(&h, installs, NULL) == LUR_OK);
  check(host_start(&h, asks, NULL) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
  check(h.done == 2);
  check(strstr(h.output, "denied\ndenied\ndenied\ndenied\n") && strstr(h.output, "mine MOCK\n"));
  host_close(&h);
}

/* os.exit ends the script that calls it, and no other. */
static void test_exit(void)
{
  host h;
  open_sandbox(&h, LUR_SANDBOX);
  check(host_start(&h, "require('lurcher.task').sleep(0.01) print('lives')", NULL) == LUR_OK);
  check(host_start(&h, "pcall(os.exit, 3) print('went on')", NULL) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
  check(h.done == 2 && h.status == LUR_OK);
  check_string(h.output, "lives\n");
  run_trick(&h, "os.exit(1)");
  check(h.status == LUR_CANCELED);
  host_close(&h);
}

/* No name of a chunk makes a script's code the runtime's own, which limits do not interrupt. */
static void test_names(void)
{
  static const char *const scripts[] = {
      "load('while true do end', '@lurcher/x.lua')()",
      "load(function() return table.remove(parts) end, '@lurcher/task/prelude.lua')()",
      "load('while true do pcall(function() while true do end end) end', '@lurcher/x.lua', 't', _G)()",
  };
  for (size_t i = 0; i < sizeof scripts / sizeof *scripts; i++) {
    host h = {.status = LUR_INVALID};
    lur_options options;
    char script[256];
    lur_options_init(&options);
    options.ud = &h;
    options.print = host_print;
    options.libraries = LUR_SANDBOX;
    options.burst_seconds = 0.02;
    if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
    snprintf(script, sizeof script, "parts = {'while true do end'} %s", scripts[i]);
    check(host_start(&h, script, NULL) == LUR_OK);
    check(lur_run(h.runtime) == LUR_OK);
    check(h.status == LUR_LIMIT && strstr(h.report, "./lurcher/"));
    host_close(&h);
  }
}

/* Each bit gives its library, and none of the others. */
static void test_libraries(void)
{
  static const struct {
    unsigned library;
    const char *gives;
  } cases[] = {
      {LUR_LIB_IO, "return io and io.open"},
      {LUR_LIB_OS, "return os.remove and os.rename"},
      {LUR_LIB_FFI, "return pcall(require, 'ffi')"},
      {LUR_LIB_DEBUG, "return debug and debug.getinfo"},
      {LUR_LIB_JIT, "return jit and jit.status"},
      {LUR_LIB_PACKAGE, "return package and package.loaded"},
      {LUR_LIB_BYTECODE, "return string.dump and load(string.dump(function() return true end))()"},
  };
  size_t count = sizeof cases / sizeof *cases;
  for (size_t i = 0; i < count; i++) {
    host h;
    open_sandbox(&h, cases[i].library);
    for (size_t j = 0; j < count; j++) {
      if (i != j && cases[i].library == LUR_LIB_PACKAGE && cases[j].library == LUR_LIB_FFI) continue;
      run_trick(&h, cases[j].gives);
      if (!check((strncmp(h.output, "got", 3) == 0) == (i == j)))
        fprintf(stderr, "%u: %s\n  %s%s\n", cases[i].library, cases[j].gives, h.report, h.output);
    }
    host_close(&h);
  }
}

int main(void)
{
  test_tricks();
  test_traces();
  test_what_there_is();
  test_exit();
  test_installed();
  test_names();
  test_libraries();
  return unit_end();
}
