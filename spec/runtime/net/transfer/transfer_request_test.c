#include "net/transfer/transfer_request.h"

#include "support/unit.h"

static transfer_request request(const char *method, const char *body)
{
  static upload some;
  transfer_request r = {.upload = body ? &some : NULL};
  snprintf(r.method, sizeof r.method, "%s", method);
  return r;
}

static void knows_what_may_be_sent_twice(void)
{
  static const char *const twice[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  static const char *const once[] = {"POST", "PATCH", "get", "PROPFIND", "GETX"};
  for (size_t i = 0; i < sizeof twice / sizeof *twice; i++) {
    transfer_request r = request(twice[i], "body");
    check(transfer_request_is_idempotent(&r));
  }
  for (size_t i = 0; i < sizeof once / sizeof *once; i++) {
    transfer_request r = request(once[i], NULL);
    check(!transfer_request_is_idempotent(&r));
  }
}

static void says_so_when_an_expected_body_is_empty(void)
{
  static const char *const expected[] = {"POST", "PUT", "PATCH"};
  static const char *const others[] = {"GET", "HEAD", "DELETE", "PROPFIND", "PU"};
  for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
    transfer_request r = request(expected[i], NULL);
    check(transfer_request_sends_body(&r));
  }
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
    transfer_request r = request(others[i], NULL), with_body = request(others[i], "");
    check(!transfer_request_sends_body(&r) && transfer_request_sends_body(&with_body));
  }
}

int main(void)
{
  knows_what_may_be_sent_twice();
  says_so_when_an_expected_body_is_empty();
  return unit_end();
}
