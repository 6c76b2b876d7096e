#include "net/transfer/transfer_nudge.h"

#include "net/curl/multi_ping.h"
#include "net/transfer/transfer.h"
#include "net/transfer/transfer_limits.h"
#include "net/transfer/transfer_proxy.h"

#include <stdalign.h>
#include <stddef.h>

enum { MENDED = 0x080100 /* the version of libcurl from which on no end is lost */ };

const uint64_t NUDGE_AFTER = 150 * MILLISECOND;

void transfer_nudge_note(transfer *t, const char *bytes, size_t length)
{
  transfer_exchange *x = &t->exchange;
  /* What comes with the head lies behind it in the buffer. */
  if (!t->response.bytes_received)
    t->handle->buffer_start =
        bytes - ((uintptr_t)bytes % alignof(max_align_t) ? t->response.head.received : 0);
  if (bytes == t->handle->buffer_start) {
    x->may_lack_end = x->was_full;
    x->was_full = false;
  }
  if (bytes + length == t->handle->buffer_start + t->handle->buffer) x->was_full = true;
  if (transfer_nudge_is_due(t)) transfer_limits_changed(t);
}

bool transfer_nudge_is_due(const transfer *t)
{
  return t->exchange.may_lack_end && t->response.head.content_length < 0 && t->exchange.flow == FLOW_ON;
}

uint64_t transfer_nudge_since(const transfer *t)
{
  return t->exchange.nudged_at > t->exchange.active_at ? t->exchange.nudged_at : t->exchange.active_at;
}

/* What goes through the TLS session with an HTTPS proxy is not ours to write. */
static bool is_possible(const transfer *t)
{
  return curl_version_info(CURLVERSION_NOW)->version_num < MENDED && !transfer_proxy_is_https(t->options);
}

void transfer_nudge(transfer *t)
{
  t->exchange.nudged_at = clock_now(t->time);
  t->exchange.may_lack_end =
      is_possible(t) && !multi_ping(t->admission.multi, t->handle->easy, t->exchange.local_port);
}
