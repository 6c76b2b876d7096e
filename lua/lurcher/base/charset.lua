--- Character sets: a body to UTF-8, by what its Content-Type and byte order mark say.

local give_way = require "lurcher.base.give_way"
local native = require "lurcher.native.charset"

local charset = {}

local MAX_TYPE = 1024 -- bytes of a Content-Type that are looked at

local STEP = 512 * 1024 -- bytes after which other tasks have their turn

-- A mark beats what is declared, as the WHATWG Encoding standard has it.
local MARKS = { { "\239\187\191", "utf-8" }, { "\254\255", "utf-16be" }, { "\255\254", "utf-16le" } }

---@param body string
---@return string? label
---@return integer length of the mark
local function marked(body)
  for i = 1, #MARKS do
    local mark, label = MARKS[i][1], MARKS[i][2]
    if body:sub(1, #mark) == mark then return label, #mark end
  end
  return nil, 0
end

---The text in UTF-8, or nil and what is wrong. Without a mark and a declared character set it is UTF-8.
---@param body string
---@param content_type string?
---@return string? text
---@return string? message
function charset.decode(body, content_type)
  local declared = content_type and content_type:sub(1, MAX_TYPE):lower():match(";%s*charset%s*=%s*[\"']?([^%s\"';]+)")
  local label, from = marked(body)
  label = label or declared or "utf-8"
  local decoder = native.decoder(label, from)
  if not decoder then return nil, ("character set '%s' is not supported"):format(label) end
  local state, result = decoder:step(body, from, STEP)
  while state == "more" do
    give_way()
    state, result = decoder:step(body, from, STEP)
  end
  if state == "done" then return result end
  return nil, ("not valid %s at byte %d%s"):format(label == "utf-8" and "UTF-8" or label, result,
    (declared or from > 0) and "" or ", and no character set is declared")
end

return charset
