-- A server with one file, which knows ranges and misbehaves as told.
--
--   local origin = ranged.start { etag = '"a"' }
--   origin.cut = 1000        each answer ends after so many bytes of its body
--   origin.asked             the Range of each request, "-" for none

local serving = require "spec.support.serving"

local ranged = {}

---Bytes that are nowhere alike.
function ranged.bytes(length, seed)
  local list, value = {}, seed or 1
  for i = 1, length do
    value = (value * 69069 + 1) % 4294967296
    list[i] = string.char(math.floor(value / 65536) % 256)
  end
  return table.concat(list)
end

local function headers(self, more)
  local lines = { ("ETag: %s\r\n"):format(self.etag or "") }
  if not self.etag then lines[1] = "" end
  for name, value in pairs(self.headers or {}) do lines[#lines + 1] = ("%s: %s\r\n"):format(name, value) end
  return table.concat(lines) .. (more or "") .. "\r\n"
end

local function answer(self, request)
  local range = request.headers.range
  local from, last = (range or ""):match("^bytes=(%d+)%-(%d*)$")
  local if_range = request.headers["if-range"]
  if not from or self.ignores_ranges or if_range and if_range ~= (self.etag or self.headers["Last-Modified"]) then
    return ("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n"):format(#self.body) .. headers(self), self.body
  end
  from, last = tonumber(from), math.min(tonumber(last) or #self.body - 1, #self.body - 1)
  if from >= #self.body then
    return ("HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nContent-Range: bytes */%d\r\n\r\n")
      :format(#self.body), ""
  end
  local piece = self.body:sub(from + 1, last + 1)
  return ("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %d-%d/%d\r\nContent-Length: %d\r\n")
    :format(from, last, #self.body, #piece) .. headers(self), piece
end

local function serve(self, conn)
  while true do
    local request = conn:read_request()
    if not request then return end
    self.asked[#self.asked + 1] = request.headers.range or "-"
    self.requests[#self.requests + 1] = request
    if self.before then self.before(self, request) end
    local head, body
    if self.answer then head, body = self.answer(self, request) end
    if not head then head, body = answer(self, request) end
    conn:write(head)
    if self.cut and #body > self.cut then
      conn:write(body:sub(1, self.cut))
      if self.stalls then conn:sleep(30) end
      return
    end
    conn:write(body)
  end
end

---@param fields table body, etag, headers, cut, stalls, ignores_ranges, before(self, request), answer(self, request)
function ranged.start(fields)
  local self = fields or {}
  self.body = self.body or ranged.bytes(100000)
  self.asked, self.requests = {}, {}
  local s = serving.raw(function(conn) serve(self, conn) end)
  self.url = s.url
  return self
end

return ranged
