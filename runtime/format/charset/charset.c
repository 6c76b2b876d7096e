#include "format/charset/charset.h"

#include "core/utf8.h"
#include "format/charset/charset_tables.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

typedef enum { CHARSET_UTF8, CHARSET_TABLE, CHARSET_USER_DEFINED, CHARSET_ICONV } charset_kind;

struct charset {
  const char *name;
  charset_kind kind;
  const uint16_t *table;
  const char *iconv_name;
  const char *labels; /* a blank around each */
};

/* clang-format off */
static const charset charsets[] = {
    {"utf-8", CHARSET_UTF8, NULL, NULL,
     " unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8 "},
    {"ibm866", CHARSET_TABLE, charset_ibm866, NULL,
     " 866 cp866 csibm866 ibm866 "},
    {"iso-8859-2", CHARSET_TABLE, charset_iso_8859_2, NULL,
     " csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2"
     " latin2 "},
    {"iso-8859-3", CHARSET_TABLE, charset_iso_8859_3, NULL,
     " csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3"
     " latin3 "},
    {"iso-8859-4", CHARSET_TABLE, charset_iso_8859_4, NULL,
     " csisolatin4 iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4"
     " latin4 "},
    {"iso-8859-5", CHARSET_TABLE, charset_iso_8859_5, NULL,
     " csisolatincyrillic cyrillic iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5"
     " iso_8859-5:1988 "},
    {"iso-8859-6", CHARSET_TABLE, charset_iso_8859_6, NULL,
     " arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6"
     " iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987 "},
    {"iso-8859-7", CHARSET_TABLE, charset_iso_8859_7, NULL,
     " csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597"
     " iso_8859-7 iso_8859-7:1987 sun_eu_greek "},
    {"iso-8859-8", CHARSET_TABLE, charset_iso_8859_8, NULL,
     " csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138 iso8859-8"
     " iso88598 iso_8859-8 iso_8859-8:1988 visual "},
    {"iso-8859-8-i", CHARSET_TABLE, charset_iso_8859_8, NULL,
     " csiso88598i iso-8859-8-i logical "},
    {"iso-8859-10", CHARSET_TABLE, charset_iso_8859_10, NULL,
     " csisolatin6 iso-8859-10 iso-ir-157 iso8859-10 iso885910 l6 latin6 "},
    {"iso-8859-13", CHARSET_TABLE, charset_iso_8859_13, NULL,
     " iso-8859-13 iso8859-13 iso885913 "},
    {"iso-8859-14", CHARSET_TABLE, charset_iso_8859_14, NULL,
     " iso-8859-14 iso8859-14 iso885914 "},
    {"iso-8859-15", CHARSET_TABLE, charset_iso_8859_15, NULL,
     " csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9 "},
    {"iso-8859-16", CHARSET_TABLE, charset_iso_8859_16, NULL,
     " iso-8859-16 "},
    {"koi8-r", CHARSET_TABLE, charset_koi8_r, NULL,
     " cskoi8r koi koi8 koi8-r koi8_r "},
    {"koi8-u", CHARSET_TABLE, charset_koi8_u, NULL,
     " koi8-ru koi8-u "},
    {"macintosh", CHARSET_TABLE, charset_macintosh, NULL,
     " csmacintosh mac macintosh x-mac-roman "},
    {"windows-874", CHARSET_TABLE, charset_windows_874, NULL,
     " dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874 "},
    {"windows-1250", CHARSET_TABLE, charset_windows_1250, NULL,
     " cp1250 windows-1250 x-cp1250 "},
    {"windows-1251", CHARSET_TABLE, charset_windows_1251, NULL,
     " cp1251 windows-1251 x-cp1251 "},
    {"windows-1252", CHARSET_TABLE, charset_windows_1252, NULL,
     " ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1"
     " iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252 "},
    {"windows-1253", CHARSET_TABLE, charset_windows_1253, NULL,
     " cp1253 windows-1253 x-cp1253 "},
    {"windows-1254", CHARSET_TABLE, charset_windows_1254, NULL,
     " cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989"
     " l5 latin5 windows-1254 x-cp1254 "},
    {"windows-1255", CHARSET_TABLE, charset_windows_1255, NULL,
     " cp1255 windows-1255 x-cp1255 "},
    {"windows-1256", CHARSET_TABLE, charset_windows_1256, NULL,
     " cp1256 windows-1256 x-cp1256 "},
    {"windows-1257", CHARSET_TABLE, charset_windows_1257, NULL,
     " cp1257 windows-1257 x-cp1257 "},
    {"windows-1258", CHARSET_TABLE, charset_windows_1258, NULL,
     " cp1258 windows-1258 x-cp1258 "},
    {"x-mac-cyrillic", CHARSET_TABLE, charset_x_mac_cyrillic, NULL,
     " x-mac-cyrillic x-mac-ukrainian "},
    {"gbk", CHARSET_ICONV, NULL, "GB18030",
     " chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk "},
    {"gb18030", CHARSET_ICONV, NULL, "GB18030",
     " gb18030 "},
    {"big5", CHARSET_ICONV, NULL, "BIG5-HKSCS",
     " big5 big5-hkscs cn-big5 csbig5 x-x-big5 "},
    {"euc-jp", CHARSET_ICONV, NULL, "EUC-JP-MS",
     " cseucpkdfmtjapanese euc-jp x-euc-jp "},
    {"iso-2022-jp", CHARSET_ICONV, NULL, "ISO-2022-JP",
     " csiso2022jp iso-2022-jp "},
    {"shift_jis", CHARSET_ICONV, NULL, "CP932",
     " csshiftjis ms932 ms_kanji shift-jis shift_jis sjis windows-31j x-sjis "},
    {"euc-kr", CHARSET_ICONV, NULL, "CP949",
     " cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601"
     " ksc_5601 windows-949 "},
    {"utf-16be", CHARSET_ICONV, NULL, "UTF-16BE",
     " unicodefffe utf-16be "},
    {"utf-16le", CHARSET_ICONV, NULL, "UTF-16LE",
     " csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le utf16 "},
    {"x-user-defined", CHARSET_USER_DEFINED, NULL, NULL,
     " x-user-defined "},
};
/* clang-format on */

