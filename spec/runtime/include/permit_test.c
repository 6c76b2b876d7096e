/* lur_options.permit: what it is asked, when, and what its answer means. */
#include "support/host.h"

#include "lurcher_lua.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <lauxlib.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

static host h;
static char asked[16384];
static int (*decide)(const lur_access *access);
static bool raises, calls_back;

/* "turn.test" has another address each time; "two.test" has two, the first of them denied. */
__attribute__((visibility("default"))) int getaddrinfo(const char *name, const char *service,
                                                       const struct addrinfo *hints, struct addrinfo **found)
{
  static unsigned turn;
  int (*usual)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
  *(void **)&usual = dlsym(RTLD_NEXT, "getaddrinfo");
  if (name && !strcmp(name, "turn.test"))
    return usual(turn++ % 2 ? "127.0.0.2" : "127.0.0.1", service, hints, found);
  if (name && !strcmp(name, "denied.test")) return usual("127.0.0.2", service, hints, found);
  if (name && !strncmp(name, "open.test", 9)) return usual("127.0.0.1", service, hints, found);
  if (!name || strcmp(name, "two.test")) return usual(name, service, hints, found);
  int failed = usual("127.0.0.2", service, hints, found);
  return failed ? failed : usual("127.0.0.1", service, hints, &(*found)->ai_next);
}

static void write_address(char *text, size_t size, const struct sockaddr *address)
{
  const void *any = address;
  *text = 0;
  if (!address) return;
  if (address->sa_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in *)any)->sin_addr, text, (socklen_t)size);
  if (address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)any)->sin6_addr, text, (socklen_t)size);
  if (address->sa_family == AF_UNIX) snprintf(text, size, "%s", ((const struct sockaddr_un *)any)->sun_path);
  if (address->sa_family == AF_UNSPEC) snprintf(text, size, "unknown");
}

static int permit(const lur_access *a, void *ud)
{
  static const char *const kinds[] = {"name", "address", "listen", "read",  "write",
                                      "env",  "run",     "ffi",    "module"};
  char address[128];
  check(ud == &h && a->size == sizeof *a);
  check(a->task == h.task);
  write_address(address, sizeof address, a->address);
  size_t length = strlen(asked);
  snprintf(asked + length, sizeof asked - length, "%s %s%s%s%s%s%s\n", kinds[a->kind], a->name,
           *a->name && *address ? " " : "", address, a->why ? " (" : "", a->why ? a->why : "",
           a->why ? ")" : "");
  if (calls_back) {
    lur_task *task;
    check(lur_start(h.runtime, "@x", "", 0, 0, NULL, NULL, NULL, &task) == LUR_INVALID);
    check(lur_run(h.runtime) == LUR_INVALID);
    check(lur_set_json(h.runtime, "x", "1", 1) == LUR_INVALID);
    lur_task_cancel(a->task, "no");
    lur_close(h.runtime, NULL, NULL);
  }
  if (raises) luaL_error(lur_lua(h.runtime), "raised by the host");
  return decide ? decide(a) : 1;
}

static int deny(const lur_access *a)
{
  (void)a;
  return 0;
}

static int is_first(const lur_access *a)
{
  if (a->kind != LUR_NET_ADDRESS) return 1;
  const struct sockaddr_in *four = (const void *)a->address;
  return four->sin_family == AF_INET && ntohl(four->sin_addr.s_addr) == 0x7f000001;
}

static int not_denied_name(const lur_access *a) { return strcmp(a->name, "denied.test") != 0; }

static void open_host(void)
{
  lur_options options;
  h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = &h;
  options.print = host_print;
  options.permit = permit;
  if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
}

