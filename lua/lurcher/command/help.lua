--- `lurcher help [topic]`: a page of the manual, for a terminal of some width.

-- Other modules are loaded where they are needed: most pages are laid out already.

local help = {}

local MAX_COLUMNS = 100 -- longer lines are hard to read
local MIN_COLUMNS = 40
local MIN_CELL = 10
local INDENT = "  "
local GAP = "  "

local MAX_UNBROKEN = 24 -- columns of code that stay on one line

-- Marks inside of texts, which take no room; and a blank at which no line is broken.
local BOLD, NORMAL, BLANK = "\1", "\2", "\3"

local function bold(text)
  if #text <= MAX_UNBROKEN then text = text:gsub(" ", BLANK) end
  return BOLD .. text .. NORMAL
end

local function same(text) return text end
local function inline(text) return require("lurcher.command.markdown").inline(text, bold, same) end

-- Most texts have neither, and a search for one byte takes no time beside a pattern's.
local function has_marks(text) return text:find(BOLD, 1, true) or text:find(NORMAL, 1, true) end

-- Texts without marks, and how many columns they take: each is asked for three or four times.
local bare_texts, known_widths = {}, {}

local function without_marks(text)
  if not has_marks(text) then return text end
  local bare = bare_texts[text]
  if not bare then
    bare = text:gsub("[\1\2]", "")
    bare_texts[text] = bare
  end
  return bare
end

-- With which bytes the characters beyond ASCII begin in the page that is shown: few, mostly none.
local leads = {}

