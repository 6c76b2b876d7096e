--- Reads the Markdown of the manual: headings, paragraphs, fenced code, lists of one level, tables. The
--- command shows it on a terminal, scripts/man.lua makes troff of it.

---@class lurcher.MarkdownBlock
---@field kind "heading"|"paragraph"|"code"|"list"|"table"
---@field text? string of a heading or paragraph
---@field level? integer of a heading
---@field info? string what stands behind the fence
---@field lines? string[] of code
---@field marks? string[] of a list's items: "-", "1."
---@field items? string[]
---@field head? string[] of a table
---@field rows? string[][]

local markdown = {}

local function lines_of(text)
  local lines = {}
  for line in (text .. "\n"):gmatch("([^\r\n]*)\r?\n") do lines[#lines + 1] = line end
  return lines
end

local function trim(text) return text:match("^%s*(.*%S)") or "" end

local function cells_of(line)
  local cells = {}
  local is_escaped = line:find("\\|", 1, true)
  line = (is_escaped and line:gsub("\\|", "\1") or line):gsub("^%s*|", "")
  line = line:match("^(.*)|%s*$") or line
  for cell in (line .. "|"):gmatch("([^|]*)|") do
    cells[#cells + 1] = trim(is_escaped and cell:gsub("\1", "|") or cell)
  end
  return cells
end

-- Each takes the lines and the place where it begins, and gives a block and the place behind it; nil: it is
-- of another kind.

local function heading(lines, at)
  local marks, text = lines[at]:match("^(#+)%s+(.*)$")
  if marks then return { kind = "heading", level = #marks, text = text }, at + 1 end
end

local function code(lines, at)
  local info = lines[at]:match("^```(.*)$")
  if not info then return nil end
  local block = { kind = "code", info = info, lines = {} }
  at = at + 1
  while lines[at] and lines[at] ~= "```" do
    table.insert(block.lines, lines[at])
    at = at + 1
  end
  return block, at + 1
end

local function indented(lines, at)
  if not lines[at]:find("^    ") then return nil end
  local block = { kind = "code", info = "", lines = {} }
  while lines[at] and (lines[at]:find("^    ") or lines[at] == "" and (lines[at + 1] or ""):find("^    ")) do
    table.insert(block.lines, lines[at]:sub(5))
    at = at + 1
  end
  return block, at
end

local function list_item(line)
  local mark, text = line:match("^([-*])%s+(.*)$")
  if mark then return "-", text end
  return line:match("^(%d+%.)%s+(.*)$")
end

local function list(lines, at)
  if not list_item(lines[at]) then return nil end
  local block = { kind = "list", marks = {}, items = {} }
  while lines[at] do
    local mark, text = list_item(lines[at])
    if mark then
      table.insert(block.marks, mark)
      table.insert(block.items, text)
    elseif lines[at]:find("^%s+%S") then
      block.items[#block.items] = block.items[#block.items] .. " " .. lines[at]:match("^%s+(.*)$")
    else
      break
    end
    at = at + 1
  end
  return block, at
end

local function table_block(lines, at)
  if not lines[at]:find("^|") then return nil end
  local block = { kind = "table", head = cells_of(lines[at]), rows = {} }
  at = at + 1
  while lines[at] and lines[at]:find("^|") do
    if not lines[at]:find("^|[%s:|-]+$") then table.insert(block.rows, cells_of(lines[at])) end
    at = at + 1
  end
  return block, at
end

local STARTS = { heading, code, indented, list, table_block }

local function other_block(lines, at)
  if lines[at]:find("^%a") then return nil end
  for _, start in ipairs(STARTS) do
    local block, after = start(lines, at)
    if block then return block, after end
  end
end

local function paragraph(lines, at)
  local text = {}
  while lines[at] and lines[at] ~= "" and not lines[at]:find("^<!%-%-") do
    if #text > 0 and other_block(lines, at) and not lines[at]:find("^    ") then break end
    table.insert(text, trim(lines[at]))
    at = at + 1
  end
  return { kind = "paragraph", text = table.concat(text, " ") }, at
end

---@param text string
---@return lurcher.MarkdownBlock[]
function markdown.parse(text)
  local lines, blocks, at = lines_of(text), {}, 1
  while lines[at] do
    if lines[at]:find("^%s*$") or lines[at]:find("^<!%-%-") then
      at = at + 1
    else
      local block, after = other_block(lines, at)
      if not block then
        block, after = paragraph(lines, at)
      end
      blocks[#blocks + 1], at = block, after
    end
  end
  return blocks
end

-- `text` with every `code` given to `inside`, and what lies between to `outside`.
local function split_code(text, inside, outside)
  local parts, at = {}, 1
  while true do
    local open = text:find("`", at, true)
    if not open then break end
    local ticks = text:match("^`+", open)
    local close = text:find(ticks, open + #ticks, true)
    if not close then break end
    parts[#parts + 1] = outside(text:sub(at, open - 1))
    parts[#parts + 1] = inside(text:sub(open + #ticks, close - 1))
    at = close + #ticks
  end
  parts[#parts + 1] = outside(text:sub(at))
  return table.concat(parts)
end

---A text whose inline marks are replaced: `bold` and `plain` get pieces without marks, and give what stands
---for them. Of links the words are left.
---@param text string
---@param bold fun(text: string): string for `code`, **bold** and *emphasis*
---@param plain fun(text: string): string
---@return string
function markdown.inline(text, bold, plain)
  return split_code(text, bold, function(outside)
    if not outside:find("[", 1, true) and not outside:find("*", 1, true) then return plain(outside) end
    outside = outside:gsub("%[([^%]]*)%]%([^)]*%)", "%1")
    if not outside:find("*", 1, true) then return plain(outside) end
    local parts, at = {}, 1
    while true do
      local open, close, words = outside:find("%*%*(.-)%*%*", at)
      if not open then
        open, close, words = outside:find("%f[%*%w]%*(%w[^%*]*)%*", at)
      end
      if not open then break end
      parts[#parts + 1] = plain(outside:sub(at, open - 1)) .. bold(words)
      at = close + 1
    end
    return table.concat(parts) .. plain(outside:sub(at))
  end)
end

return markdown
