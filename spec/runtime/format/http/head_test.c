#include "format/http/head.h"

#include "support/unit.h"

#include <stdlib.h>

enum { LIMIT = 256 * 1024 };

static head h;
static error e;

/* Feeds a text line by line, as libcurl does. */
static bool feed(const char *text, size_t length)
{
  const char *end = text + length;
  while (text < end) {
    const char *next = memchr(text, '\n', (size_t)(end - text));
    next = next ? next + 1 : end;
    if (!head_line(&h, text, (size_t)(next - text), &e)) return false;
    text = next;
  }
  return true;
}

static bool takes(const char *text)
{
  head_free(&h);
  head_init(&h, LIMIT);
  e = (error){0};
  bool well = feed(text, strlen(text));
  if (!well) fprintf(stderr, "  %s\n", e.message);
  return well;
}

static void check_broken_bytes(const char *text, size_t length, const char *message, int line)
{
  head_free(&h);
  head_init(&h, LIMIT);
  e = (error){0};
  bool refused = !feed(text, length);
  unit_check(refused && e.kind == ERROR_protocol, __FILE__, line, "is refused with kind protocol");
  unit_check_text(e.message, strlen(e.message), message, __FILE__, line, "message");
  unit_check(!h.complete, __FILE__, line, "is not complete");
}

#define check_broken(given, message) check_broken_bytes(given, strlen(given), message, __LINE__)
#define check_block(wanted)          check_bytes(h.block.bytes, h.block.length, wanted)

static void collects_a_head(void)
{
  check(takes("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nX-A:b\r\n\r\n"));
  check(h.complete && h.status == 200 && h.version == 11 && h.content_length == 5);
  check(!h.chunked && !h.close && !h.must_close && h.interim == 0);
  check_string(h.reason, "OK");
  check_block("Server: x\r\nContent-Length: 5\r\nX-A:b\r\n");
  check(h.received == strlen("HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nX-A:b\r\n\r\n"));

  check(takes("HTTP/1.1 404 Not  Found \r\n\r\n"));
  check(h.complete && h.status == 404 && h.content_length == -1 && h.block.length == 0);
  check_string(h.reason, "Not  Found");
  check(takes("HTTP/1.1 200\r\n\r\n") && h.complete && h.reason[0] == 0);
  check(takes("HTTP/1.1 200 \r\n\r\n") && h.complete);
  check(takes("HTTP/1.1 999 x\r\n\r\n") && h.status == 999);
  check(takes("HTTP/1.1 200 a very long reason that nobody needs to read to its end, because it says "
              "nothing\r\n\r\n"));
  check_string(h.reason, "a very long reason that nobody needs to read…");
}

