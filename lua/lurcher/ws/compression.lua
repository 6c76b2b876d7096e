--- permessage-deflate (RFC 7692): what is offered, and what the server made of it.

local errors = require "lurcher.base.errors"
local excerpt = require("lurcher.base.secret").excerpt

local compression = {}

local NAME = "permessage-deflate"

-- Parameters and whether they have a value: "may" and "must" tell of what a server answers.
local PARAMETERS = {
  server_no_context_takeover = "none", client_no_context_takeover = "none",
  server_max_window_bits = "must", client_max_window_bits = "must",
}

---The header that offers it.
---@param wanted lurcher.ws.Compression
---@return string
function compression.offer(wanted)
  local parts = { NAME }
  if wanted.client_no_context_takeover ~= false then parts[#parts + 1] = "client_no_context_takeover" end
  if wanted.server_no_context_takeover then parts[#parts + 1] = "server_no_context_takeover" end
  local client_bits, server_bits = wanted.client_max_window_bits, wanted.server_max_window_bits
  parts[#parts + 1] = "client_max_window_bits" .. (client_bits and "=" .. client_bits or "")
  if server_bits then parts[#parts + 1] = "server_max_window_bits=" .. server_bits end
  return table.concat(parts, "; ")
end

local function refused(message, ...)
  return nil, errors.new { kind = "websocket", phase = "read", message = message:format(...) }
end

-- One parameter into `agreed`; nil and an error when it may not stand there.
local function add(agreed, piece)
  local name, value = piece:match("^%s*([^%s=]+)%s*=%s*(.-)%s*$")
  if not name then name = piece:match("^%s*([^%s=]+)%s*$") end
  local form = name and PARAMETERS[name]
  if not form then return refused("the server answers %s with an unknown parameter '%s'", NAME, excerpt(piece, 40)) end
  if agreed[name] ~= nil then return refused("the server answers %s with '%s' twice", NAME, name) end
  if form == "none" then
    if value then return refused("the server gives the parameter '%s' a value", name) end
    agreed[name] = true
    return true
  end
  local bits = value and value:match('^"?(%d%d?)"?$')
  bits = bits and bits:sub(1, 1) ~= "0" and tonumber(bits)
  if not bits or bits < 8 or bits > 15 then
    return refused("the server answers %s with %s of %s", NAME, name, excerpt(tostring(value), 20))
  end
  agreed[name] = bits
  return true
end

---What was agreed on; false: no compression. Nil and an error when the server answers with what was not offered.
---@param header string? the server's Sec-WebSocket-Extensions
---@param wanted lurcher.ws.Compression|false
---@return table|false|nil agreed
---@return lurcher.Error? err
function compression.agreed(header, wanted)
  if not header or not header:find("%S") then return false end
  if not wanted then return refused("the server uses extensions that were not offered: %s", excerpt(header, 60)) end
  if header:find(",", 1, true) then return refused("the server uses several extensions: %s", excerpt(header, 60)) end
  local agreed, first = {}, true
  for piece in (header .. ";"):gmatch("([^;]*);") do
    if first then
      if piece:match("^%s*(.-)%s*$") ~= NAME then
        return refused("the server uses an extension that was not offered: %s", excerpt(header, 60))
      end
    else
      local ok, err = add(agreed, piece)
      if not ok then return nil, err end
    end
    first = false
  end
  local most = wanted.server_max_window_bits
  if most and (agreed.server_max_window_bits or 15) > most then
    return refused("the server does not keep to server_max_window_bits=%d", most)
  elseif wanted.server_no_context_takeover and not agreed.server_no_context_takeover then
    return refused("the server does not agree to server_no_context_takeover")
  end
  -- What this side was not asked for, it may still do.
  agreed.client_no_context_takeover = agreed.client_no_context_takeover or wanted.client_no_context_takeover ~= false
  local own = wanted.client_max_window_bits
  if own then agreed.client_max_window_bits = math.min(agreed.client_max_window_bits or 15, own) end
  return agreed
end

return compression