local function find_leads(page)
  leads = {}
  local at = page:find("[\194-\244]")
  while at do
    local lead = page:sub(at, at)
    if not leads[lead] then leads[#leads + 1], leads[lead] = lead, true end
    at = page:find("[\194-\244]", at + 1)
  end
end

local function is_ascii(text)
  for i = 1, #leads do
    if text:find(leads[i], 1, true) then return false end
  end
  return true
end

local function width(text)
  local known = known_widths[text]
  if known then return known end
  local bare = without_marks(text)
  known = is_ascii(bare) and #bare or require("lurcher.base.units").width(bare)
  known_widths[text] = known
  return known
end

-- ---- lines ----

-- What is bold at the end of a line is bold at the start of the next.
local function carry_bold(lines)
  local open = false
  for i, line in ipairs(lines) do
    if open then line = BOLD .. line end
    if open or has_marks(line) then
      open = (line:match("^.*([\1\2])")) == BOLD
      lines[i] = open and line .. NORMAL or line
    end
  end
  return lines
end

-- Where a line of `bare` that begins at `at` ends, and where the next one begins: at the last blank within so
-- many columns, or behind a longer word.
local function line_end(bare, at, columns)
  local blank = bare:sub(at, at + columns):match("^.*() ")
  blank = blank and at + blank - 1 or bare:find(" ", at + columns, true)
  return blank and blank - 1 or #bare, blank and blank + 1
end

-- How much of the text stands before each of its marks, without these.
local function places_of_marks(text)
  local places, mark, at = {}, BOLD, 0
  while true do
    at = text:find(mark, at + 1, true)
    if not at then return places end
    places[#places + 1] = at - #places - 1
    mark = mark == BOLD and NORMAL or BOLD
  end
end

-- For texts in which a byte is a column: `bare` is without marks.
local function wrap_bytes(text, bare, columns)
  local lines, from, at, passed = {}, 1, 1, 0
  local marks = #text > #bare and places_of_marks(text) or {}
  while at and #bare - at >= columns do
    local last, after = line_end(bare, at, columns)
    while marks[passed + 1] and marks[passed + 1] <= last do passed = passed + 1 end
    lines[#lines + 1] = text:sub(from, last + passed)
    at, from = after, last + passed + 2
  end
  if at then lines[#lines + 1] = text:sub(from) end
  return lines
end

local function wrap_words(text, columns)
  local lines, first, last, used = {}, 1, 0, 0
  for from, word, behind in text:gmatch("()(%S+)()") do
    local columns_of_word = width(word)
    if last > 0 and used + 1 + columns_of_word > columns then
      lines[#lines + 1], first, last, used = text:sub(first, last), from, 0, 0
    end
    used = used + columns_of_word + (last > 0 and 1 or 0)
    last = behind - 1
  end
  lines[#lines + 1] = text:sub(first, last)
  return lines
end

-- With one blank between words and none around them.
local function squeeze(text)
  if not text:find("^ ") and not text:find("  ", 1, true) and text:sub(-1) ~= " " then return text end
  return (text:gsub(" +", " "):gsub("^ ", ""):gsub(" $", ""))
end

-- The text in lines of at most so many columns; a longer word has one for itself.
local function wrap(text, columns)
  text = squeeze(text)
  if width(text) <= columns then return { text } end
  local bare = without_marks(text)
  return carry_bold(is_ascii(bare) and wrap_bytes(text, bare, columns) or wrap_words(text, columns))
end

local function pad(text, columns) return text .. (" "):rep(columns - width(text)) end

-- ---- tables ----

-- The widest of what `of` gives for the cells of each column.
local function widest(rows, of)
  local widths = {}
  for _, row in ipairs(rows) do
    for i, cell in ipairs(row) do widths[i] = math.max(widths[i] or 0, of(cell)) end
  end
  return widths
end

local function longest_word(cell)
  if #cell <= MIN_CELL then return #cell end
  local most = 0
  for word in cell:gmatch("%S+") do
    if #word > most then most = math.max(most, math.min(width(word), MIN_CELL * 3)) end
  end
  return most
end

local function sum(list)
  local total = 0
  for _, number in ipairs(list) do total = total + number end
  return total
end

-- Takes columns away from the widest column until all fit; nil when they cannot.
local function fit(natural, rows, room)
  local excess = sum(natural) - room
  if excess <= 0 then return natural end
  local widths, least = { unpack(natural) }, widest(rows, longest_word)
  while excess > 0 do
    local chosen
    for i = 1, #widths do
      local may_shrink = widths[i] > math.max(least[i], MIN_CELL)
      if may_shrink and (not chosen or widths[i] > widths[chosen]) then chosen = i end
    end
    if not chosen then return nil end
    widths[chosen], excess = widths[chosen] - 1, excess - 1
  end
  return widths
end

local function table_row(out, row, widths)
  local cells, height = {}, 1
  for i = 1, #widths do
    cells[i] = wrap(row[i] or "", widths[i])
    height = math.max(height, #cells[i])
  end
  for n = 1, height do
    local parts = {}
    for i = 1, #widths do parts[i] = pad(cells[i][n] or "", widths[i]) end
    out[#out + 1] = (table.concat(parts, GAP):match("^.*%S") or "")
  end
end

-- What stands between the first cell of a row and the last: "integer, default 3".
local function details(head, row)
  local list = {}
  for i = 2, #row - 1 do
    local is_default = head[i]:find("default", 1, true) and row[i] ~= ""
    list[#list + 1] = row[i] ~= "" and (is_default and "default " or "") .. row[i] or nil
  end
  return table.concat(list, ", ")
end

-- A table of things side by side: each cell below the row's first, with what its column is about.
local function comparison_as_list(out, head, rows, columns)
  for _, row in ipairs(rows) do
    out[#out + 1] = row[1]
    for i = 2, #row do
      local lines = row[i] ~= "" and wrap(head[i]:gsub("[\1\2]", "") .. ": " .. row[i], columns - 4) or {}
      for _, line in ipairs(lines) do out[#out + 1] = "    " .. line end
    end
  end
end

-- Without columns, where there is no room for them.
local function table_as_list(out, head, rows, columns)
  if #head > 3 and not head[2]:find("type", 1, true) then
    return comparison_as_list(out, head, rows, columns)
  end
  for _, row in ipairs(rows) do
    local between = details(head, row)
    local first = row[1] .. (between ~= "" and ": " .. between or "")
    for i, line in ipairs(wrap(first, columns - 4)) do out[#out + 1] = (i > 1 and "    " or "") .. line end
    local lines = #row > 1 and row[#row] ~= "" and wrap(row[#row], columns - 4) or {}
    for _, line in ipairs(lines) do out[#out + 1] = "    " .. line end
  end
end

local function all_bold(cell)
  return cell ~= "" and bold((inline(cell):gsub("[\1\2]", ""))) or ""
end

local function has_words(row)
  for _, cell in ipairs(row) do
    if cell ~= "" then return true end
  end
  return false
end

local function render_table(out, block, columns)
  local rows, head = {}, {}
  for i, cell in ipairs(block.head) do head[i] = all_bold(cell) end
  for i, row in ipairs(block.rows) do
    rows[i] = {}
    for j, cell in ipairs(row) do rows[i][j] = inline(cell) end
  end
  local measured = { head, unpack(rows) }
  local natural = widest(measured, width)
  local room = columns - #GAP * (#natural - 1)
  local widths = (#natural <= 3 or sum(natural) <= room) and fit(natural, measured, room)
  if not widths then return table_as_list(out, head, rows, columns) end
  if has_words(head) then table_row(out, head, widths) end
  for _, row in ipairs(rows) do table_row(out, row, widths) end
end

-- ---- blocks ----

local render = { table = render_table }

function render.heading(out, block, columns)
  if block.level < 3 and #out > 0 then out[#out + 1] = "" end
  local text = inline(block.text):gsub("[\1\2]", "")
  if block.level == 1 then text = text:upper() end
  for _, line in ipairs(wrap(text, columns)) do out[#out + 1] = bold(line) end
end

function render.paragraph(out, block, columns)
  for _, line in ipairs(wrap(inline(block.text), columns)) do out[#out + 1] = line end
end

function render.code(out, block)
  for _, line in ipairs(block.lines) do out[#out + 1] = (INDENT .. INDENT .. line):match("^.*%S") or "" end
end

function render.list(out, block, columns)
  for i, item in ipairs(block.items) do
    local mark = INDENT .. block.marks[i] .. " "
    for n, line in ipairs(wrap(inline(item), columns - #mark)) do
      out[#out + 1] = (n == 1 and mark or (" "):rep(#mark)) .. line
    end
  end
end

-- Widths at which the pages are laid out when the command is built: of a pipe and most terminals, and of those
-- that are wider than lines become.
help.BUILT_COLUMNS = { 80, MAX_COLUMNS }

---A page in lines, with marks around what is bold.
---@param page string Markdown
---@param columns integer
---@return string
function help.lay_out(page, columns)
  columns = math.max(MIN_COLUMNS, math.min(columns, MAX_COLUMNS))
  find_leads(page)
  local out = {}
  for i, block in ipairs(require("lurcher.command.markdown").parse(page)) do
    if i > 1 then out[#out + 1] = "" end
    render[block.kind](out, block, columns)
  end
  return (table.concat(out, "\n"):gsub(BLANK, " "))
end

---@param text string of help.lay_out
---@param knows_bold boolean
---@return string
function help.dress(text, knows_bold)
  return (text:gsub(BOLD, knows_bold and "\27[1m" or ""):gsub(NORMAL, knows_bold and "\27[0m" or ""))
end

---A page as text.
---@param page string Markdown
---@param columns integer
---@param knows_bold boolean
---@return string
function help.render(page, columns, knows_bold)
  return help.dress(help.lay_out(page, columns), knows_bold)
end

-- ---- topics ----

-- What else a topic may be called; singular and plural are found without.
local ALSO = {
  help = "index", lurcher = "index", topic = "index", manual = "index", contents = "index",
  first = "first-script", script = "first-script", start = "first-script", tutorial = "first-script",
  ["getting-started"] = "first-script", python = "lua", javascript = "lua", luajit = "lua",
  migration = "coming-from", migrating = "coming-from", httpx = "coming-from", aiohttp = "coming-from",
  got = "coming-from", axios = "coming-from", curl = "coming-from", fetch = "coming-from",
  command = "command-line", cli = "command-line", ["exit-status"] = "command-line", signal = "command-line",
  budget = "command-line", trace = "command-line", stats = "command-line", explain = "command-line",
  variable = "environment", kind = "errors", troubleshooting = "errors", ["error-kinds"] = "errors",
  http = "requests", client = "requests", option = "requests", header = "requests", param = "requests",
  body = "requests", expect = "responses", streaming = "streams", ndjson = "streams", link = "responses",
  ws = "websocket", websockets = "websocket", ["permessage-deflate"] = "websocket",
  sse = "events", eventsource = "events", ["server-sent-events"] = "events",
  auth = "credentials", authentication = "credentials", oauth = "credentials", certificate = "tls",
  hook = "middleware", retry = "retries", backoff = "retries", rate = "limits", ["rate-limit"] = "limits",
  concurrency = "limits", limiter = "limits", throttle = "limits", ["circuit-breaker"] = "breakers",
  circuit = "breakers", pagination = "pages", checkpoint = "pages", semaphore = "tasks", queue = "tasks",
  event = "tasks", scope = "tasks", cancellation = "tasks", coroutine = "tasks", cancel = "tasks",
  file = "fs", digest = "crypto", prometheus = "metrics", webhook = "server", serve = "server", spec = "testing",
  vcr = "cassette", record = "cassette", replay = "cassette", recording = "cassette", har = "cassette",
  openapi = "mock", test = "testing", busted = "testing", embed = "embedding", c = "embedding",
  get = "one-shot", item = "one-shot", oneshot = "one-shot", shell = "one-shot", httpie = "one-shot",
  benchmark = "speed", performance = "speed",
}

-- "Circuit Breakers", "lurcher.pages", "command_line" and "--trace" as pages are called.
local function normal(topic)
  return (topic:lower():gsub("^%-+", ""):gsub("^lurcher%.", ""):gsub("[%s_]+", "-"))
end

---The name of the page that a topic means, or nil and the names of those that speak of it.
---@param pages table<string, string>
---@param topic string
---@return string?
---@return string[]? others sorted
function help.find(pages, topic)
  local name = normal(topic)
  local single = name:gsub("s$", "")
  for _, candidate in ipairs { name, name .. "s", single, ALSO[name] or ALSO[single] or name } do
    if pages[candidate] then return candidate end
  end
  local others = {}
  local pattern = "`[^`\n]*%f[%w_]" .. topic:gsub("^%-+", ""):gsub("%W", "%%%0") .. "%f[^%w_][^`\n]*`"
  for page, text in pairs(pages) do
    if text:find(pattern) then others[#others + 1] = page end
  end
  table.sort(others)
  return nil, others
end

local function names_of(pages)
  local names = {}
  for name in pairs(pages) do names[#names + 1] = name end
  for name in pairs(ALSO) do names[#names + 1] = name end
  table.sort(names)
  return names
end

-- Says what could have been meant, on standard error.
local function refuse(pages, topic, others)
  local near = require("lurcher.base.check").suggest(normal(topic), names_of(pages))
  local hint = near and ("; did you mean '%s'?"):format(near)
    or others[1] and "" or "; lurcher help lists all"
  io.stderr:write(("lurcher: help has no topic '%s'%s\n"):format(topic, hint))
  if others[1] then io.stderr:write("It is spoken of in: ", table.concat(others, ", "), "\n") end
  os.exit(2)
end

---@param columns string how wide the terminal is
---@param style "bold"|"plain"
---@param topic string "": the list of topics
---@param ... string of each page its name, its Markdown, and how it is laid out at this width; "": is not yet
function help.run(columns, style, topic, ...)
  jit.off() -- one page takes 5 ms interpreted, and 25 ms with what compiling it takes
  local given, pages, laid_out = { ... }, {}, {}
  for i = 1, #given, 3 do pages[given[i]], laid_out[given[i]] = given[i + 1], given[i + 2] end
  local name, others = help.find(pages, topic == "" and "index" or topic)
  if not name then return refuse(pages, topic, others) end
  local text = laid_out[name] ~= "" and laid_out[name] or help.lay_out(pages[name], tonumber(columns))
  print(help.dress(text, style == "bold"))
end

return help
