/* Parses anything as a request's head: views must lie in it, a refusal must say why, and a head that was
 * accepted must mean the same when it is written with LF for CRLF. */
#include "format/http/request_head.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static void require(bool holds)
{
  if (!holds) abort();
}

static void check_view(text_view view, const char *bytes, size_t length)
{
  if (view.length == 0) return;
  require(view.bytes >= bytes && view.bytes + view.length <= bytes + length);
}

static void check_refusal(const request_head *head, int status)
{
  require(status == 400 || status == 417 || status == 501 || status == 505);
  require(head->fault != NULL && head->fault[0]);
}

static void check_printable(text_view view)
{
  require(view.length > 0);
  for (size_t i = 0; i < view.length; i++) require((unsigned char)view.bytes[i] > 0x20);
}

static void check_accepted(const request_head *head)
{
  check_printable(head->method);
  check_printable(head->target);
  check_printable(head->version);
  require(head->content_length >= -1 && !(head->chunked && head->content_length >= 0));
}

/* Writes the head without its carriage returns, and returns its length. */
static size_t without_returns(char *out, const char *bytes, size_t length)
{
  size_t kept = 0;
  for (size_t i = 0; i < length; i++)
    if (bytes[i] != '\r') out[kept++] = bytes[i];
  return kept;
}

static void check_same(const request_head *a, const request_head *b)
{
  require(a->method.length == b->method.length && a->target.length == b->target.length);
  require(a->content_length == b->content_length && a->chunked == b->chunked);
  require(a->keep_alive == b->keep_alive && a->expects_continue == b->expects_continue);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  char *bytes = malloc(size ? size : 1),
       *bare = malloc(size ? size : 1); /* exactly: reading beyond is seen */
  request_head head, again;
  require(bytes && bare);
  memcpy(bytes, data, size);
  int status = request_head_parse(&head, bytes, size);
  check_view(head.method, bytes, size);
  check_view(head.target, bytes, size);
  check_view(head.version, bytes, size);
  if (status) {
    check_refusal(&head, status);
  } else {
    check_accepted(&head);
    require(request_head_parse(&again, bare, without_returns(bare, bytes, size)) == 0);
    check_same(&head, &again);
  }
  free(bytes);
  free(bare);
  return 0;
}
