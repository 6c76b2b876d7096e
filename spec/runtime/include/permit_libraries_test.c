/* lur_options.permit where Lua's own libraries are given: io, os, package and ffi ask as well. */
#include "support/host.h"

static host h;
static char asked[8192], root[] = "/tmp/permit-XXXXXX";
static bool allows;

/* What is below the folder "in" is allowed, and with `allows` all the rest. */
static int permit(const lur_access *a, void *ud)
{
  char folder[64];
  (void)ud;
  size_t length = strlen(asked);
  snprintf(asked + length, sizeof asked - length, "%d %s\n", a->kind, a->name);
  snprintf(folder, sizeof folder, "%s/in/", root);
  bool is_file = a->kind == LUR_READ || a->kind == LUR_WRITE;
  return allows || (is_file && !strncmp(a->name, folder, strlen(folder)));
}

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
  snprintf(whole, sizeof whole, "local root = '%s'\n%s", root, source);
  check(host_start(&h, whole, NULL) == LUR_OK);
  check(lur_run(h.runtime) == LUR_OK);
  check_string(h.report, "");
}

/* Each gives nil and an error of kind "denied", or raises one. */
static const char *const refused[] = {
    "io.open(root .. '/out/secret')",
    "io.open(root .. '/in/../out/secret')",
    "io.open(root .. '/in/link')",
    "io.open(root .. '/in/folder/secret')",
    "io.open(root .. '/out/secret', 'r+')",
    "io.open(root .. '/out/secret', 'w')",
    "io.open(root .. '/out/new', 'a')",
    "io.open(root .. '/in/dangling', 'w')",
    "io.lines(root .. '/out/secret')",
    "io.input(root .. '/out/secret')",
    "io.output(root .. '/out/secret')",
    "io.popen('true')",
    "io.tmpfile()",
    "os.remove(root .. '/out/secret')",
    "os.remove(root .. '/in/folder/secret')",
    "os.rename(root .. '/out/secret', root .. '/in/mine')",
    "os.rename(root .. '/in/file', root .. '/out/file')",
    "os.tmpname()",
    "os.getenv 'HOME'",
    "os.execute 'true'",
    "loadfile(root .. '/out/secret')",
    "loadfile()",
    "dofile(root .. '/out/secret')",
    "package.loadlib(root .. '/in/x.so', '*')",
    "require 'ffi'",
    "package.preload.ffi()",
    "require 'some.module'",
    "package.loaders[2]('secret')",
    "package.loaders[3]('secret')",
    "package.loaders[4]('secret.too')",
    "package.searchpath('secret', package.path)",
    "require('lurcher.process').run('true')",
    "require('lurcher.process').run('/bin/true')",
    "require('lurcher.server').start(print)",
    "require('lurcher.server').start(print, { unix_socket = root .. '/out/socket' })",
    "require('lurcher.server').start(print, { tls = { cert = root .. '/out/secret' } })",
    "require('lurcher.http').get('http://127.0.0.1:1', { tls = { ca = root .. '/out/secret' } })",
    "require('lurcher.http').get('http://127.0.0.1:1', { body = require('lurcher.http').file(root .. "
    "'/out/secret') })",
};

static void test_refused(void)
{
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    char source[1024];
    snprintf(source, sizeof source,
             "package.path, package.cpath = root .. '/out/?.lua', root .. '/out/?.so'\n"
             "local ok, value, err = pcall(function() return %s end)\n"
             "if ok then ok = value value = err end print(ok and 'done' or type(value) == 'table' and "
             "value.kind or "
             "value)",
             refused[i]);
    run(source);
    if (!check(!strcmp(h.output, "denied\n"))) fprintf(stderr, "%s: %s", refused[i], h.output);
  }
  char path[128];
  snprintf(path, sizeof path, "%s/out/new", root);
  check(access(path, F_OK) != 0);
  snprintf(path, sizeof path, "%s/out/secret", root);
  check(access(path, F_OK) == 0);
}

static void test_allowed(void)
{
  run("local function write(name, text) local f = assert(io.open(root .. name, 'w')) f:write(text) f:close() "
      "end\n"
      "write('/in/a', 'one\\ntwo\\n') write('/in/%%p', 'x') local f = assert(io.open(root .. '/in/a', "
      "'a+'))\n"
      "f:write('three') f:seek('set') print(f:read('*a')) f:close()\n"
      "for line in io.lines(root .. '/in/a') do print(line) end print(io.open(root .. '/in/none'))\n"
      "print(pcall(io.open, root .. '/in/a', 'bad')) print(os.rename(root .. '/in/a', root .. '/in/b'))\n"
      "write('/in/m.lua', '#!x\\nreturn {...}') print(loadfile(root .. '/in/m.lua')(7)[1], dofile(root .. "
      "'/in/m.lua')[1])\n"
      "io.output(root .. '/in/out') io.write 'given' io.close() io.output(io.stdout)\n"
      "io.input(root .. '/in/out') print(io.read '*a') io.input(io.stdin)\n"
      "print(os.remove(root .. '/in/b')) print(os.remove(root .. '/in/b'))");
  char wanted[1024];
  snprintf(wanted, sizeof wanted,
           "one\ntwo\nthree\none\ntwo\nthree\nnil\t%s/in/none: No such file or directory\t2\n", root);
  check(!strncmp(h.output, wanted, strlen(wanted)));
  snprintf(wanted, sizeof wanted, "\ntrue\n7\tnil\ngiven\ntrue\nnil\t%s/in/b: No such file or directory\t2\n",
           root);
  const char *end = h.output + strlen(h.output) - strlen(wanted);
  if (!check(end > h.output && !strcmp(end, wanted))) fprintf(stderr, "%s", h.output);
}

static void test_everything_allowed(void)
{
  allows = true;
  run("package.path = root .. '/none/?.lua;' .. root .. '/in/?.lua' package.cpath = ''\n"
      "print(require('m')[1], type(require('ffi').C), package.searchpath('m', package.path) == root .. "
      "'/in/m.lua')\n"
      "print(type(os.getenv('PATH')), os.execute('true'), io.popen('echo hello'):read('*a'))\n"
      "print(require('lurcher.process').run('echo', { 'there' }).stdout)\n"
      "print(select(2, pcall(require, 'none.such')):gsub('\\n.*', ''))");
  check_string(
      h.output,
      "m\tuserdata\ttrue\nstring\t0\thello\n\nthere\n\nscript.lua:6: module 'none.such' not found:\t1\n");
  allows = false;
}

int main(void)
{
  char command[256];
  if (!check(mkdtemp(root) != NULL)) return unit_end();
  snprintf(
      command, sizeof command,
      "cd %s && mkdir in out && echo 'return 1' >out/secret && cp out/secret out/secret.lua && cp out/secret "
      "out/secret.so && ln -s ../out in/folder && ln -s ../out/secret in/link && ln -s ../out/new "
      "in/dangling && "
      "echo x >in/file",
      root);
  check(system(command) == 0);
  open_host();
  test_refused();
  test_allowed();
  test_everything_allowed();
  host_close(&h);
  snprintf(command, sizeof command, "rm -r %s", root);
  check(system(command) == 0);
  return unit_end();
}
