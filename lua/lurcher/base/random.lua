--- Randomness: from the operating system for keys; for waits, which must differ between processes, from a
--- fast generator that the operating system has seeded (in `clock.virtual`, the test).

local native = require "lurcher.native.task"

local random = {}

---@param count integer
---@return string bytes
function random.bytes(count)
  local source = assert(io.open("/dev/urandom", "rb"))
  source:setvbuf("no")
  local bytes = source:read(count)
  source:close()
  return bytes
end

---A number from 0 up to, but not including, 1.
---@return number
random.unit = native.unit

---A random UUID (version 4).
---@return string
function random.uuid()
  local bytes = { random.bytes(16):byte(1, 16) }
  bytes[7] = bytes[7] % 16 + 0x40
  bytes[9] = bytes[9] % 64 + 0x80
  local hex = ("%02x"):rep(16):format(unpack(bytes))
  return (hex:gsub("^(%x%x%x%x%x%x%x%x)(%x%x%x%x)(%x%x%x%x)(%x%x%x%x)", "%1-%2-%3-%4-"))
end

return random
