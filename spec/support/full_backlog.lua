-- A port whose listener accepts nobody and whose queue is full: connecting to it takes for ever.

local ffi = require "ffi"
local task = require "lurcher.task"
local socket = require "spec.support.socket"

pcall(ffi.cdef, [[
  int bind(int, const void *, unsigned);
  int listen(int, int);
  int getsockname(int, void *, unsigned *);
]])
local C = ffi.C

---@return string url
return function()
  local fd = C.socket(2, 1, 0)
  task.defer(function() C.close(fd) end)
  local address = ffi.new("struct spec_in", { family = 2, address = { 127, 0, 0, 1 } })
  assert(C.bind(fd, address, ffi.sizeof(address)) == 0 and C.listen(fd, 0) == 0)
  local size = ffi.new("unsigned[1]", ffi.sizeof(address))
  C.getsockname(fd, address, size)
  local port = address.port % 256 * 256 + math.floor(address.port / 256)
  local filler = assert(socket.connect(port)) -- a backlog of 0 has room for one
  task.defer(function() filler:close() end)
  return "http://127.0.0.1:" .. port
end
