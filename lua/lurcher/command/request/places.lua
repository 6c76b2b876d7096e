--- The places of --each in a request: `{}` stands for a line, `{name}` for a member of a line that is a JSON
--- object. All else in braces, "{ }" too, is text.

local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local json_text = require "lurcher.command.json_text"
local native = require "lurcher.native.url"

local places = {}

local PLACE = "{([%w_]*)}" -- and no digit comes first

local function is_text(name) return name:find("^%d") ~= nil end

-- The texts of a line's members by name; nil and an error when it is no JSON object.
local function members_of(line)
  local members, text = {}, line:match("^%s*(.*)$")
  local value, err = json.decode(text)
  if err then return nil, err end
  if type(value) ~= "table" or text:sub(1, 1) ~= "{" then
    return nil, errors.new { kind = "decode", message = "the line is no JSON object" }
  end
  for member, key in json_text.members(json_text.compact(text)) do members[json.decode(key)] = member end
  return members
end

-- The JSON text that stands for a whole line.
local function line_as_json(line)
  local _, err = json.decode(line)
  return err and json.encode(line) or json_text.compact(line:match("^%s*(.-)%s*$"))
end

---What fills the places of a request by a line. It raises an error of kind "decode" when the line has no such
---member.
---@param line string
---@return lurcher.command.Fill
function places.filler(line)
  local members, problem
  local function value_of(name, how)
    if name == "" then return how == "json" and line_as_json(line) or line end
    if not members and not problem then members, problem = members_of(line) end
    if not members then error(problem, 0) end
    local text = members[name]
    if not text then
      error(errors.new { kind = "decode", message = ("the line has no member '%s'"):format(name) }, 0)
    end
    if how == "json" or json_text.kind(text) ~= "string" then return text end
    return json.decode(text)
  end
  return function(text, how)
    return (text:gsub(PLACE, function(name)
      if is_text(name) then return nil end
      local value = value_of(name, how)
      return how == "url" and native.encode(value) or value
    end))
  end
end

---Fills the places with something that fits: to look for wrong usage before there is a line.
---@param text string
---@param how "url"|"json"|"text"
---@return string
function places.sample(text, how)
  return (text:gsub(PLACE, function(name) return not is_text(name) and (how == "json" and "null" or "x") or nil end))
end

return places
