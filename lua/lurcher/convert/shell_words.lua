--- Words of a POSIX shell and of bash. Nothing is run: what would have to be is refused by name, variables become
--- parameters, and what stands behind pipes and redirections is told of.

local ansi_c = require "lurcher.convert.ansi_c"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"

local shell_words = {}

---@class lurcher.ShellCommand
---@field words string[] variables as marks, see parameters.lua
---@field from integer where it begins in the text
---@field to integer where it ends
---@field after string the operator behind it: "", "\n", ";", "&", "|", "&&", "||"
---@field before string the operator before it
---@field input? { text?: string, path?: string } what standard input is
---@field redirected string[] redirections as they are written, but for those of standard input

local MAX_SHOWN = 40 -- bytes of what a message quotes

local function excerpt(text, from, to)
  local piece = text:sub(from, math.min(to, from + MAX_SHOWN - 1)):gsub("%s+", " ")
  return to - from >= MAX_SHOWN and piece .. "…" or piece
end

-- ---- what a "$" or a backquote begins ----

-- Where a place is in the whole text: of a here-document, where that is called for.
local function place(reader, at) return reader.fixed or at end

local function refuse_substitution(reader, from, closing)
  local stop = reader.text:find(closing, from + 1, true) or #reader.text
  refusal.raise(("%s is never run: write its output in its place"):format(excerpt(reader.text, from, stop)),
    place(reader, from))
end

-- A variable: its value where that is known, else a mark.
local function variable(reader, name)
  local values, value = reader.values, nil
  if type(values) == "function" then value = values(name) elseif values then value = values[name] end
  return value ~= nil and tostring(value) or parameters.mark(name)
end

-- In braces: only the plain form.
local function braced(reader, at)
  local _, stop, name = reader.text:find("^{([%a_][%w_]*)}", at + 1)
  if not stop then
    local close = reader.text:find("}", at, true) or #reader.text
    refusal.raise(("%s is not understood: only $NAME and ${NAME} are"):format(excerpt(reader.text, at, close)),
      place(reader, at))
  end
  return variable(reader, name), stop + 1
end

-- What the "$" at `at` stands for, and the place behind it.
local function dollar(reader, at)
  local text = reader.text
  local next_byte = text:sub(at + 1, at + 1)
  if next_byte == "(" then refuse_substitution(reader, at, ")") end
  if next_byte == "{" then return braced(reader, at) end
  local _, stop, name = text:find("^([%a_][%w_]*)", at + 1)
  if stop then return variable(reader, name), stop + 1 end
  if next_byte:find("^[%d@*#?!$-]$") then
    refusal.raise(("$%s is known only inside a running shell: write its value, or quote it with '…'"):format(next_byte),
      place(reader, at))
  end
  return "$", at + 1
end

