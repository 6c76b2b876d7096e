/* What the host lets scripts touch: asked by whoever is about to touch it for them. */
#ifndef LURCHER_CORE_PERMIT_H
#define LURCHER_CORE_PERMIT_H

#include "core/error.h"

#include <stdbool.h>

struct sockaddr;

/* In the order of lurcher.h. */
typedef enum {
  PERMIT_NET_NAME,
  PERMIT_NET_ADDRESS,
  PERMIT_LISTEN,
  PERMIT_READ,
  PERMIT_WRITE,
  PERMIT_ENV,
  PERMIT_RUN,
  PERMIT_FFI,
  PERMIT_MODULE,
} permit_kind;

/* All of it borrowed. */
typedef struct {
  permit_kind kind;
  const char *name; /* "" where there is none */
  int port;
  const struct sockaddr *address; /* of the network; NULL for the rest */
  const char *why;                /* for whom or what, where the name does not say it: "a proxy"; or NULL */
  const char *flagged;            /* what the flag has to hold, where that is another name; or NULL */
} permit_request;

typedef struct permit permit;

struct permit {
  /* `owner`: the task that an operation belongs to; NULL: the one that runs. */
  bool (*ask)(const permit *p, const permit_request *request, const void *owner);
  bool names_flags; /* refusals name the command's flag that would allow it */
};

/* Asks; `p` may be NULL: then everything is allowed. False: kind "denied", and the message names what was
 * refused. */
bool permit_check(const permit *p, const permit_request *request, const void *owner, error *e);

/* The address of numeric text, whose family is none when it is no address: "a name whose address is only
 * known elsewhere". `address` has room for any. */
void permit_address_of(const char *text, int port, struct sockaddr *address);

#endif
