#include "format/coding/decode_stage.h"

void stage_take(decode_input *in, size_t count)
{
  in->bytes += count;
  in->length -= count;
}

bool stage_fail(const decode_stage *stage, const char *what, const char *detail, error *e)
{
  error_set(e, ERROR_decode, NULL, "the %s body %s%s%s", stage->coding->name, what, detail ? ": " : "",
            detail ? detail : "");
  return false;
}

bool stage_out_of_memory(error *e)
{
  error_set(e, ERROR_limit, NULL, "out of memory");
  return false;
}
