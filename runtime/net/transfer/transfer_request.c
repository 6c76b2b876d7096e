#include "net/transfer/transfer_request.h"

#include <stdlib.h>
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

bool transfer_request_keep_upload(transfer_request *r)
{
  if (r->upload_copy || !r->upload_length) return true;
  r->upload_copy = malloc(r->upload_length);
  if (!r->upload_copy) return false;
  memcpy(r->upload_copy, r->upload, r->upload_length);
  r->upload = r->upload_copy;
  return true;
}
