/* What --allow-net and --deny-net say. */
#ifndef LURCHER_CLI_NET_RULES_H
#define LURCHER_CLI_NET_RULES_H

#include "lurcher.h"

#include <stdbool.h>
#include <stddef.h>

typedef enum {
  NET_PUBLIC, /* all that is not private */
  NET_NAME,   /* a host */
  NET_DOMAIN, /* every name below it: "*.example.com" */
  NET_RANGE,  /* addresses: 10.0.0.0/8, ::1 */
  NET_SOCKET, /* a Unix socket: the path */
} net_rule_kind;

typedef struct {
  net_rule_kind kind;
  char *text;              /* the name, the domain with its dot, the path */
  unsigned char bytes[16]; /* of a range, as IPv6 has it */
  int bits;
  int port; /* 0: any */
} net_rule;

typedef struct {
  net_rule *rules;
  size_t count;
} net_rules;

/* Adds what a value says, "HOST:PORT,10.0.0.0/8"; NULL: public addresses. False: what is wrong was told. */
bool net_rules_add(net_rules *r, const char *flag, const char *value);

/* Whether a name, an address or a place to listen on is among those allowed … */
bool net_rules_allow(const net_rules *r, const lur_access *access);

/* … and those denied. */
bool net_rules_deny(const net_rules *r, const lur_access *access);

#endif
