--- The words of a curl command as options with their values, one list for each `--next`.

local check = require "lurcher.base.check"
local curl_options = require "lurcher.convert.curl_options"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"

local curl_arguments = {}

---@class lurcher.CurlArgument
---@field name string an option's name; "url" for what stands alone
---@field value string|boolean
---@field option lurcher.CurlOption

local shown = parameters.shown

local function refuse_unknown(word, found)
  local message = ("the option %s is not understood"):format(shown(word))
  local name = word:gsub("^%-+", "")
  if name:find("^no%-") and not found[1] then
    message = message .. ": curl has no such option that can be switched off"
  elseif found[1] then
    message = message .. ": it could mean --" .. table.concat(found, ", --", 1, math.min(#found, 6))
  elseif name:find("=", 1, true) and curl_options.long(name:match("^[^=]*")) then
    message = message .. ": curl takes the value as a word of its own, behind a space"
  else
    local near = check.suggest(name, curl_options.names())
    if near then message = ("%s; did you mean --%s?"):format(message, near) end
  end
  refusal.raise(message)
end

-- Reads `--name`; returns the place of the last word that belongs to it.
local function read_long(words, at, add)
  local word = words[at]
  local option, on = curl_options.long(word:sub(3))
  if not option then refuse_unknown(word, on) end
  if not option.takes_value then
    add(option, on)
    return at
  end
  if words[at + 1] == nil then refusal.raise(("the value of %s is missing"):format(word)) end
  add(option, words[at + 1])
  return at + 1
end

-- Reads `-sSLXPOST`: letters, up to one that takes the rest, or the next word, as its value.
local function read_short(words, at, add)
  local word = words[at]
  for i = 2, #word do
    local letter = word:sub(i, i)
    local option = curl_options.short(letter)
    if not option then refuse_unknown(#word > 2 and ("-%s in %s"):format(letter, word) or word, {}) end
    if option.takes_value then
      if i < #word then
        add(option, word:sub(i + 1))
        return at
      end
      if words[at + 1] == nil then refusal.raise(("the value of -%s is missing"):format(letter)) end
      add(option, words[at + 1])
      return at + 1
    end
    add(option, true)
  end
  return at
end

---Reads the words behind "curl".
---@param words string[] variables as marks
---@return lurcher.CurlArgument[][] blocks
function curl_arguments.read(words)
  local blocks = { {} }
  local function add(option, value)
    if option.name == "next" then
      blocks[#blocks + 1] = {}
    else
      table.insert(blocks[#blocks], { name = option.name, value = value, option = option })
    end
  end
  local at, are_options = 1, true
  while at <= #words do
    local word = words[at]
    if not are_options or word:sub(1, 1) ~= "-" then
      add(curl_options.all.url, word)
    elseif word == "--" then
      are_options = false
    elseif word:sub(1, 2) == "--" then
      at = read_long(words, at, add)
    elseif word == "-" then
      refusal.raise "the word - is not understood: it stands for standard input behind @ and -T only"
    else
      at = read_short(words, at, add)
    end
    at = at + 1
  end
  return blocks
end

return curl_arguments