-- Text in which "$" and backquotes count: of "…" (which ends at a quote) and of here-documents.
local function expanded(reader, at, ending, escapable)
  local text, pieces, opened = reader.text, {}, at - 1
  local plain = "^[^\\$`" .. (ending and '"' or "") .. "]+"
  while true do
    local _, stop = text:find(plain, at)
    if stop then
      pieces[#pieces + 1] = text:sub(at, stop)
      at = stop + 1
    end
    local byte = text:sub(at, at)
    if byte == "" then
      if ending then refusal.raise('the " is never closed', opened) end
      return table.concat(pieces), at
    elseif byte == '"' then
      return table.concat(pieces), at + 1
    elseif byte == "\\" then
      local escaped = text:match("^\r\n", at + 1) or text:sub(at + 1, at + 1)
      if escaped ~= "\n" and escaped ~= "\r\n" then
        pieces[#pieces + 1] = escapable:find(escaped, 1, true) and escaped or "\\" .. escaped
      end
      at = at + 1 + #escaped
    elseif byte == "`" then
      refuse_substitution(reader, at, "`")
    else
      pieces[#pieces + 1], at = dollar(reader, at)
    end
  end
end

-- ---- words ----

local function single_quoted(reader, at)
  local stop = reader.text:find("'", at + 1, true)
  if not stop then refusal.raise("the ' is never closed", at) end
  return reader.text:sub(at + 1, stop - 1), stop + 1
end

local function dollar_in_word(reader, at)
  local quote = reader.text:sub(at + 1, at + 1)
  if quote == "'" then return ansi_c.read(reader.text, at + 2) end
  if quote == '"' then return expanded(reader, at + 2, '"', '$`"\\') end
  return dollar(reader, at)
end

local function escaped_in_word(reader, at)
  local line_end = reader.text:match("^\r?\n", at + 1)
  if line_end then return "", at + 1 + #line_end end
  local _, stop = reader.text:find("^[^\128-\191][\128-\191]*", at + 1)
  if not stop then return "\\", at + 1 end
  return reader.text:sub(at + 1, stop), stop + 1
end

local QUOTES = {
  ["'"] = single_quoted,
  ['"'] = function(reader, at) return expanded(reader, at + 1, '"', '$`"\\') end,
  ["$"] = dollar_in_word,
  ["\\"] = escaped_in_word,
  ["`"] = function(reader, at) refuse_substitution(reader, at, "`") end,
  ["("] = function(_, at) refusal.raise("an unquoted ( is not understood: put quotes around what it stands in", at) end,
}
QUOTES[")"] = QUOTES["("]

-- "~" at a word's start is the home directory.
local function tilde(reader, at)
  if not reader.text:find("^~%f[/%s%z]", at) then return nil, at end
  return variable(reader, "HOME"), at + 1
end

-- The word at `at`, the place behind it, and whether anything of it was quoted.
local function read_word(reader, at)
  local text, pieces, quoted = reader.text, {}, false
  pieces[1], at = tilde(reader, at)
  while true do
    local _, stop = text:find("^[^%s'\"\\$`;&|<>()]+", at)
    if stop then
      pieces[#pieces + 1] = text:sub(at, stop)
      at = stop + 1
    end
    local read = QUOTES[text:sub(at, at)]
    if not read then return table.concat(pieces), at, quoted end
    quoted = true
    pieces[#pieces + 1], at = read(reader, at)
  end
end

local function skip_blanks(text, at)
  while true do
    local _, stop = text:find("^[ \t\r\v\f]+", at)
    if not stop then _, stop = text:find("^\\\r?\n", at) end
    if not stop then return at end
    at = stop + 1
  end
end

-- ---- redirections ----

-- A here-document's body, which begins at `at`: whole lines up to the one that is the delimiter.
local function here_lines(reader, at, here)
  local text, lines = reader.text, {}
  while at <= #text do
    local stop = text:find("\n", at, true) or #text + 1
    local line = text:sub(at, stop - 1)
    if here.strips_tabs then line = line:gsub("^\t+", "") end
    at = stop + 1
    if line:gsub("\r$", "") == here.delimiter then return table.concat(lines), at end
    lines[#lines + 1] = line .. "\n"
  end
  refusal.raise(("the here-document has no line '%s' at its end"):format(here.delimiter), here.at)
end

-- Here-documents begin behind the line that calls for them.
local function read_heres(reader, at)
  for _, here in ipairs(reader.heres) do
    local body, after = here_lines(reader, at, here)
    if not here.quoted then
      local inner = { text = body, values = reader.values, fixed = here.at }
      body = expanded(inner, 1, nil, "$`\\")
    end
    here.command.input = { text = body }
    at = after
  end
  reader.heres = {}
  return at
end

local function target_of(reader, at, operator)
  local from = skip_blanks(reader.text, at)
  if reader.text:find("^[%s;&|<>]", from) or from > #reader.text then
    refusal.raise(("what follows %s is missing"):format(operator), at)
  end
  local word, after, quoted = read_word(reader, from)
  return word, after, quoted
end

-- Here-document, here-string or file: what standard input is.
local function redirect_input(reader, command, operator, at, from)
  local word, after, quoted = target_of(reader, at, operator)
  if operator == "<<" or operator == "<<-" then
    reader.heres[#reader.heres + 1] = { delimiter = word, quoted = quoted, strips_tabs = operator == "<<-",
      command = command, at = from }
  elseif operator == "<<<" then
    command.input = { text = word .. "\n" }
  else
    command.input = { path = word }
  end
  return after
end

local REDIRECTIONS = { "^%d*<<<", "^%d*<<%-", "^%d*<<", "^%d*<&", "^%d*<>", "^%d*<", "^%d*>>", "^%d*>&", "^%d*>|",
  "^%d*>", "^&>>", "^&>" }

-- Reads a redirection at `at`, if there is one.
local function redirection(reader, command, at)
  local text = reader.text
  local operator
  for _, pattern in ipairs(REDIRECTIONS) do
    operator = text:match(pattern, at)
    if operator then break end
  end
  if not operator then return nil end
  local after = at + #operator
  if operator:find("[<>]$") and text:sub(after, after) == "(" then refuse_substitution(reader, at, ")") end
  local descriptor, sign = operator:match("^(%d*)(.*)$")
  if sign:find("^<") and sign ~= "<&" and sign ~= "<>" and (descriptor == "" or descriptor == "0") then
    return redirect_input(reader, command, sign, after, at)
  end
  local _, stop = target_of(reader, after, operator)
  command.redirected[#command.redirected + 1] = excerpt(text, at, stop - 1)
  return stop
end

-- ---- commands ----

local OPERATORS = { "^&&", "^||", "^|&", "^|", "^;;", "^;", "^&", "^\r?\n" }

local function operator_at(text, at)
  for _, pattern in ipairs(OPERATORS) do
    local operator = text:match(pattern, at)
    if operator then return operator end
  end
  return nil
end

local function begin(reader, from, before)
  reader.command = { words = {}, redirected = {}, from = from, to = from - 1, before = before, after = "" }
end

local function finish(reader, operator)
  local command = reader.command
  command.after = operator:gsub("\r", "")
  local is_something = #command.words > 0 or #command.redirected > 0 or command.input
  if is_something then reader.commands[#reader.commands + 1] = command end
  return is_something and command.after or command.before
end

local function step(reader, at)
  local text, command = reader.text, reader.command
  local after = redirection(reader, command, at)
  local operator = not after and operator_at(text, at)
  if operator then
    local before = finish(reader, operator)
    after = at + #operator
    if operator:find("\n") then after = read_heres(reader, after) end
    begin(reader, after, before)
  elseif not after and text:sub(at, at) == "#" then
    after = text:find("\n", at, true) or #text + 1
  elseif not after then
    if #command.words == 0 then command.from = at end
    command.words[#command.words + 1], after = read_word(reader, at)
    command.to = after - 1
  end
  return after
end

---The commands of a text. Raises a refusal.
---@param text string
---@param values? table<string, string>|fun(name: string): string? of variables
---@return lurcher.ShellCommand[]
function shell_words.read(text, values)
  local nul = text:find("\0", 1, true)
  if nul then refusal.raise("a NUL byte cannot stand in a command", nul) end
  local reader = { text = text, values = values, heres = {}, commands = {} }
  begin(reader, 1, "")
  local at = skip_blanks(text, 1)
  while at <= #text do
    at = skip_blanks(text, step(reader, at))
  end
  if #reader.heres > 0 then
    refusal.raise(("the here-document has no line '%s' at its end"):format(reader.heres[1].delimiter),
      reader.heres[1].at)
  end
  finish(reader, "")
  return reader.commands
end

return shell_words
