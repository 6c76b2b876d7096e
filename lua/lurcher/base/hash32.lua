--- A 32-bit non-cryptographic hash in hexadecimal digits: it finds changes and damage, and resists nobody who
--- looks for a collision.

local bit = require "bit"

local bxor, rol, tobit, tohex = bit.bxor, bit.rol, bit.tobit, bit.tohex
local byte = string.byte

local function mix(hash, word)
  hash = rol(bxor(hash, word), 13)
  return tobit(hash + rol(hash, 2) + 0x6c62272e) -- times 5, without leaving 32 bits
end

---@param text string
---@param seed? string an earlier hash, on which this one then depends
---@return string hexadecimal digits, eight
return function(text, seed)
  local hash = mix(seed and tobit(tonumber(seed, 16)) or 0, #text)
  local other = bxor(hash, 0x2545f491)
  local whole = #text - #text % 4
  for i = 1, whole, 4 do
    local a, b, c, d = byte(text, i, i + 3)
    local word = a + b * 256 + c * 65536 + d * 16777216
    hash = mix(hash, word)
    other = mix(rol(other, 7), bxor(word, hash))
  end
  for i = whole + 1, #text do hash = mix(hash, byte(text, i)) end
  hash = mix(mix(hash, other), rol(hash, 16))
  return tohex(bxor(hash, rol(hash, 15)))
end
