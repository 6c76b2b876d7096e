--- What a body looks like: JSON, lines of JSON, or text. A view takes a body in UTF-8 piece by piece and writes what
--- there is to see of it.

local json = require "lurcher.command.show.json"
local overlay = require("lurcher.base.tables").overlay
local safe = require "lurcher.command.show.safe"

local views = {}

local MAX_WHOLE = 1024 * 1024 -- bytes of a JSON text that are looked at before any of it is shown
local MAX_LINE = 1024 * 1024

---@class lurcher.View
---@field feed fun(self: lurcher.View, text: string): string what is to be written now
---@field finish fun(self: lurcher.View): string the rest

-- ---- text ----

local Text = {}
Text.__index = Text

function Text:feed(text)
  if not self.is_terminal then return text end
  text = self.held .. text
  local shown, held = safe.text(text, false)
  self.held = held > 0 and text:sub(-held) or ""
  return shown
end

function Text:finish()
  local rest = self.held
  self.held = ""
  return (safe.text(rest, true))
end

---Text as it came; on a terminal without what would steer it.
---@param style lurcher.ShowStyle
---@return lurcher.View
function views.text(style)
  return setmetatable({ is_terminal = style.is_terminal, held = "" }, Text)
end

-- ---- JSON ----

local Json = {}
Json.__index = Json

-- From where it is no JSON on, it is text.
local function give_up(self)
  local rest, text = self.painter.rest, views.text(self.style)
  self.view = text
  return self.painter:take() .. text:feed(rest)
end

local function paint(self, text)
  if self.painter:feed(text) then return self.painter:take() end
  return give_up(self)
end

-- It is too long to be looked at as a whole.
local function begin(self)
  local text = table.concat(self.pieces)
  self.pieces = nil
  if self.is_guess then
    self.view = views.text(self.style)
    return self.view:feed(text)
  end
  self.painter = json.painter(self.style)
  return paint(self, text)
end

function Json:feed(text)
  if self.view then return self.view:feed(text) end
  if self.painter then return paint(self, text) end
  self.pieces[#self.pieces + 1] = text
  self.size = self.size + #text
  return self.size > MAX_WHOLE and begin(self) or ""
end

function Json:finish()
  if self.view then return self.view:finish() end
  if self.painter then
    if self.painter:finish() then return self.painter:take() end
    return give_up(self) .. self.view:finish()
  end
  local whole = table.concat(self.pieces)
  local painted = json.paint(whole, self.style)
  if painted then return painted end
  local text = views.text(self.style)
  return text:feed(whole) .. text:finish()
end

---Indented JSON. What turns out to be none is shown as it is: all of it, unless it is long.
---@param style lurcher.ShowStyle
---@param is_guess boolean nobody said that it is JSON
---@return lurcher.View
function views.json(style, is_guess)
  return setmetatable({ style = style, is_guess = is_guess, pieces = {}, size = 0 }, Json)
end

-- ---- lines of JSON ----

local Lines = {}
Lines.__index = Lines

local function show_line(self, line)
  local painted = json.paint(line, self.style)
  if painted then return painted end
  local text = views.text(self.style)
  return text:feed(line) .. text:finish()
end

function Lines:feed(text)
  local out, from = {}, 1
  while true do
    local stop = text:find("\n", from, true)
    if not stop then break end
    self.held[#self.held + 1] = text:sub(from, stop - 1)
    out[#out + 1] = show_line(self, table.concat(self.held)) .. "\n"
    self.held, self.size, from = {}, 0, stop + 1
  end
  local rest = text:sub(from)
  self.held[#self.held + 1], self.size = rest, self.size + #rest
  if self.size > MAX_LINE then out[#out + 1] = self:finish() end
  return table.concat(out)
end

function Lines:finish()
  local line = table.concat(self.held)
  self.held, self.size = {}, 0
  return line ~= "" and show_line(self, line) or ""
end

---A JSON value on each line, coloured.
---@param style lurcher.ShowStyle
---@return lurcher.View
function views.lines(style)
  return setmetatable({ style = overlay(style, { is_compact = true }), held = {}, size = 0 }, Lines)
end

return views
