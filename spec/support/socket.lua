-- A bare TCP client for specs that must see every byte: connects at once (loopback), then reads and writes
-- without blocking the loop, looking again after each turn of it.

local ffi = require "ffi"
local patience = require "spec.support.patience"
local task = require "lurcher.task"

-- Declared before when another spec file loaded this one.
pcall(ffi.cdef, [[
  struct spec_in { uint16_t family; uint16_t port; uint8_t address[4]; uint8_t zero[8]; };
  struct spec_un { uint16_t family; char path[108]; };
  struct spec_limit { unsigned long now, most; };
  int socket(int, int, int);
  int connect(int, const void *, unsigned);
  long send(int, const void *, size_t, int);
  long recv(int, void *, size_t, int);
  int shutdown(int, int);
  int close(int);
  int setsockopt(int, int, int, const void *, unsigned);
  int getrlimit(int, struct spec_limit *);
]])
local C = ffi.C

local DONTWAIT, NOSIGNAL = 0x40, 0x4000
local EAGAIN = 11
local names = { [32] = "EPIPE", [104] = "ECONNRESET", [111] = "ECONNREFUSED" }
local SIZE = 65536
local scratch = ffi.new("char[?]", SIZE)

local socket = {}

local Socket = {}
Socket.__index = Socket

local function failure()
  return nil, names[ffi.errno()] or "errno " .. ffi.errno()
end

local function open(family, address)
  local fd = C.socket(family, 1, 0)
  assert(fd >= 0, "no more sockets")
  if C.connect(fd, address, ffi.sizeof(address)) ~= 0 then
    local _, err = failure()
    C.close(fd)
    return nil, err
  end
  return setmetatable({ fd = fd, input = "" }, Socket)
end

---Connects to 127.0.0.1; `where` is a port or a server's URL.
function socket.connect(where)
  local port = type(where) == "number" and where or tonumber(where:match(":(%d+)$"))
  local address = ffi.new("struct spec_in", { family = 2, address = { 127, 0, 0, 1 } })
  address.port = math.floor(port / 256) + port % 256 * 256
  return open(2, address)
end

---Connects to a Unix socket.
function socket.connect_unix(path)
  return open(1, ffi.new("struct spec_un", { family = 1, path = path }))
end

---How many descriptors the process may have open.
function socket.descriptor_limit()
  local limit = ffi.new("struct spec_limit")
  C.getrlimit(7, limit)
  return tonumber(limit.now)
end

-- Calls `fn` until it does not say EAGAIN; raises when it has no more patience.
local function retry(what, fn, ...)
  local give_up
  while true do
    local n = tonumber(fn(...))
    if n >= 0 then return n end
    if ffi.errno() ~= EAGAIN then return failure() end
    give_up = give_up or task.now() + patience
    if task.now() > give_up then error(("%s waited for %g s"):format(what, patience), 0) end
    task.sleep(0.001)
  end
end

---Sends all of it.
function Socket:send(bytes)
  local at = 0
  local memory = ffi.cast("const char *", bytes)
  while at < #bytes do
    local n, err = retry("send", C.send, self.fd, memory + at, #bytes - at, DONTWAIT + NOSIGNAL)
    if not n then return nil, err end
    at = at + n
  end
  return true
end

---Sends what fits now; returns how much.
function Socket:try_send(bytes)
  local n = tonumber(C.send(self.fd, bytes, #bytes, DONTWAIT + NOSIGNAL))
  return n < 0 and 0 or n
end

-- More input into the buffer; false at the end, nil and a name on failure.
local function fill(self)
  local n, err = retry("receive", C.recv, self.fd, scratch, SIZE, DONTWAIT)
  if not n then return nil, err end
  self.input = self.input .. ffi.string(scratch, n)
  return n > 0
end

local function take(self, count)
  local bytes = self.input:sub(1, count)
  self.input = self.input:sub(count + 1)
  return bytes
end

---Reads exactly `count` bytes; nil and what came at the end, or nil and the error's name.
function Socket:receive(count)
  while #self.input < count do
    local more, err = fill(self)
    if not more then return nil, err or self.input end
  end
  return take(self, count)
end

---Reads what is there, 1 to `most` bytes; nil at the end or on failure.
function Socket:receive_some(most)
  if self.input == "" and not fill(self) then return nil end
  return take(self, most)
end

---Reads up to and with `mark` (plain text).
function Socket:receive_until(mark)
  while true do
    local _, last = self.input:find(mark, 1, true)
    if last then return take(self, last) end
    local more, err = fill(self)
    if not more then return nil, err or self.input end
  end
end

---Reads up to the end (FIN); nil and the error's name when it does not end like that.
function Socket:receive_all()
  local pieces = { self.input }
  self.input = ""
  while true do
    local more, err = fill(self)
    if more == nil then return nil, err end
    pieces[#pieces + 1] = take(self, #self.input)
    if not more then return table.concat(pieces) end
  end
end

---Reads one response: status, headers by lower-case name, body (by Content-Length, chunks, or the end), raw
---head.
---@param method? string of the request, "HEAD" has no body
function Socket:response(method)
  local head, err = self:receive_until("\r\n\r\n")
  if not head then return nil, err end
  local status = tonumber(head:match("^HTTP/1%.1 (%d%d%d) "))
  local headers = {}
  for name, value in head:gmatch("\n([^:\r\n]+): ([^\r\n]*)") do headers[name:lower()] = value end
  local body = ""
  if method == "HEAD" or status < 200 or status == 204 or status == 304 then
    body = ""
  elseif headers["transfer-encoding"] then
    repeat
      local size = tonumber(assert(self:receive_until("\r\n")):match("^%x+"), 16)
      body = body .. assert(self:receive(size))
      assert(self:receive(2) == "\r\n")
    until size == 0
  elseif headers["content-length"] then
    body = assert(self:receive(tonumber(headers["content-length"])))
  else
    body = assert(self:receive_all())
  end
  return { status = status, headers = headers, body = body, head = head }
end

---Sends a request and reads the response.
function Socket:request(request, method)
  assert(self:send(request))
  return self:response(method)
end

---Sends FIN and goes on reading.
function Socket:shutdown()
  C.shutdown(self.fd, 1)
end

function Socket:close()
  if self.fd then C.close(self.fd) end
  self.fd = nil
end

---Closes with RST.
function Socket:reset()
  C.setsockopt(self.fd, 1, 13, ffi.new("int[2]", 1, 0), 8)
  self:close()
end

return socket
