-- Everything that meets a peer's bytes takes time in proportion to them: no pattern or loop tries each place anew.
-- A parser that does not takes some hundred times as long for 99 KB as for 10 KB, and seconds.

local assert = require "luassert"
local charset = require "lurcher.base.charset"
local cookies = require "lurcher.http.cookies.jar"
local date = require "lurcher.base.date"
local errors = require "lurcher.base.errors"
local faults = require "spec.support.faults"
local json = require "lurcher.json"
local links = require "lurcher.http.links"
local log_line = require "lurcher.base.log_line"
local native_server = require "lurcher.native.server"
local rate_limit_headers = require "lurcher.http.rate_limit_headers"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local server_http = require "lurcher.server.http1"
local text = require "lurcher.base.text"
local url = require "lurcher.url"

local KB = 1000
local FLOOR, GROWTH = 0.05, 60 -- seconds; 98 is what squares of such sizes differ by

local WARM_UP, TRIES = 1, 2

-- CPU seconds of the fastest of some tries. Sanitizers look at what is read, once; time is measured without them.
local function seconds(act, input)
  if faults.sanitized() then
    act(input)
    return 0
  end
  local best = math.huge
  for i = 1, WARM_UP + TRIES do
    local begin = os.clock()
    act(input)
    local took = os.clock() - begin
    if i > WARM_UP then best = math.min(best, took) end
    if took > 5 then break end -- it failed already
  end
  return best == math.huge and 5 or best
end