enum { MAX_LABEL = 40 };

/* The label in lower case with a blank at both ends; false when it cannot be one. */
static bool make_word(char *word, const char *label, size_t length)
{
  if (length == 0 || length > MAX_LABEL) return false;
  *word++ = ' ';
  for (size_t i = 0; i < length; i++) {
    char c = label[i];
    if (c <= ' ') return false;
    *word++ = c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
  }
  *word++ = ' ';
  *word = 0;
  return true;
}

const charset *charset_find(const char *label, size_t length)
{
  char word[MAX_LABEL + 3];
  if (!make_word(word, label, length)) return NULL;
  for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++) {
    if (strstr(charsets[i].labels, word)) return &charsets[i];
  }
  return NULL;
}

bool charset_is_utf8(const charset *set) { return set->kind == CHARSET_UTF8; }

bool charset_decoder_init(charset_decoder *d, const charset *set)
{
  *d = (charset_decoder){.set = set, .iconv = (iconv_t)-1};
  if (set->kind != CHARSET_ICONV) return true;
  d->iconv = iconv_open("UTF-8", set->iconv_name);
  return d->iconv != (iconv_t)-1;
}

void charset_decoder_deinit(charset_decoder *d)
{
  if (d->iconv != (iconv_t)-1) iconv_close(d->iconv);
  d->iconv = (iconv_t)-1;
  buffer_free(&d->out);
}

/* How many bytes at `at` are ASCII, NUL included; may stop up to seven early. */
static size_t ascii_run(const char *at, const char *end)
{
  const char *start = at;
  for (; end - at >= 8; at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    if (word & UINT64_C(0x8080808080808080)) break;
  }
  return (size_t)(at - start);
}

static bool check_utf8(const char **at, const char *end)
{
  while (*at < end) {
    *at += ascii_run(*at, end);
    if (*at == end) return true;
    size_t length = (unsigned char)**at < 0x80 ? 1 : utf8_length(*at);
    if (length == 0) return false;
    *at += length;
  }
  return true;
}

