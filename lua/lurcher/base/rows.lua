--- Tables of options: a list of rows, each of which says all there is to say about one option. Checks,
--- defaults and hints come from them at run time, the manual's tables and the types for editors when the tree
--- is built (scripts/docs.lua, scripts/types.lua).
---
--- A row:
---   [1]        the option's name
---   check      a type spec (see base/check.lua)
---   type       its type for editors; needed where `check` is a function or says less than the type
---   default    what holds when nothing is given; nil: nothing does
---   required   it must be given
---   shown      the default as the manual shows it, where the value itself says less
---   help       what it is for; a sentence without a full stop
---   example    how it is written
---   written    how it is written, for messages about other names (by default `NAME = …`)
---   elsewhere  what other libraries call it: { curl = "--max-redirs", got = "maxRedirects" }
---   alone      false: outside of its table it is not taken for this option
---   words      other names that users try; or a map of such names to how it is written here

local rows = {}

---@class lurcher.OptionRow
---@field [1] string
---@field check string|true|fun(value: any): string?
---@field type? string
---@field default? any
---@field required? boolean
---@field shown? string
---@field help string
---@field example? string
---@field written? string
---@field elsewhere? table<string, string>
---@field alone? boolean
---@field words? table
---@field only? "client"|"request"
---@field changes? string[]

---Name → type spec, as check.options takes it.
---@param list lurcher.OptionRow[]
---@return table<string, string|true|function>
function rows.specs(list)
  local specs = {}
  for i = 1, #list do specs[list[i][1]] = list[i].check end
  return specs
end

---Name → default.
---@param list lurcher.OptionRow[]
---@return table<string, any>
function rows.defaults(list)
  local defaults = {}
  for i = 1, #list do defaults[list[i][1]] = list[i].default end
  return defaults
end

-- These run once for each table, when a script starts: compiling their loops would take ten times as long as
-- running them.
jit.off(rows.specs)
jit.off(rows.defaults)

---Where the scripts of the build want the lists of functions' options, and the names of their types, by
---"module.function".
---@type table<string, { list: lurcher.OptionRow[], class: string }>?
rows.collected = nil

---A list of options that belongs to a function.
---@param name string "task.map"
---@param class string "lurcher.MapOptions"
---@param list lurcher.OptionRow[]
---@return table<string, string|true|function> specs
---@return table<string, any> defaults
function rows.of(name, class, list)
  if rows.collected then rows.collected[name] = { list = list, class = class } end
  return rows.specs(list), rows.defaults(list)
end

-- The name that others give an option, as far as it can be one in Lua: "--max-redirs" is max_redirs.
local function as_name(word)
  local name = word:gsub("^%-%-", ""):gsub("%-", "_")
  return name:find("^%a[%w_]+$") and name or nil
end

local function add_hint(hints, name, written)
  if name and hints[name] == nil then hints[name] = written end
end

-- Fills in the other names of a list's options. What is there already stays.
local function add_hints(hints, list, pattern)
  for _, row in ipairs(list) do
    local written = row.written or (pattern or "%s = …"):format(row[1])
    for other, special in pairs(row.words or {}) do
      if type(other) == "number" then
        add_hint(hints, special, written)
      else
        add_hint(hints, other, special)
      end
    end
    for _, names in pairs(row.elsewhere or {}) do
      for word in names:gmatch("[^,%s]+") do add_hint(hints, as_name(word), written) end
    end
  end
  for _, row in ipairs(list) do hints[row[1]] = nil end
end

---A table that `fill` fills when something is looked up in it for the first time.
---@param fill fun(t: table)
---@return table
function rows.lazy(fill)
  return setmetatable({}, { __index = function(t, key)
    setmetatable(t, nil)
    fill(t)
    return t[key]
  end })
end

---Other names → how it is written here, as check.options takes it. Rows that come first count. Made when it
---is asked for: it never is in a script without mistakes.
---@param list lurcher.OptionRow[]
---@param pattern? string how an option of this table is written, with %s for its name
---@return table<string, string>
function rows.hints(list, pattern)
  return rows.lazy(function(hints) add_hints(hints, list, pattern) end)
end

---All of them, as an ordinary table.
function rows.all_hints(list, pattern)
  local hints = {}
  add_hints(hints, list, pattern)
  return hints
end

return rows
