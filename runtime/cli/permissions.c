#include "permissions.h"

#include "net_rules.h"
#include "output.h"
#include "path_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static struct {
  net_rules allowed_net, denied_net;
  path_rules read, write, variables, programs;
  path_rules told; /* the flags that were */
  bool given;
} rules;

bool permissions_allow_net(const char *value)
{
  rules.given = true;
  return net_rules_add(&rules.allowed_net, "--allow-net", value);
}

bool permissions_deny_net(const char *value)
{
  rules.given = true;
  return net_rules_add(&rules.denied_net, "--deny-net", value);
}

bool permissions_allow_read(const char *value)
{
  rules.given = true;
  return path_rules_add(&rules.read, "--allow-read", value);
}

bool permissions_allow_write(const char *value)
{
  rules.given = true;
  return path_rules_add(&rules.write, "--allow-write", value);
}

bool permissions_allow_env(const char *value)
{
  rules.given = true;
  return path_rules_add_names(&rules.variables, "--allow-env", value);
}

bool permissions_allow_run(const char *value)
{
  rules.given = true;
  return path_rules_add_names(&rules.programs, "--allow-run", value);
}

bool permissions_given(void) { return rules.given; }

void permissions_each_path(bool written, void (*visit)(const char *path, void *user), void *user)
{
  const path_rules *paths = written ? &rules.write : &rules.read;
  for (size_t i = 0; i < paths->count; i++) visit(paths->texts[i], user);
}

bool permissions_allow_programs(void) { return rules.programs.count > 0; }

bool permissions_allow_variable(const char *variable)
{
  for (size_t i = 0; i < rules.variables.count; i++) {
    size_t length = strlen(rules.variables.texts[i]);
    if (!strncmp(variable, rules.variables.texts[i], length) && variable[length] == '=') return true;
  }
  return false;
}

void permissions_get_reach(permissions_reach *reach)
{
  *reach = (permissions_reach){0};
  for (size_t i = 0; i < rules.allowed_net.count; i++) {
    const net_rule *rule = &rules.allowed_net.rules[i];
    bool is_socket = rule->kind == NET_SOCKET;
    reach->sockets |= is_socket;
    reach->internet |= !is_socket;
    reach->any_port |= !is_socket && !rule->port;
  }
}

void permissions_each_port(void (*visit)(int port, void *user), void *user)
{
  enum { ANY = 0, DNS = 53 };
  permissions_reach reach;
  permissions_get_reach(&reach);
  if (!reach.internet) return;
  visit(ANY, user);
  visit(DNS, user);
  for (size_t i = 0; i < rules.allowed_net.count; i++)
    if (rules.allowed_net.rules[i].port) visit(rules.allowed_net.rules[i].port, user);
}

void permissions_each_socket(void (*visit)(const char *path, void *user), void *user)
{
  for (size_t i = 0; i < rules.allowed_net.count; i++)
    if (rules.allowed_net.rules[i].kind == NET_SOCKET) visit(rules.allowed_net.rules[i].text, user);
}

/* "/proc/self" was resolved when the flags were read. */
static void follow_fork(path_rules *r, pid_t before)
{
  char old[32], *moved;
  int length = snprintf(old, sizeof old, "/proc/%d", (int)before);
  for (size_t i = 0; i < r->count; i++) {
    const char *rest = r->texts[i] + length;
    if (strncmp(r->texts[i], old, (size_t)length) != 0 || (*rest && *rest != '/')) continue;
    if (asprintf(&moved, "/proc/%d%s", (int)getpid(), rest) < 0) abort();
    free(r->texts[i]);
    r->texts[i] = moved;
  }
}

void permissions_follow_fork(pid_t before)
{
  follow_fork(&rules.read, before);
  follow_fork(&rules.write, before);
}

static int allows(const lur_access *access, void *ud)
{
  (void)ud;
  switch (access->kind) {
  case LUR_NET_NAME:
  case LUR_NET_ADDRESS:
  case LUR_LISTEN:
    return net_rules_allow(&rules.allowed_net, access) && !net_rules_deny(&rules.denied_net, access);
  case LUR_READ:
    return path_rules_cover(&rules.read, access->name);
  case LUR_WRITE:
    return path_rules_cover(&rules.write, access->name);
  case LUR_ENV:
    return path_rules_have(&rules.variables, access->name);
  case LUR_RUN:
    return path_rules_have(&rules.programs, access->name);
  case LUR_MODULE: /* its file has to be readable */
    return 1;
  default:
    return 0;
  }
}

/* ---- --sandbox=log ---- */

static bool is_numeric(const char *name)
{
  unsigned char ignored[sizeof(struct in6_addr)];
  return inet_pton(AF_INET, name, ignored) == 1 || inet_pton(AF_INET6, name, ignored) == 1;
}

/* An address that stands for another one counts for itself only. */
static void host_of(const lur_access *access, char *text, size_t size)
{
  const void *any = access->address;
  bool has_address = any && access->address->sa_family != AF_UNSPEC;
  *text = '\0';
  if (*access->name && !(has_address && is_numeric(access->name)))
    snprintf(text, size, "%s", access->name);
  else if (access->address && access->address->sa_family == AF_INET)
    inet_ntop(AF_INET, &((const struct sockaddr_in *)any)->sin_addr, text, (socklen_t)size);
  else if (access->address && access->address->sa_family == AF_INET6)
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)any)->sin6_addr, text, (socklen_t)size);
}

/* The flag that would allow it; false: there is none, or it is no matter. */
static bool flag_for(const lur_access *access, char *text, size_t size)
{
  static const char *const flags[] = {[LUR_READ] = "--allow-read",
                                      [LUR_WRITE] = "--allow-write",
                                      [LUR_ENV] = "--allow-env",
                                      [LUR_RUN] = "--allow-run"};
  const void *any = access->address;
  char host[300], port[16] = "";
  if (access->kind >= LUR_READ) {
    bool has_flag = access->kind <= LUR_RUN && !(access->kind == LUR_ENV && access->why);
    if (has_flag) snprintf(text, size, "%s=%s", flags[access->kind], access->name);
    return has_flag;
  }
  if (access->address && access->address->sa_family == AF_UNIX) {
    snprintf(text, size, "--allow-net=%s", ((const struct sockaddr_un *)any)->sun_path);
    return true;
  }
  host_of(access, host, sizeof host);
  if (access->port) snprintf(port, sizeof port, ":%d", access->port);
  bool is_six = strchr(host, ':');
  snprintf(text, size, "--allow-net=%s%s%s%s", is_six ? "[" : "", host, is_six ? "]" : "", port);
  return !(access->kind == LUR_NET_NAME && access->why && !strcmp(access->why, "a Unix socket"));
}

static int tells(const lur_access *access, void *ud)
{
  char flag[4400], line[4500];
  if (allows(access, ud) || !flag_for(access, flag, sizeof flag) || path_rules_have(&rules.told, flag))
    return 1;
  path_rules_note(&rules.told, flag);
  snprintf(line, sizeof line, "the sandbox would want %s", flag);
  output_report(line);
  return 1;
}

/* One names a file that is written with the keys of each connection, the other what OpenSSL is to load. */
static void forget_tls_environment(void)
{
  unsetenv("SSLKEYLOGFILE");
  unsetenv("OPENSSL_CONF");
}

void permissions_connect(lur_options *options, bool only_tells)
{
  if (!only_tells) forget_tls_environment();
  options->libraries = LUR_SANDBOX;
  options->permit = only_tells ? tells : allows;
  options->names_flags = 1;
}
