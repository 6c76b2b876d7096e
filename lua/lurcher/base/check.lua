--- Checks of arguments and options, made once at the edge of each public function. What does not fit raises
--- with the caller's position.
---
--- A *type spec* says what a value may be: alternatives separated by "|", each one a Lua type's name, a word
--- of `words` below ("integer", "seconds", "false", …) or a quoted string ("'full'|'equal'"); or `true`
--- (anything); or a function(value) that returns nil when the value is fine and otherwise what would be ("a
--- list of strings").


local lazy = require "lurcher.base.lazy"

local errors = lazy "lurcher.base.errors"
local secret = lazy "lurcher.base.secret"

local check = {}

local huge = math.huge
local MAX_LISTED = 12 -- names in a message

local function raise(message)
  errors.raise(message)
end

-- Words of type specs beyond Lua's type names.
local words = {
  ["false"] = function(v) return v == false end,
  ["true"] = function(v) return v == true end,
  integer = function(v) return type(v) == "number" and v % 1 == 0 end,
  count = function(v) return type(v) == "number" and v % 1 == 0 and v >= 1 end,
  size = function(v) return type(v) == "number" and v >= 0 and v < huge end,
  bytes = function(v) return type(v) == "number" and v % 1 == 0 and v >= 0 and v <= 2 ^ 53 end, -- an exact number
  huge = function(v) return v == huge end, -- where a size is a limit: none
  seconds = function(v) return type(v) == "number" and v >= 0 and v < huge end,
  positive = function(v) return type(v) == "number" and v > 0 and v < huge end,
  limit = function(v) return type(v) == "number" and v > 0 end, -- of time; math.huge: none
  duration = function(v) return type(v) == "number" and v >= 0 end,
  text = function(v) return type(v) == "string" or secret.is(v) end,
  callable = function(v)
    if type(v) == "function" then return true end
    local metatable = type(v) == "table" and getmetatable(v)
    return type(metatable) == "table" and metatable.__call ~= nil
  end,
}

local described = {
  count = "a whole number of at least 1",
  size = "a number of at least 0",
  bytes = "a whole number of at least 0",
  huge = "math.huge",
  seconds = "a number of seconds (at least 0)",
  positive = "a number above 0",
  limit = "a number above 0",
  duration = "a number of seconds (at least 0)",
  integer = "a whole number",
  text = "a string",
  callable = "a function",
}

local function literal_test(text)
  return function(v) return v == text end
end

local function type_test(name)
  return function(v) return type(v) == name end
end

-- Spec string -> { tests, description }, compiled at first use.
local compiled = setmetatable({}, { __index = function(cache, spec)
  local tests, names = {}, {}
  for word in spec:gmatch("[^|]+") do
    local literal = word:match("^'(.*)'$")
    tests[#tests + 1] = literal and literal_test(literal) or words[word] or type_test(word)
    names[#names + 1] = literal and ('"%s"'):format(literal) or described[word] or word
  end
  local last = table.remove(names)
  local entry = { tests = tests, names = #names > 0 and table.concat(names, ", ") .. " or " .. last or last }
  cache[spec] = entry
  return entry
end })

local function shown(value)
  if type(value) == "string" then
    if #value > 40 then return "a string of " .. #value .. " bytes" end
    return '"' .. value:gsub("[%c\"\\]", function(c) return ("\\x%02x"):format(c:byte()) end) .. '"'
  elseif type(value) == "number" or type(value) == "boolean" then
    return tostring(value)
  end
  return value == nil and "nil" or "a " .. type(value)
end

---What `value` should have been, or nil when it fits `spec`.
---@param value any
---@param spec string|true|fun(value: any): string?
---@return string?
function check.mismatch(value, spec)
  if spec == true then return nil end
  if type(spec) == "function" then return spec(value) end
  local entry = compiled[spec]
  local tests = entry.tests
  for i = 1, #tests do
    if tests[i](value) then return nil end
  end
  return entry.names
end

-- Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`.
local function distance(a, b)
  local before, previous, current = {}, {}, {}
  for j = 0, #b do previous[j] = j end
  for i = 1, #a do
    current[0] = i
    local x = a:byte(i)
    for j = 1, #b do
      local y = b:byte(j)
      local cost = x == y and 0 or 1
      local best = math.min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + cost)
      if i > 1 and j > 1 and x == b:byte(j - 1) and a:byte(i - 1) == y then
        best = math.min(best, before[j - 2] + 1)
      end
      current[j] = best
    end
    before, previous, current = previous, current, before
  end
  return previous[#b]
end

---The candidate nearest to `name`, or nil when none is near.
---@param name string
---@param candidates table a list of names, or a map whose keys are names
---@return string?
function check.suggest(name, candidates)
  if type(name) ~= "string" or #name > 40 then return nil end
  local wanted = name:lower():gsub("[%s%-]", "_")
  local best, best_distance
  for key, value in pairs(candidates) do
    local candidate = type(key) == "string" and key or value
    if type(candidate) == "string" then
      local edits = distance(wanted, candidate:lower())
      if wanted:sub(1, 4) == candidate:sub(1, 4) then edits = math.min(edits, 2) end -- "retries" for "retry"
      -- Equal distances: the alphabet decides, so that the message is the same in every run.
      if edits <= math.ceil(math.min(#wanted, #candidate) / 3)
        and (not best or edits < best_distance or edits == best_distance and candidate < best) then
        best, best_distance = candidate, edits
      end
    end
  end
  return best
end

---What there is, behind a message, where it is little.
---@param candidates table as check.suggest takes it
---@return string
function check.listed(candidates)
  local names = {}
  for key, value in pairs(candidates) do
    local name = type(key) == "string" and key or value
    if type(name) == "string" and name:sub(1, 1) ~= "_" then names[#names + 1] = name end
  end
  if not names[1] or names[MAX_LISTED + 1] then return "" end
  table.sort(names)
  return "; there are " .. table.concat(names, ", ")
end

---The message for an unknown key.
---@param name any
---@param candidates table
---@param noun? string default "option"
---@return string
function check.unknown(name, candidates, noun)
  noun = noun or "option"
  if type(name) ~= "string" then
    return ("%ss are given by name, not as %s"):format(noun, "[" .. tostring(name) .. "]")
  end
  local near = check.suggest(name, candidates)
  if #name > 100 then name = name:sub(1, 97) .. "…" end
  local hint = near and ("; did you mean '%s'?"):format(near) or check.listed(candidates)
  return ("unknown %s '%s'%s"):format(noun, name, hint)
end

---Checks one named option.
---@param name any
---@param value any
---@param known table<string, string|true|function> name -> type spec
---@param what? string named in messages: "http.get"
---@param elsewhere? table<string, string> what others call it -> how it is written here
function check.option(name, value, known, what, elsewhere)
  local spec = known[name]
  if spec == nil and elsewhere and elsewhere[name] then
    local prefix = what and what .. ": " or ""
    local why = elsewhere[name]:match "^nothing: (.*)$"
    raise(("%sunknown option '%s'; %s"):format(prefix, name, why and "there is none here: " .. why
      or "it is written " .. elsewhere[name]))
  elseif spec == nil then
    raise((what and what .. ": " or "") .. check.unknown(name, known))
  end
  local wanted = check.mismatch(value, spec)
  if wanted then
    local prefix = what and what .. ": " or ""
    raise(("%soption '%s' must be %s, got %s"):format(prefix, name, wanted, shown(value)))
  end
end

---Checks a table of options: every key must be known, every value fit its spec.
---@param opts table? nil is fine
---@param known table<string, string|true|function> name -> type spec
---@param what? string named in messages: "http.get"
---@param elsewhere? table<string, string> what others call it -> how it is written here
---@return table? opts
function check.options(opts, known, what, elsewhere)
  if opts == nil then return nil end
  if type(opts) ~= "table" then
    raise(("%soptions must be a table, got %s"):format(what and what .. ": " or "", shown(opts)))
  end
  for name, value in pairs(opts) do check.option(name, value, known, what, elsewhere) end
  return opts
end

-- The name of the module that `value` is, as in "http"; nil when it is none.
local function module_name(value)
  for name, loaded in pairs(package.loaded) do
    if loaded == value and name:find("^lurcher%.") then return name:sub(9) end
  end
end

---Checks one argument.
---@param value any
---@param spec string|true|function
---@param position integer
---@param what string the function's name: "http.get"
function check.argument(value, spec, position, what)
  local wanted = check.mismatch(value, spec)
  if wanted then
    if position == 1 and type(value) == "table" and module_name(value) then
      raise(("call it with a dot: %s(…)"):format(what))
    end
    raise(("bad argument #%d to '%s' (%s expected, got %s)"):format(position, what, wanted, shown(value)))
  end
  return value
end

---Checks the object a method is called on.
---@param self any
---@param class table its metatable
---@param what string "queue:get"
function check.method(self, class, what)
  if getmetatable(self) ~= class then raise(("call it with a colon: %s(…)"):format(what)) end
end

check.shown = shown

return check
