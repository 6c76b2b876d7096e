--- What tells whether a server still has the bytes that a part of a file came from (RFC 9110, sections 8.8 and
--- 13.1.5): only a strong validator does.

local date = require "lurcher.base.date"

local validator = {}

local MINUTE = 60 -- seconds: a file may change twice within the second of its Last-Modified
local MAX_VALUE = 1024 -- bytes

local function seconds(text)
  return text and date.parse(text)
end

---The strong validator of a response, as If-Range takes it; nil: it has none.
---@param res lurcher.Response
---@return string?
function validator.of(res)
  local etag = res:header("ETag")
  if etag then return #etag <= MAX_VALUE and etag:match('^"[^"]*"$') or nil end
  local modified = res:header("Last-Modified")
  local at, now = seconds(modified), seconds(res:header("Date"))
  return at and now and now - at >= MINUTE and #modified <= MAX_VALUE and modified or nil
end

---Whether a response that says what it is of says that it is of something else.
---@param res lurcher.Response
---@param wanted string
---@return boolean
function validator.differs(res, wanted)
  local given = res:header(wanted:sub(1, 1) == '"' and "ETag" or "Last-Modified")
  return given ~= nil and given ~= wanted
end

---The range that a 206 brings: first and last byte, and the file's length if it is told. Nil: no good one.
---@param res lurcher.Response
---@return number? first
---@return number? last
---@return number? total
function validator.range(res)
  local first, last, total = (res:header("Content-Range") or ""):match("^bytes (%d+)%-(%d+)/([%d*]+)$")
  if not first or #first > 15 or #last > 15 or #total > 15 then return nil end
  first, last, total = tonumber(first), tonumber(last), total ~= "*" and (tonumber(total) or -1) or nil
  if last < first or total and last >= total then return nil end
  local announced = validator.length(res)
  if announced and announced ~= last - first + 1 then return nil end
  return first, last, total
end

---The length of the file that a 416 tells; nil: it does not.
---@param res lurcher.Response
---@return number?
function validator.unsatisfied(res)
  local total = (res:header("Content-Range") or ""):match("^bytes %*/(%d+)$")
  return total and #total <= 15 and tonumber(total) or nil
end

---The announced length of a body.
---@param res lurcher.Response
---@return number?
function validator.length(res)
  local given = not res:header("Transfer-Encoding") and res:header("Content-Length")
  return given and given:find("^%d+$") and tonumber(given) or nil
end

return validator
