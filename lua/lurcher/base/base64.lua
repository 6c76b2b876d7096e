--- Base64 (RFC 4648, with padding).

local bit = require "bit"

local band, rshift = bit.band, bit.rshift

local DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local base64 = {}

local function digit(value)
  return DIGITS:sub(value + 1, value + 1)
end

---@param text string
---@return string
function base64.encode(text)
  local out = {}
  for i = 1, #text, 3 do
    local a, b, c = text:byte(i, i + 2)
    local bits = a * 65536 + (b or 0) * 256 + (c or 0)
    out[#out + 1] = digit(rshift(bits, 18)) .. digit(band(rshift(bits, 12), 63))
      .. (b and digit(band(rshift(bits, 6), 63)) or "=") .. (c and digit(band(bits, 63)) or "=")
  end
  return table.concat(out)
end

return base64
