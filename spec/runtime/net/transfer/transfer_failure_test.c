/* What libcurl's results mean, with a libcurl of either version: its own version is asked at run time. */
#include "net/transfer/transfer_failure.h"

#include "net/pool/origin.h"
#include "net/pool/origin_group.h"
#include "support/unit.h"

#include <stdlib.h>

static unsigned version;

/* In place of libcurl's. */
curl_version_info_data *curl_version_info(CURLversion wanted)
{
  static curl_version_info_data data;
  (void)wanted;
  data.version_num = version;
  return &data;
}

static origin peer = {.name = "peer:443"};
static origin_group group = {.origin = &peer, .http2 = true};
static network net;
static pool clients = {.network = &net};
static transfer_options options; /* none is set */

/* The failure of a request that was sent over HTTP/2, or another if `change` says so. */
static error failure(CURLcode code, const char *words, bool others_failed, void (*change)(transfer *t))
{
  transfer_handle handle = {0};
  transfer t = {.handle = &handle, .pool = &clients, .exchange.connection = CONNECTION_SOME};
  t.options = &options;
  t.admission.origin = &peer;
  t.admission.group = &group;
  t.request.target.scheme.length = 5;
  t.response.head.content_length = -1;
  snprintf(handle.hint, sizeof handle.hint, "%s", words);
  if (change) change(&t);
  multi_result result = {.code = code, .others_failed = others_failed};
  transfer_failure_set(&t, &result);
  error e = *t.failure;
  free(t.failure);
  return e;
}

static void in_body(transfer *t) { t->response.head.complete = true; }
static void unconnected(transfer *t) { t->exchange.connection = CONNECTION_NONE; }
static void infers_from_silence_only_where_libcurl_is_silent_for_that(void)
{
  version = 0x075801;
  error e = failure(CURLE_HTTP2, "", false, NULL);
  check(e.kind == ERROR_protocol && e.retry_safe && strstr(e.message, "GOAWAY"));
  e = failure(CURLE_HTTP2, "", true, NULL);
  check(e.kind == ERROR_protocol && !e.retry_safe);
  version = 0x080e01;
  e = failure(CURLE_HTTP2, "", false, NULL);
  check(e.kind == ERROR_closed && !e.retry_safe);
  check_string(e.phase, "read");
}

static void knows_what_newer_versions_call_too_large(void)
{
  version = 0x080e01;
  error e = failure((CURLcode)100, "", false, NULL);
  check(e.kind == ERROR_too_large && e.limit == CURL_MAX_HTTP_HEADER && e.observed > e.limit);
  check_string(e.code, "TOO_LARGE");
  e = failure((CURLcode)100, "Too many response headers, 5000 is max", false, NULL);
  check(e.kind == ERROR_too_large && e.limit == 5000 && e.observed > e.limit);
  e = failure(CURLE_RECV_ERROR, "Too large response headers: 307215 > 307200", false, NULL);
  check(e.kind == ERROR_too_large && e.limit == 307200 && e.observed == 307215);
}

static void tells_where_a_connection_broke(void)
{
  static const CURLcode codes[] = {CURLE_SEND_ERROR, CURLE_RECV_ERROR};
  for (size_t i = 0; i < 2; i++) {
    error e = failure(codes[i], "Recv failure: Connection reset by peer", false, NULL);
    check(e.kind == ERROR_closed && !e.retry_safe && strstr(e.message, "reset"));
    e = failure(codes[i], "Recv failure: Connection reset by peer", false, in_body);
    check(e.kind == ERROR_truncated);
    e = failure(codes[i], "Connection reset by peer", false, unconnected);
    check(e.kind == ERROR_tls && e.retry_safe);
    check_string(e.phase, "connect");
    e = failure(codes[i], "", false, NULL);
    check(e.kind == ERROR_closed);
  }
}

static void repeats_what_libcurl_repeated_in_vain_before_the_head(void)
{
  static const char words[] = "Connection died, tried 5 times before giving up";
  error e = failure(CURLE_SEND_ERROR, words, false, NULL);
  check(e.kind == ERROR_protocol && e.retry_safe);
  e = failure(CURLE_SEND_ERROR, words, false, in_body);
  check(e.kind == ERROR_truncated && !e.retry_safe);
}

static void calls_the_unknown_a_fault_of_the_protocol(void)
{
  error e = failure(CURLE_FTP_ACCEPT_FAILED, "odd", false, NULL);
  check(e.kind == ERROR_protocol && !e.code && !e.retry_safe);
  check_string(e.message, "peer:443: odd");
}

static void keeps_the_first_failure(void)
{
  error first = {.kind = ERROR_decode};
  transfer t = {.failure = &first};
  multi_result result = {.code = CURLE_RECV_ERROR};
  transfer_failure_set(&t, &result);
  check(t.failure == &first && first.kind == ERROR_decode);
}

int main(void)
{
  list_init(&clients.running);
  infers_from_silence_only_where_libcurl_is_silent_for_that();
  knows_what_newer_versions_call_too_large();
  tells_where_a_connection_broke();
  repeats_what_libcurl_repeated_in_vain_before_the_head();
  calls_the_unknown_a_fault_of_the_protocol();
  keeps_the_first_failure();
  return unit_end();
}
