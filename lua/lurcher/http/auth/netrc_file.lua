--- Netrc files: one word after the other, whatever line they are in.

local netrc_file = {}

---@class lurcher.NetrcEntry
---@field machine string|false in lower case; false: "default", which is for every host
---@field login? string
---@field password? string

local MARK = "\239\187\191" -- which some editors put first
local ESCAPED = { n = "\n", r = "\r", t = "\t" }

local function line_of(text, at)
  local _, count = text:sub(1, at):gsub("\n", "")
  return count + 1
end

-- A word in quotes that begin before `at`; nil: it does not end in its line.
local function quoted(text, at)
  local parts = {}
  while true do
    local stop = text:find('["\\\n]', at)
    if not stop or text:byte(stop) == 10 then return nil end
    parts[#parts + 1] = text:sub(at, stop - 1)
    if text:byte(stop) == 34 then return table.concat(parts), stop + 1 end
    local c = text:sub(stop + 1, stop + 1)
    if c == "" or c == "\n" then return nil end
    parts[#parts + 1] = ESCAPED[c] or c
    at = stop + 2
  end
end

-- The word at `at` or behind, and the place behind it; nil at the end, or when it is broken.
local function word_at(text, at)
  at = text:match("^%s*()", at)
  if text:byte(at) == 34 then return quoted(text, at + 1) end
  return text:match("^(%S+)()", at)
end

-- The place behind a macro, which ends with an empty line.
local function behind_macro(text, at)
  local _, stop = text:find("\n[ \t\r]*\n", at)
  return stop and stop + 1 or #text + 1
end

local function behind_line(text, at)
  local stop = text:find("\n", at, true)
  return stop and stop + 1 or #text + 1
end

local VALUES = { login = true, password = true, account = true }

---The entries in order; or nil and what is wrong.
---@param text string
---@return lurcher.NetrcEntry[]?
---@return string? problem
function netrc_file.parse(text)
  local entries, at = {}, text:sub(1, 3) == MARK and 4 or 1
  while true do
    local from = text:match("^%s*()", at)
    local word, behind = word_at(text, at)
    if not word then
      if from > #text then return entries end
      return nil, ("line %d: a quote does not end"):format(line_of(text, from))
    end
    at = behind
    if word:sub(1, 1) == "#" then
      at = behind_line(text, from)
    elseif word == "default" then
      entries[#entries + 1] = { machine = false }
    elseif word == "macdef" then
      at = behind_macro(text, at)
    elseif word == "machine" or VALUES[word] then
      local value
      value, behind = word_at(text, at)
      if not value then return nil, ("line %d: there is nothing behind '%s'"):format(line_of(text, from), word) end
      at = behind
      local entry = entries[#entries]
      if word == "machine" then
        entries[#entries + 1] = { machine = value:lower() }
      elseif entry and not entry[word] then
        entry[word] = value
      end
    else
      return nil, ("line %d: unknown word"):format(line_of(text, from))
    end
  end
end

---The first entry for a host, and for a user name if one is given, that has both login and password.
---@param entries lurcher.NetrcEntry[]
---@param host string in lower case
---@param user? string
---@return lurcher.NetrcEntry?
function netrc_file.find(entries, host, user)
  for _, entry in ipairs(entries) do
    local fits = not entry.machine or entry.machine == host
    if fits and entry.login and entry.password and (not user or entry.login == user) then return entry end
  end
end

return netrc_file
