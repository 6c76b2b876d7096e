#include "format/http/request_head.h"

#include "support/unit.h"

static request_head head;

static int parse(const char *text) { return request_head_parse(&head, text, strlen(text)); }

static int parse_with(const char *lines)
{
  char text[512];
  snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", lines);
  return parse(text);
}

static void reads_the_request_line(void)
{
  check(parse("PATCH /a?b=c HTTP/1.1\r\nHost: a\r\n\r\n") == 0);
  check_bytes(head.method.bytes, head.method.length, "PATCH");
  check_bytes(head.target.bytes, head.target.length, "/a?b=c");
  check_bytes(head.version.bytes, head.version.length, "1.1");
  check(head.content_length == -1 && !head.chunked && head.keep_alive && !head.expects_continue);
}

static void refuses_bad_request_lines(void)
{
  static const struct {
    const char *line;
    int status;
  } cases[] = {
      {"GET", 400},
      {"GET /", 400},
      {"GET  HTTP/1.1", 400},
      {" GET / HTTP/1.1", 400},
      {"G\x01T / HTTP/1.1", 400},
      {"GET /a b HTTP/1.1", 400},
      {"GET /\x7f HTTP/1.1", 400},
      {"GET / HTTP/1.1 ", 400},
      {"GET / http/1.1", 400},
      {"GET / HTTP/11", 400},
      {"GET / HTTP/2.0", 505},
      {"GET / HTTP/0.9", 505},
      {"GET / HTTP/1.2", 505},
      {"PRI * HTTP/2.0", 505},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char text[100];
    snprintf(text, sizeof text, "%s\r\nHost: a\r\n\r\n", cases[i].line);
    if (!check(parse(text) == cases[i].status)) fprintf(stderr, "  %s\n", cases[i].line);
    check(head.fault != NULL);
  }
}

static void judges_framing(void)
{
  check(parse_with("Content-Length: 12\r\n") == 0 && head.content_length == 12);
  check(parse_with("content-length:12\r\nContent-Length: 12 , 12\r\n") == 0 && head.content_length == 12);
  check(parse_with("Content-Length: 12\r\nContent-Length: 13\r\n") == 400);
  check(parse_with("Content-Length: -1\r\n") == 400);
  check(parse_with("Content-Length: 1e3\r\n") == 400);
  check(parse_with("Content-Length:\r\n") == 400);
  check(parse_with("Content-Length: 9999999999999999999\r\n") == 400);
  check(parse_with("Transfer-Encoding: Chunked\r\n") == 0 && head.chunked);
  check(parse_with("Transfer-Encoding: chunked, chunked\r\n") == 400);
  check(parse_with("Transfer-Encoding: gzip, chunked\r\n") == 501);
  check(parse_with("Transfer-Encoding:\r\n") == 400);
  check(parse_with("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n") == 400);
  check(parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == 400);
}

static void judges_persistence(void)
{
  check(parse_with("Connection: close\r\n") == 0 && !head.keep_alive);
  check(parse_with("Connection: foo, Close , bar\r\n") == 0 && !head.keep_alive);
  check(parse_with("Connection: keep-alive\r\nConnection: close\r\n") == 0 && !head.keep_alive);
  check(parse("GET / HTTP/1.0\r\n\r\n") == 0 && !head.keep_alive);
  check(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n") == 0 && head.keep_alive);
}

static void judges_expectations(void)
{
  check(parse_with("Expect: 100-Continue\r\n") == 0 && head.expects_continue);
  check(parse_with("Expect: a miracle\r\n") == 417);
  check(parse("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n") == 0 && !head.expects_continue);
}

static void refuses_bad_header_lines(void)
{
  check(parse_with("no colon\r\n") == 400);
  check(parse_with("Name : value\r\n") == 400);
  check(parse_with(": value\r\n") == 400);
  check(parse_with("A: b\r\n folded\r\n") == 400);
  check(parse_with("A: b\x01\r\n") == 400);
  check(parse_with("A: b\rc\r\n") == 400);
  check(parse_with("A: tab\tand \xc3\xa4\r\n") == 0);
  check(parse_with("Host: b\r\n") == 400);
  check(parse("GET / HTTP/1.1\r\n\r\n") == 400);
  check(parse("GET / HTTP/1.1\r\nHost: a:65536\r\n\r\n") == 400);
  check(parse("GET / HTTP/1.1\r\nHost: a:99999999999999999999\r\n\r\n") == 400);
  check(parse("GET / HTTP/1.1\r\nHost: a:065535\r\n\r\n") == 0);
}

static void accepts_lone_line_feeds(void)
{
  check(parse("GET / HTTP/1.1\nHost: a\nContent-Length: 4\n\n") == 0 && head.content_length == 4);
}

int main(void)
{
  reads_the_request_line();
  refuses_bad_request_lines();
  judges_framing();
  judges_persistence();
  judges_expectations();
  refuses_bad_header_lines();
  accepts_lone_line_feeds();
  return unit_end();
}
