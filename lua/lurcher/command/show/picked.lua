--- One value of a JSON body: a string without its quotes, anything else as the text has it.

local body = require "lurcher.command.show.body"
local errors = require "lurcher.base.errors"
local json = require "lurcher.command.show.json"
local lurcher_json = require "lurcher.json"
local pick = require "lurcher.command.show.pick"
local safe = require "lurcher.command.show.safe"

local picked = {}

-- What is written otherwise elsewhere.
local function advice_on(wanted)
  if ("." .. wanted .. "."):find(".0.", 1, true) then return "; places in lists count from 1" end
  if wanted:find("%[%-?%d+%]") then return "; a place in a list is written data.1" end
  return ""
end

local function nothing(wanted, outline)
  return nil, errors.new { kind = "decode", message = ("the body has nothing at '%s': there is %s%s"):format(wanted,
    outline, advice_on(wanted)) }
end

---What a path leads to, as it is printed; nil and an error.
---@param text string JSON
---@param wanted string
---@param style lurcher.ShowStyle
---@return string? shown
---@return lurcher.Error? err
function picked.of(text, wanted, style)
  local value, err = lurcher_json.decode(text)
  if err then return nil, err end
  local found, at = pick.pick(text, value, wanted)
  if not found then return nothing(wanted, at) end
  if found:byte() == 34 then
    if not style.is_terminal then return at end
    return safe.text(at, true), nil
  end
  return style.is_pretty and json.paint(found, style) or found
end

-- Each line that holds a value has one.
local function of_lines(self, res)
  for line in res:lines() do
    if line:find("%S") then
      local shown, err = picked.of(line, self.settings.pick, self.style)
      if not shown then return nil, err end
      local ok, failure = self.sink:write(shown .. "\n")
      if not ok then return nil, failure end
      self.sink:flush()
    end
  end
  return true
end

---Writes what `--pick` asks for.
---@param self lurcher.command.Showing
---@param res lurcher.Response a streamed one
---@return true? ok
---@return lurcher.Error? err
function picked.write(self, res)
  if body.is_lines(body.media_type(res)) then
    local ok, done, err = pcall(of_lines, self, res)
    if ok then return done, err end
    if errors.is_error(done) then return nil, done end
    error(done, 0)
  end
  local text, err = res:text()
  if not text then return nil, err end
  local ok, shown, failure = pcall(picked.of, text, self.settings.pick, self.style)
  if not ok then
    if errors.is_error(shown) then return nil, shown end
    error(shown, 0)
  end
  if not shown then return nil, failure end
  return self.sink:write(shown .. "\n")
end

return picked
