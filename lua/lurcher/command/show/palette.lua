--- The colours of what the command shows. Of the sixteen colours of a terminal only those that can be read on dark
--- and on light grounds alike, and bold and dim.

local palette = {}

---@class lurcher.Palette
---@field key string what switches the colour on
---@field string string
---@field number string
---@field literal string true and false
---@field null string
---@field name string of a header
---@field good string a status below 300
---@field moved string a status from 300 to 399
---@field bad string a status from 400
---@field dim string
---@field off string

local CODES = {
  key = "1", string = "32", number = "35", literal = "35", null = "2", name = "1",
  good = "1;32", moved = "1;35", bad = "1;31", dim = "2", off = "0",
}

---@type lurcher.Palette
palette.coloured = {}
---@type lurcher.Palette
palette.plain = {}

for name, code in pairs(CODES) do
  palette.coloured[name], palette.plain[name] = ("\27[%sm"):format(code), ""
end

---@param status integer
---@return "good"|"moved"|"bad"
function palette.of_status(status)
  return status < 300 and "good" or status < 400 and "moved" or "bad"
end

return palette