static void run(const char *source)
{
  char whole[4096];
  h.output_length = 0;
  *h.output = *asked = 0;
  snprintf(whole, sizeof whole,
           "local http, server, fs, task = require('lurcher.http'), require('lurcher.server'), "
           "require('lurcher.fs'), require('lurcher.task')\n"
           "local function tell(res, err) print(res and (res.body or res) or err.kind .. ': ' .. "
           "err.message) end\n"
           "%s",
           source);
  check(host_start(&h, whole, NULL) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
  check_string(h.report, "");
}

static bool was_asked(const char *line) { return strstr(asked, line) != NULL; }

static int count_asked(const char *line)
{
  int count = 0;
  for (const char *at = asked; (at = strstr(at, line)); at += strlen(line)) count++;
  return count;
}

/* Two servers of one port: what is allowed, and what no request may come to. */
#define SERVERS                                                                                              \
  "local reached = 0\n"                                                                                      \
  "local function answer(req) return req.path == '/go' and "                                                 \
  "{ status = 302, headers = { Location = req.headers['X-To'] } } or 'hello' end\n"                          \
  "local s = server.start(answer)\n"                                                                         \
  "local d = server.start(function() reached = reached + 1 return 'SECRET' end, "                            \
  "{ host = '127.0.0.2', port = s.port })\n"                                                                 \
  "local c = http.client { retry = false }\n"                                                                \
  "local function go(to) return { headers = { ['X-To'] = to } } end\n"

#define END " c:close() s:stop() d:stop() print(reached)"

static void test_asked(void)
{
  run(SERVERS "for i = 1, 3 do tell(c:get(s.url .. '/' .. i)) end" END);
  check_string(h.output, "hello\nhello\nhello\n0\n");
  check(was_asked("listen 127.0.0.1\n"));
  check(count_asked("name 127.0.0.1\n") == 3);
  check(count_asked("address 127.0.0.1 127.0.0.1\n") == 3); /* one connection, used again twice */
  run(SERVERS
      "tell(c:get('http://Open.Test.:' .. s.port .. '/go', go('http://0x7f.1:' .. s.port .. '/x')))" END);
  check_string(h.output, "hello\n0\n");
  check(was_asked("name open.test\n") && was_asked("address open.test 127.0.0.1\n"));
  check(was_asked("name 127.0.0.1\n"));
}

static void test_names(void)
{
  decide = not_denied_name;
  run(SERVERS
      "tell(c:get('http://Denied.Test:1')) tell(c:get(s.url .. '/go', go('http://denied.test.:2/x')))" END);
  check_string(h.output, "denied: a request to denied.test:1 is not permitted\n"
                         "denied: a request to denied.test:2 is not permitted\n0\n");
  check(!was_asked("address denied.test"));
}

static void test_addresses(void)
{
  decide = is_first;
  run(SERVERS "for i = 1, 4 do local c = http.client { retry = false } local res, err = "
              "c:get('http://turn.test:' .. s.port) tell(res or { body = err.kind }) c:close() end "
              "tell(c:get('http://two.test:' .. s.port))" END);
  check_string(h.output, "hello\ndenied\nhello\ndenied\nhello\n0\n");
  run(SERVERS
      "local _, err = c:get('http://denied.test:' .. s.port) print(err.kind, err.phase, err.retryable, "
      "(err.message:gsub('%d+ ', 'PORT ')))" END);
  check_string(h.output,
               "denied\tconnect\tfalse\ta connection to 127.0.0.2:PORT (denied.test) is not permitted\n0\n");
}

static void flip(lur_call *call, void *ud)
{
  (void)ud;
  decide = deny;
  lur_return_nil(call);
}

/* What was allowed is not for ever: a connection that is there is asked for again. */
static void test_reuse(void)
{
  decide = NULL;
  check(lur_register(h.runtime, "flip", flip, NULL) == LUR_OK);
  run(SERVERS "tell(c:get(d.url)) require('host').flip() tell(c:get(d.url))" END);
  check(strstr(h.output, "SECRET\ndenied: a request to 127.0.0.2:") && strstr(h.output, "\n1\n"));
  decide = is_first;
  run(SERVERS "tell(c:get(s.url)) tell(c:get(d.url))" END);
  check(strstr(h.output, "hello\ndenied: a connection to 127.0.0.2:") && strstr(h.output, "\n0\n"));
}

static void test_proxies(void)
{
  decide = NULL;
  run(SERVERS "local p = http.client { retry = false, proxy = s.url } tell(p:get('http://denied.test:7/')) "
              "tell(p:get('http://10.0.0.1:7/')) p:close()" END);
  check_string(h.output, "hello\nhello\n0\n");
  check(was_asked("name denied.test\n") && was_asked("address denied.test unknown (through a proxy)\n"));
  check(was_asked("address 10.0.0.1 10.0.0.1 (through a proxy)\n"));
  check(was_asked("name 127.0.0.1 (a proxy)\n") && was_asked("address 127.0.0.1 127.0.0.1 (a proxy)\n"));
}

/* The callback raises, and calls what it must not. */
static void test_bad_callbacks(void)
{
  decide = NULL;
  raises = true;
  run("tell(http.get('http://127.0.0.1:1')) tell(server.start(print)) tell(fs.read('/etc/hosts'))");
  check_string(h.output, "denied: a request to 127.0.0.1:1 is not permitted\n"
                         "denied: listening on 127.0.0.1 is not permitted\n"
                         "denied: reading /etc/hosts is not permitted\n");
  raises = false;
  calls_back = true;
  run(SERVERS "tell(c:get(s.url))" END);
  check_string(h.output, "hello\n0\n");
  calls_back = false;
}

static int only_below(const lur_access *a)
{
  const char *allowed = getenv("PERMIT_FOLDER");
  if (a->kind != LUR_READ && a->kind != LUR_WRITE) return 1;
  check(a->name[0] == '/' && !strstr(a->name, "//") && !strstr(a->name, "/."));
  return !strncmp(a->name, allowed, strlen(allowed));
}

static void test_files(void)
{
  char root[] = "/tmp/permit-XXXXXX", source[2048];
  if (!check(mkdtemp(root) != NULL)) return;
  snprintf(source, sizeof source, "%s/in", root);
  setenv("PERMIT_FOLDER", source, 1);
  decide = NULL;
  snprintf(
      source, sizeof source,
      "assert(fs.mkdir('%s/in')) assert(fs.write('%s/secret', 'SECRET')) print(fs.exists('%s/in/../secret'))",
      root, root, root);
  run(source);
  snprintf(source, sizeof source, "read %s/secret\n", root);
  check(was_asked(source));
  snprintf(source, sizeof source, "%s/in/link", root);
  check(symlink("../secret", source) == 0);
  decide = only_below;
  snprintf(
      source, sizeof source,
      "local root = '%s/in' assert(fs.write(root .. '/a', 'x')) tell(fs.read(root .. '//./a'))\n"
      "local function kind(_, err) print(err and err.kind) end\n"
      "kind(fs.read(root .. '/link')) kind(fs.write(root .. '/link', 'x')) kind(fs.append(root .. '/link', "
      "'x'))\n"
      "kind(fs.rename(root .. '/../secret', root .. '/b')) kind(fs.copy(root .. '/link', root .. '/b'))\n"
      "kind(fs.list(root .. '/..')) kind(fs.remove(root .. '/../secret')) kind(fs.remove(root .. '/link'))",
      root);
  run(source);
  check_string(h.output, "x\ndenied\ndenied\ndenied\ndenied\ndenied\ndenied\ndenied\nnil\n");
  decide = NULL;
  snprintf(source, sizeof source, "tell(fs.read('%s/secret')) assert(fs.remove('%s', { recursive = true }))",
           root, root);
  run(source);
  check_string(h.output, "SECRET\n");
}

/* In the sandbox silence is no permission. */
static void test_sandbox(void)
{
  lur_options options;
  h = (host){.status = LUR_INVALID};
  lur_options_init(&options);
  options.ud = &h;
  options.print = host_print;
  options.libraries = LUR_SANDBOX;
  options.names_flags = 1;
  if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
  run("tell(http.get('http://127.0.0.1:1')) tell(fs.read('/etc/hosts')) tell(os.getenv 'HOME') "
      "tell(server.start(print, { host = '::1', port = 8080 })) "
      "tell(require('lurcher.process').run('true'))");
  check_string(h.output, "denied: a request to 127.0.0.1:1 is not permitted: --allow-net=127.0.0.1:1\n"
                         "denied: reading /etc/hosts is not permitted: --allow-read=/etc/hosts\n"
                         "denied: the environment variable HOME is not permitted: --allow-env=HOME\n"
                         "denied: listening on [::1]:8080 is not permitted: --allow-net=[::1]:8080\n"
                         "denied: running true is not permitted: --allow-run=true\n");
  host_close(&h);
}

/* A host that was built before names_flags was there, and one whose options end at `permit`. */
static void test_sizes(void)
{
  size_t sizes[] = {offsetof(lur_options, names_flags), offsetof(lur_options, libraries)};
  for (int i = 0; i < 2; i++) {
    lur_options options;
    h = (host){.status = LUR_INVALID};
    lur_options_init_sized(&options, sizes[i]);
    options.ud = &h;
    options.print = host_print;
    options.permit = permit;
    decide = deny;
    if (!check(lur_open(&h.runtime, &options) == LUR_OK)) exit(1);
    run("tell(fs.read('/etc/hosts')) print(type(io))");
    check_string(h.output, "denied: reading /etc/hosts is not permitted\ntable\n");
    host_close(&h);
  }
}

int main(void)
{
  test_sandbox();
  test_sizes();
  decide = NULL;
  open_host();
  test_asked();
  test_names();
  test_addresses();
  test_reuse();
  test_proxies();
  test_bad_callbacks();
  test_files();
  host_close(&h);
  check(h.closed == 1);
  return unit_end();
}
