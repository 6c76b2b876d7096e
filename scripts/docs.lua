-- Writes the tables of the manual (lua/lurcher/help/*.md) and of the README from the tables in the sources:
--
--     luajit scripts/docs.lua --check      names the pages whose tables are not up to date; status 1 if any
--     luajit scripts/docs.lua --write      brings them up to date
--     luajit scripts/docs.lua TABLE        prints one
--
-- A page holds a table between two lines, which stay:
--
--     <!-- table: NAME -->
--     <!-- end -->
--
-- NAME is one of
--
--     client_options    options of clients, of which those without * may be given to a request, too
--     request_options   options of requests only
--     timeout, limits, retry, breaker, tls, hooks    the keys of these options
--     policy            options of retry.policy
--     pages             options of pages.items and pages.each
--     pages_url, pages_cursor, pages_offset, pages_number, task_map, task_stream, task_limiter, progress_bar,
--     http_download, http_save, ws_connect,
--     clock_virtual, server_start, server_raw, server_tls    options of these functions (server_tls: of `tls`)
--     kinds             kinds of errors: when, cure, repeatable
--     phases            what an attempt goes through
--     cli               options of the command
--     word_options      options of lurcher get and its kin
--     elsewhere         what requests, httpx, aiohttp, got, axios and curl call our options
--
-- To be run in the folder of the sources.

package.path = "./?.lua;" .. package.path

local spelling = require "scripts.tables.spelling"
local tables = require "scripts.tables.load"

local function cell(text)
  return (tostring(text):gsub("|", "\\|"):gsub("\n", " "))
end

local function code(text)
  return "`" .. text .. "`"
end

-- A table in Markdown; each row is a list of cells.
local function markdown(headings, rows)
  local lines = { "| " .. table.concat(headings, " | ") .. " |", "|" .. ("---|"):rep(#headings) }
  for _, row in ipairs(rows) do
    for i = 1, #row do row[i] = cell(row[i]) end
    lines[#lines + 1] = "| " .. table.concat(row, " | ") .. " |"
  end
  return table.concat(lines, "\n") .. "\n"
end

local function default(row)
  if row.shown and row.shown:find("^see ") then return row.shown end
  if row.shown and row.shown:find("[{\"]") then return code(row.shown) end
  if row.shown then return row.shown end
  if row.required then return "must be given" end
  if row.default == nil then return "none" end
  return code(spelling.value(row.default))
end

local function options(list)
  local rows = {}
  for i, row in ipairs(list) do
    local example = row.example and ": " .. code(row.example) or ""
    rows[i] = { code(row[1]) .. (row.only == "client" and " *" or ""), code(spelling.type(row)), default(row),
      row.help .. example }
  end
  return markdown({ "option", "type", "default", "meaning, and an example" }, rows)
end

local LIBRARIES = { "requests", "httpx", "aiohttp", "got", "axios", "curl" }
local PARTS = { "timeout", "limits", "retry", "tls", "hooks" }

local function elsewhere()
  local rows = {}
  local function add(list, prefix)
    for _, row in ipairs(list) do
      if row.elsewhere then
        local cells = { code(prefix .. row[1]) }
        for _, library in ipairs(LIBRARIES) do
          cells[#cells + 1] = row.elsewhere[library] and code(row.elsewhere[library]) or ""
        end
        rows[#rows + 1] = cells
      end
    end
  end
  add(tables.client_options, "")
  add(tables.request_options, "")
  for _, part in ipairs(PARTS) do add(tables[part], part .. ".") end
  return markdown({ "here", unpack(LIBRARIES) }, rows)
end

local function kinds()
  local rows = {}
  for i, kind in ipairs(tables.kinds) do
    rows[i] = { code(kind.name), kind.when, kind.cure, kind.flags:find("repeatable", 1, true) and "yes" or "no" }
  end
  return markdown({ "kind", "when", "cure", "may be repeated" }, rows)
end

local function phases()
  local rows = {}
  for i, phase in ipairs(tables.phases) do rows[i] = { code(phase[1]), phase.help, phase.cell } end
  return markdown({ "phase", "what it is", "in --explain" }, rows)
end

local function option_name(option)
  local name = option[1] .. (option.value and "=" .. option.value or "")
  return code(name) .. (option.short and ", " .. code(option.short) or "")
end

local function cli()
  local rows = {}
  for i, option in ipairs(tables.cli) do rows[i] = { option_name(option), option.help } end
  return markdown({ "option", "meaning" }, rows)
end

local function word_options()
  local rows = {}
  for i, option in ipairs(tables.word_options) do
    rows[i] = { option_name(option) .. (option.also and " *" or ""), option.help }
  end
  return markdown({ "option", "meaning" }, rows)
end

local makers = { elsewhere = elsewhere, kinds = kinds, phases = phases, cli = cli,
  word_options = word_options }

local function make(name)
  if makers[name] then return makers[name]() end
  return tables[name] and options(tables[name])
end

local function pages()
  local list = { "README.md" }
  local found = io.popen("ls lua/lurcher/help/*.md 2>/dev/null")
  for path in found:lines() do list[#list + 1] = path end
  found:close()
  return list
end

local function read(path)
  local file = assert(io.open(path, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

-- The page with its tables as they should be.
local function up_to_date(path, text)
  return (text:gsub("(<!%-%- table: ([%w_]+) %-%->\n)(.-)(<!%-%- end %-%->)", function(first, name, _, last)
    local made = make(name) or error(("%s: there is no table '%s'"):format(path, name), 0)
    return first .. made .. last
  end))
end

local mode, status = arg[1], 0
if mode == "--check" or mode == "--write" then
  for _, path in ipairs(pages()) do
    local text = read(path)
    local wanted = up_to_date(path, text)
    if wanted ~= text and mode == "--check" then
      print(path .. ": its tables are not those of the sources; luajit scripts/docs.lua --write mends it")
      status = 1
    elseif wanted ~= text then
      local file = assert(io.open(path, "wb"))
      file:write(wanted)
      file:close()
    end
  end
elseif mode and make(mode) then
  io.write(make(mode))
else
  io.stderr:write("usage: luajit scripts/docs.lua --check | --write | TABLE\n")
  status = 2
end
os.exit(status)
