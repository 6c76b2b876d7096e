--- Randomness: OpenSSL's for keys; for waits, which must differ between processes, from a fast generator that
--- the operating system has seeded (in `clock.virtual`, the test).

local crypto = require "lurcher.native.crypto"
local native = require "lurcher.native.task"

local random = {}

---A number from 0 up to, but not including, 1.
---@return number
random.unit = native.unit

-- The 16 bytes with version and variant set.
local function format_uuid(bytes, version)
  local values = { bytes:byte(1, 16) }
  values[7] = values[7] % 16 + version * 16
  values[9] = values[9] % 64 + 0x80
  local hex = crypto.hex(string.char(unpack(values)))
  return table.concat({ hex:sub(1, 8), hex:sub(9, 12), hex:sub(13, 16), hex:sub(17, 20), hex:sub(21) }, "-")
end

---A random UUID (version 4).
---@return string
function random.uuid()
  return format_uuid(crypto.random(16), 4)
end

local last, sequence = 0, 0 -- of the UUIDs of version 7: a millisecond, and how many there were in it

---A UUID that begins with the time in milliseconds (version 7), above all that were made before: 12 bits
---count within a millisecond, and when these are used up the next one is taken (RFC 9562, section 6.2).
---@return string
function random.uuid7()
  local now = math.floor(native.time() * 1000)
  if now > last then
    last, sequence = now, crypto.random(1):byte()
  else
    sequence = sequence + 1
    if sequence > 0xFFF then last, sequence = last + 1, 0 end
  end
  local time, bytes = last, {}
  for i = 6, 1, -1 do
    bytes[i] = time % 256
    time = math.floor(time / 256)
  end
  bytes[7], bytes[8] = math.floor(sequence / 256), sequence % 256
  return format_uuid(string.char(unpack(bytes)) .. crypto.random(8), 7)
end

return random
