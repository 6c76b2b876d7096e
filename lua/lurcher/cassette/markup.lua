--- Finds what stands behind names in texts that are neither JSON nor forms: elements and attributes of XML and HTML,
--- lines of headers and configurations, assignments of programs. Each pattern takes a time that grows with the text.

local names = require "lurcher.url.names"

local markup = {}

---@alias lurcher.cassette.Visit fun(first: integer, last: integer, where: string) of what stands there

-- Calls `visit` for what stands between there and the next such text. False: it does not end.
local function visit_until(text, first, mark, visit, where)
  local stop = text:find(mark, first, true)
  if not stop then return false end
  visit(first, stop - 1, where)
  return true
end

local ELEMENT = "<([%w_:.-]+)%f[^%w_:.-][^<>]*>"

local function find_elements(text, is_secret, visit)
  for name, first, last in text:gmatch(ELEMENT .. "()[^<]*()</") do
    if is_secret(name) then visit(first, last - 1, ("the element <%s>"):format(name)) end
  end
  for name, first in text:gmatch(ELEMENT .. "%s?<!%[CDATA%[()") do
    if is_secret(name) and not visit_until(text, first, "]]>", visit, ("the element <%s>"):format(name)) then return end
  end
end

-- <input name="csrf_token" value="…">, <meta name="csrf-token" content="…">
local function find_named_tags(text, is_secret, visit)
  for from, tag in text:gmatch "()<%a([^<>]*)>" do
    local name = tag:match '%sname="([^"]*)"' or tag:match "%sname='([^']*)'"
    if name and is_secret(name) then
      for attribute, quote, first in tag:gmatch "%f[%w](%w+)=([\"'])()" do
        if attribute == "value" or attribute == "content" then
          local stop = tag:find(quote, first, true)
          if stop then visit(from + 1 + first, from + stop, ('the tag named "%s"'):format(name)) end
        end
      end
    end
  end
end

-- password="…", apiKey: '…'
local function find_quoted(text, is_secret, visit)
  for name, quote, first in text:gmatch "%f[%w_.-]([%w_.-]+)[ \t]*[:=][ \t]*([\"'])()" do
    local where = ('the value of "%s"'):format(name)
    if is_secret(name) and not visit_until(text, first, quote, visit, where) then return end
  end
end

local LINE = "%f[^\n%z]"
local LINES = {
  LINE .. "[ \t]*([%w_.-]+):[ \t]+()[^\r\n\"'{%[]*()",    -- headers, YAML
  LINE .. "[ \t]*%- ([%w_.-]+):[ \t]+()[^\r\n\"'{%[]*()", -- in a list of YAML
  LINE .. "[ \t]*([%w_.-]+)[ \t]*=[ \t]*()[^%s&\"']*()",  -- configurations
  LINE .. "export[ \t]+([%w_]+)=()[^%s&\"']*()",          -- shells
  "'([^'\n]*)':%s?'()[^'\n]*()'",                         -- what Python prints
}

local function find_lines(text, is_secret, visit)
  for _, pattern in ipairs(LINES) do
    for name, first, last in text:gmatch(pattern) do
      if last > first and (is_secret(name) or names.is_header(name)) then
        visit(first, last - 1, ('the line "%s"'):format(name))
      end
    end
  end
end

---@param text string
---@param is_secret fun(name: string): boolean
---@param visit lurcher.cassette.Visit
function markup.find(text, is_secret, visit)
  if text:find("<", 1, true) then
    find_elements(text, is_secret, visit)
    find_named_tags(text, is_secret, visit)
  end
  if not text:find("[:=]") then return end
  if text:find("[\"']") then find_quoted(text, is_secret, visit) end
  find_lines(text, is_secret, visit)
end

return markup
