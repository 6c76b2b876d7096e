#include "format/url/url_idn.h"

#include <idn2.h>
#include <stdbool.h>
#include <string.h>

/* The characters that non-transitional processing keeps and transitional processing maps or drops. */
static bool has_deviation(const char *host)
{
  static const char *const deviations[] = {"\xc3\x9f", "\xcf\x82", "\xe2\x80\x8c", "\xe2\x80\x8d"};
  for (size_t i = 0; i < sizeof deviations / sizeof *deviations; i++) {
    if (strstr(host, deviations[i])) return true;
  }
  return false;
}

char *url_idn_to_ascii(const char *host, const char **reason)
{
  char *name = NULL;
  int result = idn2_to_ascii_8z(host, &name, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
  /* UTS 46 and browsers allow symbols that IDNA 2008 forbids (hearts, snowmen). libidn2 2.3 lets them pass in
   * its transitional processing only, which means the same where none of the deviations occurs. */
  if (result == IDN2_DISALLOWED && !has_deviation(host))
    result = idn2_to_ascii_8z(host, &name, IDN2_TRANSITIONAL);
  if (result == IDN2_OK) return name;
  *reason = idn2_strerror(result == IDN2_PUNYCODE_BIG_OUTPUT ? IDN2_TOO_BIG_LABEL : result);
  return NULL;
}
