--- Responses. What nearly every script asks for is there at once; the rest is made from the header block and
--- the transfer's record when it is asked for.

local lazy = require "lurcher.base.lazy"
local native = require "lurcher.native.http"
local response_class = require "lurcher.http.response_class"
local url_native = require "lurcher.native.url"

local check = lazy "lurcher.base.check"
local checks = lazy "lurcher.http.options.checks"
local errors = lazy "lurcher.base.errors"
local json = lazy "lurcher.json"
local redact = lazy "lurcher.base.redact"
local secret = lazy "lurcher.base.secret"
local strict = lazy "lurcher.base.strict"
local text = lazy "lurcher.base.text"

local head_next = native.head_next

-- Bytes of a body that a message shows, and those that are decoded for it: secrets may go on beyond the former.
local EXCERPT, EXCERPT_SOURCE = 200, 1024

local response = {}

---@class lurcher.Response
---@field status integer
---@field reason string the server's words, may be ""
---@field ok boolean status 200 to 299
---@field http_version string "1.0", "1.1" or "2"
---@field url string the final one, without userinfo; one that holds a marked secret prints without it
---@field method string the final one
---@field headers table<string, string> any case; repeated headers joined by ", "
---@field body string? nil while it is streamed
---@field elapsed number seconds of the whole call: hops, retries and waits
---@field timings table of the last attempt: queue, rate, dns, connect, tls, first_byte, total
---@field history lurcher.Response[] the redirects that led here
---@field attempts integer
---@field reused boolean the connection had served before
---@field remote_address string
---@field bytes_received integer
---@field bytes_sent integer
local Response = response_class.metatable

---@class lurcher.Response
local methods = {}

response.methods = methods
response.metatable = Response

-- What is logged as the table it is, although it has a text for print.
local Headers = { shown_as_table = true, __index = function(self, name)
  return type(name) == "string" and rawget(self, name:lower()) or nil
end }

