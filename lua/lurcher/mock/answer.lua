--- What an entry answers: a response with a body, a failure, a function that makes one of these, or nothing at all.
---
---   { status, reason, version, headers (a flat list), body (string or iterator) }
---   { fails = kind, phase, message }     { calls = function }     { stalls = true }
---
--- each with `delay`, seconds before it.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local kinds = require "lurcher.base.kinds"

local answer = {}

local VERSIONS = { ["1.0"] = "HTTP/1.0", ["1.1"] = "HTTP/1.1", ["2"] = "HTTP/2" }
local FIELDS = { status = "integer", body = true, json = true, headers = "table", reason = "string", trailers = "table",
  version = function(value) return not VERSIONS[value] and '"1.0", "1.1" or "2"' or nil end }

-- Where a failure of a kind happens when nobody says where.
local PHASES = { dns = "connect", connect = "connect", tls = "connect", proxy = "connect", timeout = "read",
  closed = "read", truncated = "read", protocol = "read", too_large = "read", decode = "read" }
local PHASE_NAMES = { queue = true, connect = true, write = true, read = true, total = true, task = true }

-- What cannot have been processed by a server.
local SAFE_PHASES = { queue = true, connect = true }

local function check_line(what, text)
  if type(text) ~= "string" or text:find "[%c]" then
    errors.raise(("%s must be text without control characters, got %s"):format(what, check.shown(text)))
  end
  return text
end

-- Headers as a flat list, in the order of their names.
local function flat_headers(what, given)
  local flat, names = {}, {}
  for name in pairs(given or {}) do
    if type(name) ~= "string" or name:find "[^%w!#$%%&'*+%-.^_`|~]" or name == "" then
      errors.raise(("%s: %s is no header name"):format(what, check.shown(name)))
    end
    names[#names + 1] = name
  end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = given[name]
    for _, line in ipairs(type(value) == "table" and value or { value }) do
      if type(line) == "number" then line = ("%.14g"):format(line) end
      flat[#flat + 1], flat[#flat + 2] = name, check_line(("%s: header '%s'"):format(what, name), line)
    end
  end
  return flat
end

local function has(flat, wanted)
  for i = 1, #flat, 2 do
    if flat[i]:lower() == wanted then return true end
  end
  return false
end

-- The body as it is sent, and headers that come with it.
local function add_body(self, what, body, is_json)
  if body == nil then body = "" end
  if is_json or type(body) == "table" or body == json.null then
    body = json.encode(body)
    if not has(self.headers, "content-type") then
      self.headers[#self.headers + 1], self.headers[#self.headers + 2] = "Content-Type", "application/json"
    end
  elseif type(body) == "number" then
    body = tostring(body)
  elseif type(body) ~= "string" and type(body) ~= "function" then
    errors.raise(("%s: the body must be a string, a table (for JSON) or an iterator of pieces, got %s")
      :format(what, check.shown(body)))
  end
  self.body = body
end

local function respond(what, status, body, headers, extra)
  if type(status) ~= "number" or status % 1 ~= 0 or status < 200 or status > 999 then
    errors.raise(("%s: the status must be a whole number from 200 to 999, got %s"):format(what, check.shown(status)))
  end
  if headers ~= nil and type(headers) ~= "table" then
    errors.raise(("%s: the headers must be a table, got %s"):format(what, check.shown(headers)))
  end
  local self = { status = status, headers = flat_headers(what, headers), version = VERSIONS[extra.version or "1.1"],
    reason = extra.reason and check_line(what .. ": reason", extra.reason) or false,
    trailers = extra.trailers and flat_headers(what, extra.trailers) or false }
  add_body(self, what, body, extra.json ~= nil)
  return self
end

local NOTHING_MORE = {}

local function respond_table(what, given)
  check.options(given, FIELDS, what)
  if given.body ~= nil and given.json ~= nil then errors.raise(what .. ": a response has a body or json, not both") end
  local body = given.body
  if given.json ~= nil then body = given.json end
  return respond(what, given.status or 200, body, given.headers, given)
end

---What `:reply(…)`, or the results of a function given to it, mean.
---@param what string for messages
---@param first any status, table, string or function
---@param body any
---@param headers? table
---@return table
function answer.reply(what, first, body, headers)
  if not check.mismatch(first, "callable") then return { calls = first } end
  if type(first) == "string" then return respond(what, 200, first, body, NOTHING_MORE) end
  if type(first) == "table" then return respond_table(what, first) end
  return respond(what, first, body, headers, NOTHING_MORE)
end

---@param what string for messages
---@param kind string
---@param opts? { phase?: string, message?: string }
---@return table
function answer.fail(what, kind, opts)
  if type(kind) ~= "string" or not kinds.get(kind) then
    errors.raise(("%s: %s"):format(what, type(kind) == "string" and check.unknown(kind, kinds.names(), "kind")
      or "the kind must be a string, got " .. check.shown(kind)))
  end
  opts = check.options(opts, { phase = "string", message = "string" }, what) or {}
  local phase = opts.phase or PHASES[kind]
  if phase and not PHASE_NAMES[phase] then
    errors.raise(("%s: %s"):format(what, check.unknown(phase, PHASE_NAMES, "phase")))
  end
  return { fails = kind, phase = phase, message = opts.message, is_safe = SAFE_PHASES[phase] or false }
end

---What a function of the script returned behind nil: a kind, an error, or a table of kind, phase and message. Nil when
---it is none of these.
---@param what string
---@param given any
---@param opts? table beside a kind
---@return table?
function answer.failure(what, given, opts)
  if type(given) == "string" then return answer.fail(what, given, opts) end
  if errors.is_error(given) then
    return { fails = given.kind, phase = PHASE_NAMES[given.phase] and given.phase or nil, message = given.message,
      is_safe = given.retry_safe }
  end
  if type(given) ~= "table" or given.kind == nil then return nil end
  check.options(given, { kind = "string", phase = "string", message = "string" }, what)
  return answer.fail(what, given.kind, { phase = given.phase, message = given.message })
end

---The trailers of a response, as they go over a connection.
---@param self table
---@return string
function answer.trailers(self)
  local lines = {}
  for i = 1, #self.trailers, 2 do lines[#lines + 1] = self.trailers[i] .. ": " .. self.trailers[i + 1] .. "\r\n" end
  return table.concat(lines) .. "\r\n"
end

---The head of a response, as it goes over a connection.
---@param self table
---@return string
function answer.head(self)
  local lines = { self.version .. " " .. self.status .. (self.version ~= "HTTP/2" and self.reason
    and " " .. self.reason or " ") }
  local flat, has_length = self.headers, false
  for i = 1, #flat, 2 do
    lines[#lines + 1] = flat[i] .. ": " .. flat[i + 1]
    local name = flat[i]:lower()
    has_length = has_length or name == "content-length" or name == "transfer-encoding"
  end
  if not has_length and self.status ~= 204 and self.status ~= 304 then
    if type(self.body) == "string" then
      lines[#lines + 1] = "Content-Length: " .. #self.body
    elseif self.version == "HTTP/1.1" then
      lines[#lines + 1] = "Transfer-Encoding: chunked"
    end
  end
  lines[#lines + 1] = "\r\n"
  return table.concat(lines, "\r\n")
end

return answer
