/* The head of an HTTP/1 request, as a server reads it. Pure: bytes in, views out. */
#ifndef LURCHER_NET_REQUEST_HEAD_H
#define LURCHER_NET_REQUEST_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const char *bytes;
  size_t length;
} text_view;

typedef struct {
  text_view method, target, version; /* version is "1.0" or "1.1" */
  int64_t content_length;            /* -1: not given */
  bool chunked;
  bool keep_alive;
  bool expects_continue;
  const char *fault; /* why the request is refused: a static string */
} request_head;

/* Reads a whole head, empty line included (lines end in CRLF or LF). Returns 0, or the status to refuse it
 * with: 400, 417, 501 or 505. The views point into `bytes`. What was found before the fault is set. */
int request_head_parse(request_head *head, const char *bytes, size_t length);

#endif
