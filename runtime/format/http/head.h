/* Response heads: collected line by line as libcurl hands them over, and checked, because libcurl lets
 * several malformed ones pass. Also look-ups in the collected block, and checks of what a request may send.
 */
#ifndef LURCHER_NET_HEAD_H
#define LURCHER_NET_HEAD_H

#include "core/buffer.h"
#include "core/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { HEAD_INTERIM_LIMIT = 100, HEAD_REASON_SIZE = 48 };

/* What a head holds that somebody must act on; most hold none of it. */
typedef enum {
  HEAD_SETS_COOKIES = 1, /* Set-Cookie */
  HEAD_LIMITS_RATE = 2,  /* Retry-After, RateLimit-…, X-RateLimit-…, X-Rate-Limit-… */
} head_flags;

typedef struct {
  /* Set by the user, kept by head_reset. */
  size_t limit;         /* bytes of all lines together; SIZE_MAX: none */
  bool http2_allowed;   /* an "HTTP/2" status line is fine: that is what was negotiated */
  bool upgrade_allowed; /* a 101 was asked for; it is then a final response */

  /* Private. */
  bool in_head;    /* behind a status line, before its blank line */
  bool may_fold;   /* a continuation line may follow */
  bool has_length; /* Content-Length was seen */
  bool has_transfer_encoding;
  uint8_t interim; /* 1xx responses before it */

  /* The newest response; the final one once `complete`. */
  buffer block; /* its header lines, each "Name: value\r\n": unfolded, without status line and blank line */
  int status;   /* 100 to 999; 0 before the first status line */
  uint8_t version;               /* 10, 11 or 20 */
  uint8_t flags;                 /* head_flags bits */
  int64_t content_length;        /* -1: none */
  unsigned keep_alive;           /* "Keep-Alive: timeout=", in seconds; 0: none */
  bool chunked;                  /* a Transfer-Encoding with "chunked" */
  bool close;                    /* the peer will close the connection, by what it says */
  bool must_close;               /* the framing is dubious: do not use the connection again */
  bool complete;                 /* the blank line of a final response came */
  char reason[HEAD_REASON_SIZE]; /* cut when longer, see CUT_MARK; ends with a NUL */

  size_t received; /* bytes of all lines, interim responses and trailers included */
} head;

/* Makes an empty head; nothing is allocated before the first header line. */
void head_init(head *h, size_t limit);

/* Empties it for another response; keeps the user's settings and the block's memory. */
void head_reset(head *h);

void head_free(head *h);

/* Takes one line with its line end: status lines, header lines and blank lines of interim and final
 * responses; after completion trailers, which only count towards the limit. A line without an end is what is
 * left of a cut head, and is left out. False with kind protocol, or too_large with limit and observed; the
 * head is then of no more use. */
bool head_line(head *h, const char *line, size_t length, error *e);

static inline bool head_complete(const head *h) { return h->complete; }

/* The first header called `name` (any case): its value without surrounding space. The value points into the
 * block. */
bool head_find(const char *block, size_t length, const char *name, size_t name_length, const char **value,
               size_t *value_length);

/* The header at `offset` (0 for the first). Returns the offset of the next, or 0 when there was none at
 * `offset`. */
size_t head_next(const char *block, size_t length, size_t offset, const char **name, size_t *name_length,
                 const char **value, size_t *value_length);

/* Appends the values of all headers called `name`, joined by ", ". False: out of memory. */
bool head_values(const char *block, size_t length, const char *name, size_t name_length, buffer *out);

/* What a request may send: a name and a method are tokens, a value has no control characters but tabs. */
bool head_valid_name(const char *name, size_t length);
bool head_valid_value(const char *value, size_t length);
bool head_valid_method(const char *method, size_t length);

#endif
