--- Where two things differ, in front of what luassert says of them.

local text = require "lurcher.base.text"

local difference = {}

local SHORT = 40 -- bytes: shorter texts are seen to differ
local AROUND = 30
local MAX_DEPTH = 50

-- __tostring may raise, and give what is no text.
local function plain_text(value)
  local ok, shown = pcall(tostring, value)
  return ok and type(shown) == "string" and text.cut(text.printable(shown), 2 * AROUND) or "a " .. type(value)
end

local function value_text(value, other)
  if type(value) == "string" then return '"' .. text.cut(text.printable(value), 2 * AROUND) .. '"' end
  -- 0.1 + 0.2 and 0.3
  local is_like = type(value) == "number" and type(other) == "number" and tostring(value) == tostring(other)
  if is_like then return ("%.17g"):format(value) end
  return plain_text(value)
end

local function told(path, passed, expected)
  return ("%s: passed %s, expected %s"):format(path, value_text(passed, expected), value_text(expected, passed))
end

local function key_text(key)
  if type(key) == "string" and #key <= AROUND and key:find "^[%a_][%w_]*$" then return "." .. key end
  return ("[%s]"):format(type(key) == "string" and ("%q"):format(text.cut(key, AROUND)) or plain_text(key))
end

-- Sorted, so that the same place is named each time.
local function keys_of(a, b)
  local keys, seen = {}, {}
  for _, map in ipairs { a, b } do
    for key in next, map do
      if not seen[key] then seen[key], keys[#keys + 1] = true, key end
    end
  end
  table.sort(keys, function(x, y)
    if type(x) == type(y) and (type(x) == "number" or type(x) == "string") then return x < y end
    return type(x) == type(y) and plain_text(x) < plain_text(y) or type(x) < type(y)
  end)
  return keys
end

-- The first byte that differs; found in halves, since texts may be large.
local function first_byte(a, b)
  local low, high = 0, math.min(#a, #b) -- so many are alike; so many may be
  while low < high do
    local middle = math.ceil((low + high) / 2)
    if a:sub(low + 1, middle) == b:sub(low + 1, middle) then low = middle else high = middle - 1 end
  end
  return low + 1
end

-- The first byte of the character that the byte is of.
local function start_of(value, at)
  for back = 0, 3 do
    if at - back < 1 or not value:find("^[\128-\191]", at - back) then return at - back end
  end
  return at
end

local function around(value, at)
  local first = math.max(1, start_of(value, at - AROUND))
  local last = start_of(value, at + AROUND + 1) - 1
  return ('%s"%s"%s'):format(first > 1 and "…" or "", text.printable(value:sub(first, last)),
    last < #value and "…" or "")
end

local function texts(passed, expected)
  local at = first_byte(passed, expected)
  local before = passed:sub(1, at - 1)
  local _, lines = before:gsub("\n", "")
  local column = #before:match "[^\n]*$" + 1
  return ("from line %d, column %d: passed %s, expected %s")
    :format(lines + 1, column, around(passed, at), around(expected, at))
end

-- Marks two tables as looked at, or says that they were: tables may hold themselves, and each other many times.
local function seen_before(seen, passed, expected)
  local pairs_of = seen[passed] or {}
  local before = pairs_of[expected]
  seen[passed], pairs_of[expected] = pairs_of, true
  return before
end

local function find(passed, expected, path, state)
  if type(passed) == "string" and type(expected) == "string" and passed ~= expected then
    if #passed < SHORT and #expected < SHORT then return told(path, passed, expected) end
    return path .. " " .. texts(passed, expected)
  end
  if type(passed) ~= "table" or type(expected) ~= "table" then
    if rawequal(passed, expected) or passed == expected then return nil end
    return told(path, passed, expected)
  end
  if rawequal(passed, expected) or #path > 1000 or state.depth > MAX_DEPTH then return nil end
  if seen_before(state.seen, passed, expected) then return nil end
  state.depth = state.depth + 1
  for _, key in ipairs(keys_of(passed, expected)) do
    local found = find(rawget(passed, key), rawget(expected, key), path .. key_text(key), state)
    if found then return found end
  end
  state.depth = state.depth - 1
end

---A line that says where two tables or long texts differ; nil when that is seen, or cannot be told.
---@param passed any
---@param expected any
---@return string?
function difference.of(passed, expected)
  local kind = type(passed)
  if kind ~= type(expected) or kind ~= "table" and kind ~= "string" then return nil end
  if kind == "string" and #passed < SHORT and #expected < SHORT then return nil end
  local found = find(passed, expected, "", { depth = 0, seen = {} })
  return found and "They differ at " .. found:gsub("^%.", ""):gsub("^ from ", "")
end

-- One assertion of luassert.
local function tell(assertion)
  local compare = assertion.callback
  function assertion.callback(state, arguments, level)
    local expected, passed = arguments[1], arguments[2]
    local result, more = compare(state, arguments, level)
    if result or not state.mod then return result, more end
    local ok, place = pcall(difference.of, passed, expected)
    if ok and place then
      local given = rawget(state, "failure_message")
      rawset(state, "failure_message", given == nil and place or tostring(given) .. "\n" .. place)
    end
    return result, more
  end
end

---Lets assert.same and assert.equal name the place.
function difference.install()
  require "luassert"
  local assertions = require("luassert.namespaces").assertion
  tell(assertions.same)
  tell(assertions.equals)
  tell(assertions.equal)
end

return difference