-- One line each, by name.
function Headers:__tostring()
  local lines = {}
  for name, value in pairs(self) do
    lines[#lines + 1] = text.printable(("%s: %s"):format(name, secret.scrub(value)))
  end
  table.sort(lines)
  return table.concat(lines, "\n")
end

-- Fields made when they are asked for first.
local made = {}

function made.headers(self)
  local all, repeated = {}, {}
  for _, name, value in head_next, self.head, 0 do
    local key = name:lower()
    local list = repeated[key]
    if list then
      list[#list + 1] = value
    elseif all[key] then
      repeated[key] = { all[key], value }
    else
      all[key] = value
    end
  end
  for key, list in pairs(repeated) do all[key] = table.concat(list, ", ") end
  return setmetatable(all, Headers)
end

function made.history() return {} end

-- Fields that may be nil, and those that are only for what belongs to responses.
local FIELDS, INTERNAL = {}, {}
for name in ([[status reason ok http_version url method headers body elapsed timings history attempts reused
  remote_address bytes_received bytes_sent budget_exhausted]]):gmatch("%S+") do
  FIELDS[name] = true
end
for name in ([[stream info observed failure complete iterated consumed open_streams max_body dispatched started
  raises ended undecided taken call]]):gmatch("%S+") do
  INTERNAL[name] = true
end

local ELSEWHERE = { code = "res.status", statusCode = "res.status", statusText = "res.reason",
  content = "res.body", data = "res.body, or res:json()", raw = "res.body", is_success = "res.ok",
  raise_for_status = 'res:expect "2xx"', ensure_success = 'res:expect "2xx"', iter_lines = "res:lines()",
  iter_content = "res:chunks()", aiter_bytes = "res:chunks()", getheader = "res:header(name)",
  get_header = "res:header(name)", encoding = "res:text(), which converts", remote_ip = "res.remote_address" }

local late = response_class.late

for _, name in ipairs { "read", "read_all", "chunks", "lines", "ndjson", "events", "save", "discard", "close" } do
  late[name] = function() require "lurcher.http.stream" end
end

---The names of all fields and methods, as keys.
---@return table<string, true>
function response.names()
  local names = {}
  for _, known in ipairs { FIELDS, methods, late } do
    for name in pairs(known) do names[name] = true end
  end
  return names
end

-- What a response is that had a call to itself.
local USUAL = { attempts = 1 }

-- Nil, or what is wrong with asking for that field.
local function missing(self, key)
  if INTERNAL[key] or type(key) ~= "string" or not strict.is_name(key) then return nil end
  if key == "body" and rawget(self, "open_streams") then
    errors.raise("a streamed response has no body: res:read_all() reads it, res:chunks(), res:lines() and "
      .. "others do it piece by piece")
  end
  if not FIELDS[key] then strict.refuse("a response has no field", key, response.names(), ELSEWHERE) end
  return nil
end

local FROM_RECORD = { reason = true, http_version = true, timings = true, reused = true,
  remote_address = true, bytes_received = true, bytes_sent = true, elapsed = true, dispatched = true }

local Timings = { shown_as_table = true, __tostring = function(times)
  return require("lurcher.http.phases").told(times)
end }

-- The record of the last attempt, as the response of the whole call has it.
local function completed(self, record)
  local started = rawget(self, "started")
  if started and record.ended then record.elapsed = math.max(0, record.ended - started) end
  if record.timings then setmetatable(record.timings, Timings) end
  return record
end

-- Methods that return nil and an error, for responses of clients that raise.
local raising = setmetatable({}, { __index = function(all, name)
  local method = response.FALLIBLE[name] and methods[name]
  if not method then return nil end
  all[name] = function(...) return response.raised(method(...)) end
  return all[name]
end })

---Names of the methods that return nil and an error.
---@type table<string, true>
response.FALLIBLE = { json = true, text = true, expect = true, location = true, read = true, read_all = true,
  save = true }

response.is, response.raised = response_class.is, response_class.raised

local function index(self, key)
  local method = methods[key]
  if method then return rawget(self, "raises") and raising[key] or method end
  local make = made[key]
  if make then
    local value = make(self)
    self[key] = value
    return value
  end
  if FROM_RECORD[key] then
    local stream, info = rawget(self, "stream"), rawget(self, "info")
    if stream then return completed(self, stream:info())[key] end -- still counting
    if info then
      response.keep_record(self, native.info(info))
      return rawget(self, key)
    end
  end
  if key == "body" and rawget(self, "undecided") then return response.undecided_body(self) end
  if late[key] then
    late[key]()
    return rawget(self, "raises") and raising[key] or methods[key]
  end
  return USUAL[key] or missing(self, key)
end

---Takes over what is known about the transfer.
---@param self lurcher.Response
---@param record table as native.info gives it
function response.keep_record(self, record)
  self.info = nil
  for name, value in pairs(completed(self, record)) do self[name] = value end
end

local function shown(self)
  local reason = text.line(self.reason or "")
  return ("%s %s: %d%s"):format(self.method, text.printable(redact.url(self.url)), self.status,
    reason ~= "" and " " .. reason or "")
end

---The first value of a header, or nil.
---@param name string
---@return string?
function methods:header(name)
  check.method(self, Response, "res:header")
  check.argument(name, "string", 1, "res:header")
  return native.head_get(self.head, name)
end

---All values of a header, in order.
---@param name string
---@return string[]
function methods:header_list(name)
  check.method(self, Response, "res:header_list")
  check.argument(name, "string", 1, "res:header_list")
  return native.head_list(self.head, name)
end

---Iterates over name and value of all headers, as they came.
---@return fun(): string?, string?
function methods:each_header()
  check.method(self, Response, "res:each_header")
  local head, offset, name, value = self.head, 0, nil, nil
  return function()
    if not offset then return nil end
    offset, name, value = head_next(head, offset)
    return name, value
  end
end

---Makes an error of reading a response one of its call.
---@param self lurcher.Response
---@param err lurcher.Error
---@return lurcher.Error err
local function dressed(self, err)
  err.method, err.url = self.method, redact.url(self.url)
  err.attempts, err.elapsed = self.attempts, self.elapsed
  errors.note_call(err, function(settings) return self:curl(settings) end)
  return err
end
response.dressed = dressed

local function gathered(self)
  if rawget(self, "undecided") then response.undecided_body(self) end
  if rawget(self, "body") then return self.body end
  return methods.read_all(self)
end

---The body as JSON.
---@param opts? table as for lurcher.json.decode
---@return any value nil when the body is no JSON, then with an error
---@return lurcher.Error? err
function methods:json(opts)
  check.method(self, Response, "res:json")
  local body, failure = gathered(self)
  if not body then return nil, failure end
  local value, err = json.decode(body, opts)
  if err then return nil, dressed(self, err) end
  return value
end

---The body as UTF-8, converted from the character set its Content-Type names.
---@return string? text
---@return lurcher.Error? err kind "decode"
function methods:text()
  check.method(self, Response, "res:text")
  local body, err = gathered(self)
  if not body then return nil, err end
  local decoded, message = require("lurcher.base.charset").decode(body, self:header("Content-Type"))
  if not decoded then return nil, dressed(self, errors.new { kind = "decode", message = message }) end
  return decoded
end

local function matches(status, wanted)
  if type(wanted) == "table" then
    for i = 1, #wanted do
      if matches(status, wanted[i]) then return true end
    end
    return false
  elseif type(wanted) == "string" then
    return math.floor(status / 100) == tonumber(wanted:sub(1, 1))
  end
  return status == wanted
end

local function list_words(wanted)
  if type(wanted) ~= "table" then return tostring(wanted) end
  local words = {}
  for i = 1, #wanted do words[i] = list_words(wanted[i]) end
  return table.concat(words, ", ")
end

-- The start of a body, when it is something to read.
local function excerpt(self)
  local body = rawget(self, "body")
  if not body or body == "" or body:find("[%z\1-\8\14-\31]") then return "" end
  local start, cut = body:sub(1, EXCERPT_SOURCE), #body > EXCERPT_SOURCE
  if cut then start = start:gsub("[\192-\255][\128-\191]*$", "") end -- not half a character
  local decoded = require("lurcher.base.charset").decode(start, self:header("Content-Type"))
    or start:gsub("[\128-\255]", "?")
  if cut then decoded = decoded .. text.CUT end
  return ": " .. secret.excerpt(decoded, EXCERPT):gsub("%s+", " ")
end

---The error for a response whose status is not the wanted one.
---@param self lurcher.Response
---@param wanted string what was expected, in words
---@return lurcher.Error
function response.status_error(self, wanted)
  local reason = self.reason and self.reason ~= "" and " " .. self.reason or ""
  return dressed(self, errors.new { kind = "status", response = self,
    message = ("status %d%s, expected %s%s"):format(self.status, reason, wanted, excerpt(self)) })
end

---The response itself when its status is among those given (numbers, "2xx", lists of these), else nil and an
---error of kind "status".
---@param ... integer|string|table
---@return lurcher.Response? res
---@return lurcher.Error? err
function methods:expect(...)
  check.method(self, Response, "res:expect")
  local wanted = select("#", ...) == 1 and (...) or { ... }
  local mismatch = checks.expected(wanted)
  if mismatch then errors.raise("res:expect wants " .. mismatch) end
  if matches(self.status, wanted) then return self end
  return nil, response.status_error(self, list_words(wanted))
end

---The Link header, by relation: `res:links().next.url` is absolute.
---@return table<string, table>
function methods:links()
  check.method(self, Response, "res:links")
  return require("lurcher.http.links").parse(native.head_join(self.head, "Link") or "", secret.reveal(self.url))
end

---The Location header, as an absolute URL; nil when there is none.
---@return string? url
---@return lurcher.Error? err kind "url": it is none
function methods:location()
  check.method(self, Response, "res:location")
  local given = self:header("Location")
  if not given then return nil end
  local address, message = url_native.join(secret.reveal(self.url), given)
  if address then return redact.held(address) end
  return nil, dressed(self, errors.new { kind = "url",
    message = ("the Location header %q is no URL: %s"):format(redact.url(given), message) })
end

---Seconds that the server asks to wait before the request is repeated: Retry-After, or the reset of a quota
---that is used up. Nil when it asks for nothing.
---@return number?
function methods:retry_after()
  check.method(self, Response, "res:retry_after")
  return require("lurcher.http.rate_limit_headers").wait(self.head)
end

---The cookies this response set.
---@return lurcher.Cookie[]
function methods:cookies()
  check.method(self, Response, "res:cookies")
  local parse = require "lurcher.http.cookies.parse"
  return parse.lines(native.head_list(self.head, "Set-Cookie"), secret.reveal(self.url))
end

---The curl command that makes the request of this response's call: its method and URL before redirects, with the
---options of client and call. Secrets are `"$TOKEN"`, `"$PASSWORD"` and the like.
---@param how? { secrets?: boolean } true: secrets are written as they are
---@return string? command nil when no request led to the response
function methods:curl(how)
  check.method(self, Response, "res:curl")
  return response_class.curl(self, how)
end

local MADE_OF = { status = "integer", headers = "table", body = "string", reason = "string" }

---A response that did not come from the network, from `fields` status, headers (a map), body.
---@param fields table
---@param request lurcher.Request
---@return lurcher.Response
function response.made(fields, request)
  check.options(fields, MADE_OF, "a response")
  local block = {}
  for name, value in pairs(fields.headers or {}) do
    for _, line in ipairs(type(value) == "table" and value or { value }) do
      block[#block + 1] = ("%s: %s\r\n"):format(name, line)
    end
  end
  table.sort(block)
  local status = fields.status or 200
  return setmetatable({
    status = status, ok = status >= 200 and status < 300,
    body = fields.body or "", head = table.concat(block),
    method = request.method, url = redact.held(request.url .. request.fragment), attempts = request.attempts,
    reason = fields.reason or "", http_version = "1.1", reused = false, remote_address = "",
    timings = setmetatable(require("lurcher.http.phases").no_time(), Timings),
    bytes_received = 0, bytes_sent = 0, elapsed = request:elapsed(),
  }, Response)
end

-- Last, when nothing can fail any more: the class goes on to load this module until then.
Response.__index, Response.__tostring = index, shown

return response