static unsigned upper_character(const charset *set, unsigned char byte)
{
  return set->kind == CHARSET_USER_DEFINED ? 0xf700u + byte : set->table[byte - 0x80];
}

/* `out` has room for three bytes for each of the text's. */
static bool map_bytes(const charset *set, const char **at, const char *end, char **out)
{
  while (*at < end) {
    unsigned char byte = (unsigned char)**at;
    if (byte < 0x80) {
      size_t run = ascii_run(*at, end);
      if (run == 0) run = 1;
      memcpy(*out, *at, run);
      *at += run;
      *out += run;
      continue;
    }
    unsigned code = upper_character(set, byte);
    if (code == 0) return false;
    *out = utf8_write(*out, code);
    ++*at;
  }
  return true;
}

/* Of each byte at most three come; the pieces keep that from being a claim on three times the text. */
static charset_progress map_step(charset_decoder *d, const char *text, size_t end)
{
  enum { PIECE = 16384 };
  while (d->taken < end) {
    size_t piece = end - d->taken < PIECE ? end - d->taken : PIECE;
    if (!buffer_reserve(&d->out, 3 * piece)) return CHARSET_NO_MEMORY;
    char *out = d->out.bytes + d->out.length;
    const char *at = text + d->taken;
    bool well = map_bytes(d->set, &at, at + piece, &out);
    d->taken = (size_t)(at - text);
    d->out.length = (size_t)(out - d->out.bytes);
    if (!well) return CHARSET_BAD;
  }
  return CHARSET_MORE;
}

/* Converts up to `end`, or what is held back to see whether something combines with it when `text` is NULL.
 * What ends in the middle of a character is left there. */
static charset_progress iconv_step(charset_decoder *d, const char *text, size_t end)
{
  enum { PIECE = 65536 };
  char *from = text ? (char *)(uintptr_t)text + d->taken : NULL;
  size_t left = text ? end - d->taken : 0;
  for (;;) {
    if (!buffer_reserve(&d->out, PIECE)) return CHARSET_NO_MEMORY;
    char *to = d->out.bytes + d->out.length;
    size_t room = d->out.capacity - d->out.length;
    size_t result = iconv(d->iconv, text ? &from : NULL, &left, &to, &room);
    int fault = result == (size_t)-1 ? errno : 0;
    d->out.length = (size_t)(to - d->out.bytes);
    if (text) d->taken = end - left;
    if (fault == E2BIG) continue;
    return fault && fault != EINVAL ? CHARSET_BAD : CHARSET_MORE;
  }
}

static charset_progress iconv_last(charset_decoder *d, size_t length)
{
  return d->taken < length ? CHARSET_BAD : iconv_step(d, NULL, 0);
}

static charset_progress one_step(charset_decoder *d, const char *text, size_t end)
{
  const char *at = text + d->taken;
  switch (d->set->kind) {
  case CHARSET_UTF8: {
    bool well = check_utf8(&at, text + end);
    d->taken = (size_t)(at - text);
    return well ? CHARSET_MORE : CHARSET_BAD;
  }
  case CHARSET_ICONV:
    return iconv_step(d, text, end);
  default:
    return map_step(d, text, end);
  }
}

/* Room for what most texts become, so that it is not copied again and again; it costs no memory until it is
 * used. */
static bool reserve_usual(charset_decoder *d, size_t length)
{
  return d->out.capacity > 0 || d->set->kind == CHARSET_UTF8 ||
         buffer_reserve(&d->out, 2 * (length - d->taken) + 64);
}

charset_progress charset_decode(charset_decoder *d, const char *text, size_t length, size_t step)
{
  if (!reserve_usual(d, length)) return CHARSET_NO_MEMORY;
  size_t end = length - d->taken > step ? d->taken + step : length;
  charset_progress progress = one_step(d, text, end);
  if (progress != CHARSET_MORE || end < length) return progress;
  if (d->set->kind == CHARSET_ICONV) progress = iconv_last(d, length);
  return progress == CHARSET_MORE ? CHARSET_DONE : progress;
}
