--- Words of a command for cmd.exe, as browsers' "copy as cURL (cmd)" writes it: first what cmd.exe does with `^` and
--- `%`, then what programs on Windows do with quotes and backslashes.

local refusal = require "lurcher.convert.refusal"

local cmd_words = {}

---Whether a text is for cmd.exe and not for a shell.
---@param text string
---@return boolean
function cmd_words.is_cmd(text)
  return text:find("^%s*curl[%w.]*%s") ~= nil
    and (text:find('^%s*curl[%w.]*%s+[^\n\'$]-%^"') ~= nil or text:find("[ \t]%^\r?\n") ~= nil)
end

-- ---- cmd.exe ----

-- What a caret stands for: itself gone, the next character as it is. At a line's end the line goes on, and one line
-- end behind that is a character like others.
local function caret(text, at)
  local line_end = text:match("^\r?\n", at + 1)
  if not line_end then
    local _, stop = text:find("^[^\128-\191][\128-\191]*", at + 1)
    return text:sub(at + 1, stop or at), (stop or at) + 1
  end
  at = at + 1 + #line_end
  local second = text:match("^\r?\n", at)
  if second then return "\n", at + #second end
  return "", at
end

-- The command line that a program is given, up to an operator or a line's end; and the place where it ends.
local function command_line(text, at)
  local pieces, in_quotes = {}, false
  while true do
    local _, stop = text:find(in_quotes and '^[^"\n%%]+' or '^[^"^\r\n%%&|<>]+', at)
    if stop then
      pieces[#pieces + 1], at = text:sub(at, stop), stop + 1
    end
    local byte = text:sub(at, at)
    if byte == '"' then
      in_quotes = not in_quotes
      pieces[#pieces + 1], at = byte, at + 1
    elseif byte == "%" then
      pieces[#pieces + 1], at = "%", text:find("^%%%%", at) and at + 2 or at + 1
    elseif byte == "^" then
      pieces[#pieces + 1], at = caret(text, at)
    else
      return table.concat(pieces), at
    end
  end
end

-- ---- the program's words ----

-- Browsers write two backslashes for each. Programs on Windows take them as one only before a quote.
local function backslashes(line, at, is_doubled)
  if is_doubled then
    local escaped = line:match('^[\\"]', at + 1)
    return escaped or "\\", at + (escaped and 2 or 1)
  end
  local _, stop = line:find("^\\+", at)
  local count = stop - at + 1
  if line:sub(stop + 1, stop + 1) ~= '"' then return line:sub(at, stop), stop + 1 end
  local half = ("\\"):rep(math.floor(count / 2))
  if count % 2 == 1 then return half .. '"', stop + 2 end
  return half, stop + 1
end

local function read_word(line, at, is_doubled)
  local pieces, in_quotes = {}, false
  while true do
    local _, stop = line:find(in_quotes and '^[^"\\]+' or '^[^"\\ \t]+', at)
    if stop then
      pieces[#pieces + 1], at = line:sub(at, stop), stop + 1
    end
    local byte = line:sub(at, at)
    if byte == "\\" then
      pieces[#pieces + 1], at = backslashes(line, at, is_doubled)
    elseif byte == '"' and in_quotes and line:sub(at + 1, at + 1) == '"' then
      pieces[#pieces + 1], at = '"', at + 2
    elseif byte == '"' then
      in_quotes, at = not in_quotes, at + 1
    elseif byte == "" and in_quotes then
      refusal.raise 'a " is never closed'
    else
      return table.concat(pieces), at
    end
  end
end

local function words_of(line, is_doubled)
  local words, at = {}, 1
  while true do
    at = line:find("[^ \t]", at)
    if not at then return words end
    words[#words + 1], at = read_word(line, at, is_doubled)
  end
end

---The commands of a text; see shell_words.lua.
---@param text string
---@return lurcher.ShellCommand[]
function cmd_words.read(text)
  local nul = text:find("\0", 1, true)
  if nul then refusal.raise("a NUL byte cannot stand in a command", nul) end
  local commands, at, before = {}, 1, ""
  local is_doubled = text:find('^"', 1, true) ~= nil -- a browser's
  while at <= #text do
    local line, stop = command_line(text, at)
    local operator = text:match("^[&|]+", stop) or text:match("^[<>]", stop) or text:match("^\r?\n", stop)
      or text:match("^.", stop) or ""
    local command = { words = words_of(line, is_doubled), redirected = {}, from = at, to = stop - 1, before = before,
      after = operator:gsub("\r", "") }
    if operator:find("[<>]") then
      local to = (text:find("[\r\n]", stop) or #text + 1) - 1
      command.redirected[1], stop, command.after = text:sub(stop, to), to + 1, "\n"
    else
      stop = stop + math.max(1, #operator)
    end
    if #command.words > 0 then
      commands[#commands + 1] = command
      before = command.after
    end
    at = stop
  end
  return commands
end

return cmd_words