static void accepts_what_many_servers_send(void)
{
  check(takes("HTTP/1.1 200 OK\nA: b\nC: d\n\n") && h.complete); /* bare LF */
  check_block("A: b\r\nC: d\r\n");
  check(takes("HTTP/1.1 200 OK\r\nA: b\r\n  c \r\n\td\r\n \r\nE:\r\n f\r\n\r\n") && h.complete); /* folded */
  check_block("A: b c d\r\nE: f\r\n");
  check(takes("HTTP/1.1 200 OK\r\nA:\r\nB:  \r\nC:\t c \t\r\n\r\n") && h.complete);
  check_block("A:\r\nB:\r\nC:\t c\r\n");
  check(takes("HTTP/1.1 200 OK\r\nA: caf\xc3\xa9 \x01\r\n\r\n") && h.complete);
  check(takes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length:5 \r\n\r\n") && h.content_length == 5);
  check(takes("HTTP/1.1 200 OK\r\nContent-Length: 5, 05 ,5\r\n\r\n") && h.content_length == 5);
  check(takes("HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n") &&
        h.content_length == INT64_MAX);
  check(takes("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n") && !h.chunked && h.complete);
}

static void says_how_the_body_is_framed(void)
{
  check(takes("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n") && h.chunked && !h.must_close);
  check(takes("HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"));
  check(h.chunked && h.must_close);
  check(takes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n") && h.must_close);
  check(takes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n") && h.chunked && h.must_close);
  check(takes("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") && h.chunked && h.must_close);
  check(takes("HTTP/1.1 200 OK\r\nConnection: x, Close\r\n\r\n") && h.close);
  check(takes("HTTP/1.0 200 OK\r\n\r\n") && h.close && h.version == 10);
  check(takes("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n") && !h.close);
}

static void knows_http2(void)
{
  static const char text[] = "HTTP/2 200 \r\ncontent-length: 3\r\nx: y\r\n\r\n";
  check_broken(text, "the server sent a status line of another HTTP version: \"HTTP/2 200 \"");
  head_reset(&h);
  h.http2_allowed = true;
  check(feed(text, strlen(text)) && h.complete && h.version == 20 && h.status == 200 && !h.close);
  check_string(h.reason, "");
  head_reset(&h);
  check(h.http2_allowed && h.limit == LIMIT && h.status == 0 && !h.complete);
  static const char chunked[] = "HTTP/2 200 \r\ntransfer-encoding: chunked\r\n\r\n";
  check(!feed(chunked, strlen(chunked)) && e.kind == ERROR_protocol);
  head_reset(&h);
  static const char later[] = "HTTP/1.1 200 OK\r\n\r\n";
  check(feed(later, strlen(later)) && h.version == 11);
}

static void refuses_bad_status_lines(void)
{
  check_broken("<html>\r\n", "the server sent a bad status line: \"<html>\"");
  check_broken("\r\n", "the server sent a bad status line: \"\"");
  check_broken("http/1.1 200 OK\r\n", "the server sent a bad status line: \"http/1.1 200 OK\"");
  check_broken("HTTP/\r\n", "the server sent a bad status line: \"HTTP/\"");
  check_broken("HTTP/1.1 abc OK\r\n", "the server sent a bad status line: \"HTTP/1.1 abc OK\"");
  check_broken("HTTP/1.1 99999 OK\r\n", "the server sent a bad status line: \"HTTP/1.1 99999 OK\"");
  check_broken("HTTP/1.1 000 OK\r\n", "the server sent a bad status line: \"HTTP/1.1 000 OK\"");
  check_broken("HTTP/1.1 20\r\n", "the server sent a bad status line: \"HTTP/1.1 20\"");
  check_broken("HTTP/1.1  200 OK\r\n", "the server sent a bad status line: \"HTTP/1.1  200 OK\"");
  check_broken("HTTP/1.1 200OK\r\n", "the server sent a bad status line: \"HTTP/1.1 200OK\"");
  check_broken("HTTP/1.1 -20 OK\r\n", "the server sent a bad status line: \"HTTP/1.1 -20 OK\"");
  check_broken("HTTP/9.9 200 OK\r\n",
               "the server sent a status line of another HTTP version: \"HTTP/9.9 200 OK\"");
  check_broken("HTTP/1.2 200 OK\r\n",
               "the server sent a status line of another HTTP version: \"HTTP/1.2 200 OK\"");
  check_broken("HTTP/2 200 OK\r\n",
               "the server sent a status line of another HTTP version: \"HTTP/2 200 OK\"");
  check_broken("HTTP/1.1 200 a\rb\r\n", "the server sent a bad status line: \"HTTP/1.1 200 a?b\"");
  check_broken("HTTP/1.1 101 Switching Protocols\r\n",
               "the server sent 101 Switching Protocols, which was not asked for");
  static const char nul[] = "HTTP/1.1 200 a\0b\r\n";
  check_broken_bytes(nul, sizeof nul - 1, "the server sent a bad status line: \"HTTP/1.1 200 a?b\"",
                     __LINE__);
  check_broken("this line has no HTTP in it and is longer than what anybody wants to see in a message\r\n",
               "the server sent a bad status line: \"this line has no HTTP in it and is longe…\"");
}

#define OK "HTTP/1.1 200 OK\r\n"

static void refuses_bad_header_lines(void)
{
  check_broken(OK "no colon\r\n", "the server sent a bad header name: \"no colon\"");
  check_broken(OK "nocolon\r\n", "the server sent a header line without a colon: \"nocolon\"");
  check_broken(OK ": x\r\n", "the server sent a bad header name: \": x\"");
  check_broken(OK "a : x\r\n", "the server sent a bad header name: \"a : x\"");
  check_broken(OK "a(b): x\r\n", "the server sent a bad header name: \"a(b): x\"");
  check_broken(OK "a\xe9: x\r\n", "the server sent a bad header name: \"a?: x\"");
  check_broken(OK OK, "the server sent a bad header name: \"HTTP/1.1 200 OK\"");
  check_broken(OK " folded\r\n", "the server sent a continuation line where none may be");
  check_broken(OK "a: b\rc: d\r\n", "the server sent a header value with a control character: \"a\"");
  check_broken(OK "a: b\r\r\n", "the server sent a header value with a control character: \"a\"");
  static const char nul[] = OK "secret: a\0b\r\n";
  check_broken_bytes(nul, sizeof nul - 1,
                     "the server sent a header value with a control character: \"secret\"", __LINE__);
  static const char name[] = OK "a\0b: c\r\n";
  check_broken_bytes(name, sizeof name - 1, "the server sent a bad header name: \"a?b: c\"", __LINE__);
  static const char folded[] = OK "a: b\r\n c\0d\r\n";
  check_broken_bytes(folded, sizeof folded - 1, "the server sent a header value with a control character",
                     __LINE__);
}

static void refuses_bad_lengths_and_codings(void)
{
  check_broken(OK "Content-Length: 5abc\r\n", "the server sent an invalid Content-Length: \"5abc\"");
  check_broken(OK "Content-Length: -1\r\n", "the server sent an invalid Content-Length: \"-1\"");
  check_broken(OK "Content-Length: +1\r\n", "the server sent an invalid Content-Length: \"+1\"");
  check_broken(OK "Content-Length: 0x1\r\n", "the server sent an invalid Content-Length: \"0x1\"");
  check_broken(OK "Content-Length: 1 2\r\n", "the server sent an invalid Content-Length: \"1 2\"");
  check_broken(OK "Content-Length: \r\n", "the server sent an empty Content-Length");
  check_broken(OK "Content-Length: ,\r\n", "the server sent an empty Content-Length");
  check_broken(OK "Content-Length: 10, 5\r\n",
               "the server sent contradictory Content-Length values: \"10, 5\"");
  check_broken(OK "Content-Length: 5\r\nContent-Length: 6\r\n",
               "the server sent contradictory Content-Length values: \"6\"");
  check_broken(OK "Content-Length: 9223372036854775808\r\n",
               "the server sent a Content-Length that is too large: \"9223372036854775808\"");
  check_broken(OK "Content-Length: 10000000000000000000000\r\n",
               "the server sent a Content-Length that is too large: \"10000000000000000000000\"");
  check_broken(OK "Transfer-Encoding: gzip, chunked\r\n",
               "the server sent an unknown transfer coding: \"gzip\"");
  check_broken(OK "Transfer-Encoding: xchunked\r\n",
               "the server sent an unknown transfer coding: \"xchunked\"");
  check_broken(OK "Transfer-Encoding:\r\n chunked\r\n",
               "the server sent a continuation line where none may be");
  check_broken(OK "Content-Length: 1\r\n 2\r\n", "the server sent a continuation line where none may be");
}

static void passes_interim_responses(void)
{
  check(takes("HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n"
              "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n") &&
        !h.complete && h.interim == 2);
  static const char final[] = OK "A: b\r\n\r\n";
  check(feed(final, strlen(final)) && h.complete && h.interim == 2 && h.content_length == -1);
  check_block("A: b\r\n");

  head_free(&h);
  head_init(&h, LIMIT);
  static const char interim[] = "HTTP/1.1 103 Early Hints\r\n\r\n";
  for (int i = 0; i < 100; i++) check(feed(interim, strlen(interim)));
  check(!feed(interim, strlen(interim)) && e.kind == ERROR_protocol);
  check_string(e.message, "the server sent more than 100 interim (1xx) responses");

  head_free(&h);
  head_init(&h, LIMIT);
  h.upgrade_allowed = true;
  static const char upgrade[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
  check(feed(upgrade, strlen(upgrade)) && h.complete && h.status == 101 && h.interim == 0);
}

static void ignores_trailers(void)
{
  check(takes(OK "Transfer-Encoding: chunked\r\n\r\n"));
  size_t before = h.received;
  static const char trailers[] = "Digest: x\r\nHTTP/1.1 500 Oops\r\nContent-Length: 5abc\r\nbad\r\n\r\n";
  check(feed(trailers, strlen(trailers)) && h.status == 200 && h.content_length == -1);
  check_block("Transfer-Encoding: chunked\r\n");
  check(h.received == before + strlen(trailers));
}

static void is_incomplete_when_cut(void)
{
  check(takes(OK "Content-Le") && !h.complete);
  check(takes(OK "A: b\r\n") && !h.complete);
  check_block("A: b\r\n");
  check(takes("HTTP/1.1 200 O") && !h.complete && h.status == 0);
  check(takes("") && !h.complete);
}

static void has_a_limit(void)
{
  static const char line[] = "X-Header: 0123456789\r\n";
  head_free(&h);
  head_init(&h, 1000);
  check(feed(OK, strlen(OK)));
  bool well = true;
  for (int i = 0; i < 100 && well; i++) well = feed(line, strlen(line));
  check(!well && e.kind == ERROR_too_large && e.limit == 1000 && e.observed > 1000 && e.observed < 1030);
  check_string(e.message, "the response's headers are larger than 1000 bytes (max_headers)");

  char *large = malloc(2000);
  memset(large, 'a', 2000);
  large[1999] = '\n';
  head_free(&h);
  head_init(&h, 1000);
  check(feed(OK, strlen(OK)) && !feed(large, 2000) && e.kind == ERROR_too_large);

  head_free(&h);
  head_init(&h, 1000); /* interim heads and trailers count too */
  static const char interim[] =
      "HTTP/1.1 103 Early Hints\r\nLink: </aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa>\r\n\r\n";
  well = true;
  for (int i = 0; i < 20 && well; i++) well = feed(interim, strlen(interim));
  check(!well && e.kind == ERROR_too_large);
  head_free(&h);
  head_init(&h, 1000);
  check(feed(OK "\r\n", strlen(OK) + 2) && !feed(large, 2000) && e.kind == ERROR_too_large);

  head_free(&h);
  head_init(&h, SIZE_MAX);
  check(feed(OK, strlen(OK)));
  memcpy(large, "a:", 2);
  for (int i = 0; i < 1000; i++) check(feed(large, 2000));
  check(feed("\r\n", 2) && h.complete && h.block.length == 1000 * 2001);
  free(large);
}

static const char block[] =
    "Server: x\r\nSet-Cookie: a=1\r\nset-cookie:\tb=2 \r\nEmpty:\r\nX-Long-Name: v:w\r\n";

static void check_found(const char *name, const char *wanted)
{
  const char *value = NULL;
  size_t length = 0;
  bool found = head_find(block, sizeof block - 1, name, strlen(name), &value, &length);
  check(found == (wanted != NULL));
  if (found && wanted) check_bytes(value, length, wanted);
}

static void finds_headers(void)
{
  check_found("server", "x");
  check_found("SET-COOKIE", "a=1");
  check_found("Empty", "");
  check_found("x-long-name", "v:w");
  check_found("Serve", NULL);
  check_found("Servers", NULL);
  check_found("x", NULL);
  check_found("", NULL);
  check_found("X-Long-Name: v", NULL);
  check_found("server\r", NULL);

  static const char *const wanted[][2] = {
      {"Server", "x"}, {"Set-Cookie", "a=1"}, {"set-cookie", "b=2"}, {"Empty", ""}, {"X-Long-Name", "v:w"}};
  size_t offset = 0, next, count = 0, name_length, length;
  const char *name, *value;
  while ((next = head_next(block, sizeof block - 1, offset, &name, &name_length, &value, &length))) {
    if (!check(count < 5)) break;
    check_bytes(name, name_length, wanted[count][0]);
    check_bytes(value, length, wanted[count][1]);
    count++;
    offset = next;
  }
  check(count == 5 && offset == sizeof block - 1);
  check(head_next(block, sizeof block - 1, 9999, &name, &name_length, &value, &length) == 0);
  check(head_next("", 0, 0, &name, &name_length, &value, &length) == 0);
}

static void check_joined(const char *name, const char *wanted)
{
  buffer out = {0};
  check(head_values(block, sizeof block - 1, name, strlen(name), &out));
  if (out.length || *wanted) check_bytes(out.bytes, out.length, wanted);
  buffer_free(&out);
}

static void joins_headers(void)
{
  check_joined("Set-cookie", "a=1, b=2");
  check_joined("server", "x");
  check_joined("empty", "");
  check_joined("absent", "");
}

static void checks_what_is_sent(void)
{
  check(head_valid_name("X-A_b.c!", 8) && !head_valid_name("", 0));
  static const char bad_in_names[] = " :\t\r\n\"(),/;<=>?@[\\]{}\x7f\x80\xff";
  for (size_t i = 0; i < sizeof bad_in_names; i++) { /* the NUL too */
    char name[] = {'a', bad_in_names[i], 'b'};
    check(!head_valid_name(name, 3));
    check(!head_valid_method(name, 3));
  }
  check(head_valid_value("", 0) && head_valid_value("a\tb c\x80\xff", 7));
  for (int c = 0; c < 256; c++) {
    char value[] = {'a', (char)c};
    check(head_valid_value(value, 2) == (c == '\t' || (c >= 0x20 && c != 0x7f)));
  }
  check(head_valid_method("GET", 3) && head_valid_method("M-SEARCH", 8) && !head_valid_method("", 0));
  check(!head_valid_method("GET /", 5));
}

int main(void)
{
  collects_a_head();
  accepts_what_many_servers_send();
  says_how_the_body_is_framed();
  knows_http2();
  refuses_bad_status_lines();
  refuses_bad_header_lines();
  refuses_bad_lengths_and_codings();
  passes_interim_responses();
  ignores_trailers();
  is_incomplete_when_cut();
  has_a_limit();
  finds_headers();
  joins_headers();
  checks_what_is_sent();
  head_free(&h);
  return unit_end();
}
