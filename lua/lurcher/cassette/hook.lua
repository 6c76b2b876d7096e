--- What a script's own function does to an entry before it is compared or written: `redact.with`.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"

local hook = {}

-- Headers by name in any case, as a script changes them.
local function as_map(flat)
  local map = {}
  for i = 1, #flat, 2 do
    local name = flat[i]:lower()
    map[name] = map[name] and map[name] .. ", " .. flat[i + 1] or flat[i + 1]
  end
  return setmetatable({}, {
    __index = function(_, name) return map[tostring(name):lower()] end,
    __newindex = function(_, name, value) map[tostring(name):lower()] = value end,
  }), map
end

-- What cannot be read back would be a damaged file.
local function header_value(name, value)
  local text = tostring(value)
  if name == "" or name:find "[:%z\r\n]" or text:find "[%z\r\n]" then
    errors.raise(("redact.with: the header %s has to be one line, got %s"):format(check.shown(name), check.shown(text)))
  end
  return text
end

-- The lines with what the map says now.
local function as_flat(flat, before, map)
  local out, done = {}, {}
  for i = 1, #flat, 2 do
    local name = flat[i]:lower()
    if map[name] ~= nil and map[name] == before[name] then
      out[#out + 1], out[#out + 2] = flat[i], flat[i + 1]
    elseif map[name] ~= nil and not done[name] then
      out[#out + 1], out[#out + 2] = flat[i], header_value(name, map[name])
    end
    done[name] = true
  end
  local names = {}
  for name in pairs(map) do
    if not done[name] then names[#names + 1] = name end
  end
  table.sort(names)
  for _, name in ipairs(names) do out[#out + 1], out[#out + 2] = name, header_value(name, map[name]) end
  return out
end

local function view(side)
  local copy, before = {}, {}
  for name, value in pairs(side) do copy[name] = value end
  local map
  copy.headers, map = as_map(side.headers)
  for name, value in pairs(map) do before[name] = value end
  return copy, before, map
end

local function taken(side, copy, before, map)
  local result = {}
  for name, value in pairs(side) do result[name] = value end
  for _, name in ipairs { "method", "url", "body", "status" } do
    if side[name] ~= nil and type(copy[name]) ~= type(side[name]) then
      errors.raise(("redact.with: %s has to stay a %s"):format(name, type(side[name])))
    end
    result[name] = copy[name]
  end
  local status = result.status
  if status and status ~= 0 and (status % 1 ~= 0 or status < 100 or status > 999) then
    errors.raise("redact.with: the status has to be a whole number from 100 to 999, got " .. check.shown(status))
  end
  if copy.body ~= side.body then result.ends = nil end
  result.headers = as_flat(side.headers, before, map)
  return result
end

local NOTHING = { status = 0, headers = {}, body = "" }

---The entry as the function leaves it; nil: it is not to be recorded.
---@param with fun(entry: table): boolean?
---@param entry table
---@return table?
function hook.entry(with, entry)
  local request, sent_before, sent = view(entry.request)
  local response, came_before, came = view(entry.response or NOTHING)
  if with { request = request, response = response } == false then return nil end
  return { request = taken(entry.request, request, sent_before, sent),
    response = entry.response and taken(entry.response, response, came_before, came), failure = entry.failure,
    open = entry.open, messages = entry.messages }
end

---A request as the function leaves it: with a response that has nothing in it.
---@param with fun(entry: table): boolean?
---@param request table
---@return table
function hook.request(with, request)
  local copy, before, map = view(request)
  with { request = copy, response = (view(NOTHING)) }
  return taken(request, copy, before, map)
end

return hook
