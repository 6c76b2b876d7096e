#include "net/transfer/transfer_request.h"

#include <string.h>

static bool is_one_of(const char *method, const char *const *methods)
{
  for (; *methods; methods++)
    if (!strcmp(method, *methods)) return true;
  return false;
}

bool transfer_request_is_idempotent(const transfer_request *r)
{
  static const char *const methods[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", NULL};
  return is_one_of(r->method, methods);
}

bool transfer_request_sends_body(const transfer_request *r)
{
  static const char *const methods[] = {"POST", "PUT", "PATCH", NULL};
  return r->upload || (*r->method == 'P' && is_one_of(r->method, methods));
}

int64_t transfer_request_length(const transfer_request *r) { return r->upload ? r->upload->length : 0; }

bool transfer_request_is_sent(const transfer_request *r) { return !r->upload || upload_ended(r->upload); }
