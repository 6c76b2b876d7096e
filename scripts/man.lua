-- Writes lurcher(1) from the manual: luajit scripts/man.lua OUT.1 LUA_DIR VERSION
-- The command's page gives its sections; environment, errors and the list of topics follow.

local out_path, root, version = arg[1], arg[2], arg[3]
package.path = root .. "/?.lua;" .. package.path

local markdown = require "lurcher.command.markdown"

local out = {}

local function put(...) out[#out + 1] = table.concat { ... } end

-- ---- text ----

local ESCAPES = {
  ["\\"] = "\\e", ["-"] = "\\-", ["'"] = "\\(aq", ["`"] = "\\(ga", ["^"] = "\\(ha", ["~"] = "\\(ti",
}

local function literal(text) return (text:gsub("[\\%-'`^~]", ESCAPES)) end

-- A hyphen in prose is one, at which a line may be broken.
local function prose(text) return (text:gsub("[\\'`^~]", ESCAPES)) end

local function bold(text) return "\\fB" .. literal(text) .. "\\fP" end

-- A line that begins with a dot would be taken for a request.
local function guarded(line) return line:find("^[.']") and "\\&" .. line or line end

local function inline(text) return guarded(markdown.inline(text, bold, prose)) end

-- ---- blocks ----

local render = {}

function render.heading(block)
  put(block.level <= 2 and ".SH " or ".SS ", (prose(block.text:upper():gsub("[`*]", ""))))
end

function render.paragraph(block) put(".PP\n", inline(block.text)) end

function render.code(block)
  put ".PP\n.RS 4\n.nf"
  for _, line in ipairs(block.lines) do put(guarded(literal(line))) end
  put ".fi\n.RE"
end

function render.list(block)
  for i, item in ipairs(block.items) do
    put(".IP ", block.marks[i] == "-" and "\\(bu" or block.marks[i], " 4\n", inline(item))
  end
end

-- Of a comparison: each cell with what its column is about.
local function put_comparison(block)
  for _, row in ipairs(block.rows) do
    local lines = {}
    for i = 2, #row do
      if row[i] ~= "" then lines[#lines + 1] = inline(block.head[i] .. ": " .. row[i]) end
    end
    put(".TP\n", inline(row[1]), "\n", table.concat(lines, "\n.br\n"))
  end
end

-- The first cell is the tag, and what is between it and the last stands behind it.
function render.table(block)
  if #block.head > 3 and not block.head[2]:find("type", 1, true) then return put_comparison(block) end
  for _, row in ipairs(block.rows) do
    local tag = markdown.inline(row[1], bold, prose)
    for i = 2, #row - 1 do
      local label = block.head[i]:find("default", 1, true) and "default " or ""
      if row[i] ~= "" then
        tag = tag .. (i == 2 and ": " or ", ") .. label .. markdown.inline(row[i], bold, prose)
      end
    end
    put(".TP\n", guarded(tag), "\n", #row > 1 and row[#row] ~= "" and inline(row[#row]) or "\\&")
  end
end

local function blocks_of(page)
  local file = assert(io.open(("%s/lurcher/help/%s.md"):format(root, page)))
  local text = file:read("*a")
  file:close()
  return markdown.parse(text)
end

local function render_blocks(blocks, first)
  for i = first or 1, #blocks do render[blocks[i].kind](blocks[i]) end
end

-- ---- the page ----

put '.\\" Written by scripts/man.lua from the manual.'
put('.TH LURCHER 1 "" "Lurcher ', version, '" "User Commands"')
put ".SH NAME\nlurcher \\- run Lua scripts that talk HTTP to many things at once"

local command = blocks_of "command-line"
assert(command[1].kind == "heading" and command[2].kind == "code", "command-line.md begins with the synopsis")
put ".SH SYNOPSIS\n.nf"
for _, line in ipairs(command[2].lines) do put(guarded(literal(line))) end
put ".fi\n.SH DESCRIPTION"
render_blocks(command, 3)

for _, section in ipairs { { "environment", "ENVIRONMENT AND FILES" }, { "errors", "ERRORS" } } do
  local blocks = blocks_of(section[1])
  put(".SH ", section[2])
  for i = 2, #blocks do
    -- Sections of a page that is itself a section.
    if blocks[i].kind == "heading" then blocks[i].level = 3 end
  end
  render_blocks(blocks, 2)
end

put ".SH TOPICS"
put(".PP\n", inline "`lurcher help TOPIC` shows a page of the manual.")
for _, block in ipairs(blocks_of "index") do
  if block.kind == "list" then render.list(block) end
end
put ".SH SEE ALSO\n.BR curl (1),\n.BR luajit (1)"

local file = assert(io.open(out_path, "wb"))
assert(file:write(table.concat(out, "\n"), "\n"))
file:close()