-- Bytes of which patterns may make much: n in all, as units of what is repeated, with a head and an end.
local function of(head, unit, tail)
  return function(n)
    return head .. unit:rep(math.floor(n / #unit)) .. (tail or "")
  end
end

local BLANKS = { of("", " ", "x"), of("x", " ", "x"), of("", "\t", ""), of("", "a ", ""), of("", "\r", ""),
  of("", " \n", "x") }
local BYTES = { of("", "\195", ""), of("", "\195\169", ""), of("", "\128", ""), of("\195", "\128", "x"),
  of("", "\240\144\128", ""), of("", "\0", ""), of("", "\27", ""), of("", "a\195\128", ""), of("", "\226\128\174", "") }

local function head_of(line)
  return function(n) return "GET / HTTP/1.1\r\nHost: a\r\n" .. line(n) .. "\r\n\r\n" end
end

local function request_of(head)
  local conn = { head = function() return head end }
  return assert(server_http.read_head({ conn = conn, remote_address = "" }, 2 ^ 20, 1))
end

local function read_request(head)
  local req = request_of(head)
  assert(req.headers)
  assert(req.header_list(req, "a"))
  return req.query
end

local base = "http://h.test/a/b?c"

local function receive(line)
  local jar = cookies.new()
  jar:receive({ line }, base)
  return jar:header(base, line)
end

-- Many Set-Cookie lines, one after the other.
local function receive_lines(block)
  local jar, lines = cookies.new(), {}
  for line in block:gmatch("[^\n]+") do lines[#lines + 1] = line end
  jar:receive(lines, "https://h.test/")
  jar:receive(lines, "http://www.h.test/")
  return jar:header("https://h.test/", false)
end

local function header(name, value) return ("%s: %s\r\n"):format(name, value) end

local SECRET = secret.new("s3cr3t-value-of-some-length")

local PARSERS = {
  { "a date", date.parse, { of("", "1:1:1 ", ""), of("", "9", ""), of("", " ", ""), of("", "Jan ", ""),
    of("1:", "1", "") } },
  { "Link", function(value) return links.parse(value, base) end, {
    of("", ",", ""), of("", "<", ""), of("<", " ", ""), of("<", " ", ">"), of("<a>", " ", ";"), of("<a>", ";a=b", ""),
    of("", "<a>;rel=b,", ""), of("<a>;rel=\"", "\\", ""), of("<a>;rel=\"", "x ", "\""), of("<a>", ";", ""),
    of("<a>;", " ;", ""), of("", ", ", ""), of("", ",<", ""), of("", ", <x", ">"), of("<a>;b=", "'", ""),
    of("<a>;rel=", "'x", ""), of("<a>", "; a", ""), of("<a>;a", " ", "=b") } },
  { "Link below a long URL", function(value) return links.parse(value, "http://h/" .. value) end,
    { of("", "<a>;rel=b,", "") } },
  { "Set-Cookie", receive, {
    of("a=", "b", ""), of("a=b", "; ", ""), of("a=b; Expires=", "1:1:1 ", ""), of("a", " ", "=b"), of("a=", " ", "b"),
    of("a=b;", "Path=/x;", ""), of("a=b; Domain=", ".a", ""), of("a=b; Domain=", "\195\169", ""), of("", "=", ""),
    of("a=b; Max-Age=", "9", ""), of("a=b; Path=/", "/", ""), of("a=b", ";\t", ""), of("", ";", ""),
    of("a=", "\1", "") } },
  { "many cookies", receive_lines, { of("", "abc=b; Max-Age=99\n", ""), of("", "a=b; Secure; Path=/\n", "") } },
  { "RateLimit headers", function(value)
    for _, name in ipairs { "Retry-After", "RateLimit", "RateLimit-Policy", "RateLimit-Remaining", "RateLimit-Reset",
      "X-RateLimit-Reset", "X-RateLimit-Reset-After", "Date" } do
      rate_limit_headers.read(header(name, value) .. "\r\n")
    end
  end, { of("", "9", "x"), of("", "a", ""), of("", " ", "1"), of("", "1,", ""), of("", "a;q=1;w=1,", ""),
    of("", "Mon, ", ""), of("\"", "x", ""), of("", "9m", "") } },
  { "Content-Type", function(value) return charset.decode("abc", "text/plain" .. value) end,
    { of(";", " ", "x"), of("", "; charset", ""), of(";charset=", "a", ""), of(";charset=", " ", ""),
      of("", ";", "") } },
  { "URLs", function(value)
    url.parse(value)
    url.parse("http://h/" .. value)
    url.join(base, value)
    url.join(value, value)
    url.decode(value)
    redact.url(value)
    return redact.url("http://h/?" .. value)
  end, { of("/", "a/../", ""), of("", "../", ""), of("", "/", ""), of("http://", "@", ""), of("http://", "a.", "/"),
    of("", "%41", ""), of("", "%", ""), of("", "token=a&", ""), of("", "a&", ""), of("", "?", ""), of("", "#", ""),
    of("http://", "[", ""), of("http://h:", "1", ""), of("", "\195\169", ""), of("", " ", ""),
    of("http://", "\195\169", "/"),
    of("http://", "1.", "/"), of("", ":", ""), of("http://u:", "p", "@h/"), of("", "a=%3d&", "") } },
  { "text for the terminal", function(value)
    text.printable(value)
    text.line(value)
    text.utf8(value)
    text.trim(value)
    return text.cut(value, 4096)
  end, { unpack(BLANKS), unpack(BYTES) } },
  { "log lines", function(value) return log_line.make("warn", 1, value, { a = value, [value] = 1 }) end, BYTES },
  { "what is masked", function(value) return secret.scrub(value) end, {
    of("", "s3cr3t-value-of-some-lengt", ""), of("", secret.reveal(SECRET), ""), of("", "s", ""), of("", "%73", ""),
    of("", "https://u:p@h/ ", ""), of("", "token=", ""), of("", "Authorization: Basic ", ""),
    of("", "://", ""), BYTES[1] } },
  { "errors", function(value)
    return tostring(errors.new { kind = "decode", message = value, url = redact.url("http://h/" .. value),
      method = "GET" })
  end, { BYTES[1], BYTES[2], BYTES[6], BLANKS[1], of("", "https://u:p@h/?token=x ", "") } },
  { "JSON that is none", function(value) return tostring(select(2, json.decode(value))) end, {
    of("", " ", "x"), of("", "[", ""), of("[", "1,", "x"), of("\"", "\\", ""), of("", "9", "x"), of("\"", "\195", ""),
    of("", "\n", "x"), of("<", "html>", "") } },
  { "a request's head", native_server.parse_head, {
    head_of(of("A: ", " ", "")), head_of(of("", "A: b\r\n", "A: b")), head_of(of("Connection: ", "close,", "")),
    head_of(of("Transfer-Encoding: ", ",", "")), head_of(of("Content-Length: ", "1,", "1")), head_of(of("", "x", "")),
    head_of(of("Host: ", "[", "")) } },
  { "a request", read_request, {
    head_of(of("A: ", " ", "")), head_of(of("A: b", " ", "c")), head_of(of("", "A: b\r\n", "A: b")),
    head_of(of("", "x", "")), head_of(of("", ":", "")), head_of(of("", "a\n", "")),
    function(n) return "GET /?" .. ("a=b&"):rep(n / 4) .. " HTTP/1.1\r\n\r\n" end,
    function(n) return "GET /?" .. ("%"):rep(n) .. " HTTP/1.1\r\n\r\n" end,
    function(n) return "GET " .. ("a:"):rep(n / 2) .. " HTTP/1.1\r\n\r\n" end } },
}

describe("time grows with the bytes, not with their square:", function()
  for _, row in ipairs(PARSERS) do
    local what, act, inputs = unpack(row)
    it(what, function()
      assert.is_true(#inputs > 0)
      for i, make in ipairs(inputs) do
        local small, middle, large = make(KB), make(10 * KB), make(99 * KB)
        local at_1, at_10, at_99 = seconds(act, small), seconds(act, middle), seconds(act, large)
        local shown = ("input %d, %q…: %.4f s, %.4f s, %.4f s"):format(i, middle:sub(1, 30), at_1, at_10, at_99)
        assert.is_true(at_10 < GROWTH * at_1 + FLOOR, shown)
        assert.is_true(at_99 < GROWTH * at_10 + FLOOR, shown)
      end
    end)
  end

  it("responses, their fields and their errors", function()
    local answers = {
      of("", "a: b\r\n", ""), of("Location: /", "a/../", "\r\n"), of("Content-Type: text/plain;", " ", "\r\n"),
      of("Content-Encoding: ", ",", "\r\n"), of("Content-Encoding: ", " ", "\r\n"),
    }
    for i, make in ipairs(answers) do
      local function fetch(lines)
        local s = faults.answering("HTTP/1.1 404 No\r\nConnection: close\r\n" .. lines
          .. "Content-Length: 3\r\n\r\nabc")
        local res, err = faults.client { max_headers = 2 ^ 20, redirects = false }:get(s.url)
        if not res then return tostring(err) end
        assert.is_table { res.headers, res:header_list("a"), res:links(), res:cookies(), (res:text()) }
        return tostring(select(2, res:expect(200)))
      end
      local middle, large = make(10 * KB), make(90 * KB)
      local at_10, at_90 = seconds(fetch, middle), seconds(fetch, large)
      assert.is_true(at_90 < GROWTH * at_10 + FLOOR, ("answer %d: %.4f s, %.4f s"):format(i, at_10, at_90))
    end
  end)
end)
