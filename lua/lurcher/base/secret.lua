--- Values that never print: `secret.new(token)` can be given wherever a string is sent to a server, but
--- tostring, logs, traces and error messages show "***" in its place.

local lazy = require "lurcher.base.lazy"
local text_tools = lazy "lurcher.base.text"

---@class lurcher.Secret
local Secret = { __name = "lurcher.Secret", __metatable = "lurcher.Secret" }

-- The text behind each secret. Weak keys: a value is scrubbed from messages while somebody holds its secret.
local texts = setmetatable({}, { __mode = "k" })
-- What is shown of a text that merely holds secrets, such as a URL; of others the mask.
local shown = setmetatable({}, { __mode = "k" })
-- What a secret was put together from, so that the parts stay scrubbed as long as the whole.
local parts = setmetatable({}, { __mode = "k" })
-- Text -> its secret: there is one for each text. And other spellings, such as the percent-encoded one -> the
-- secret they belong to. Weak values: an entry is gone with its secret.
local by_text = setmetatable({}, { __mode = "v" })
local by_spelling = setmetatable({}, { __mode = "v" })

local MASK = "***"
local MIN_REBUILD = 1024
local AROUND = 4096 -- bytes beside what is shown that are searched, for secrets that begin or end outside

-- any: there was a secret yet. Until then nobody has to look for one. made: how many there were.
local secret = { MASK = MASK, any = false, made = 0 }

local function is_known(text)
  return by_text[text] ~= nil or by_spelling[text] ~= nil
end

-- Made for the first secret, as what finds them: most scripts have none.
local index, rebuild_at = false, MIN_REBUILD

local function new_index()
  return require "lurcher.base.secret_index"(is_known)
end

-- Takes what was forgotten out of the index once it may be half of it.
local function rebuild_if_large()
  if index.count < rebuild_at then return end
  index = new_index()
  for text in pairs(by_text) do index:add(text) end
  for text in pairs(by_spelling) do index:add(text) end
  rebuild_at = math.max(MIN_REBUILD, 2 * index.count)
end

local function note_spelling(value, text)
  by_spelling[text] = value
  index:add(text)
end

function Secret.__tostring(self) return shown[self] or MASK end

-- "Bearer " .. secret is a secret too; a URL that holds one goes on to show the rest of itself.
function Secret.__concat(left, right)
  local text = secret.reveal(left) .. secret.reveal(right)
  local is_url = type(left) == "string" and left:find("^%s*%a[%w+.-]*://")
  local whole
  if is_url or shown[left] or shown[right] then
    whole = secret.partly(text, tostring(left) .. tostring(right))
  else
    whole = secret.new(text)
  end
  if not rawequal(whole, left) and not rawequal(whole, right) then parts[whole] = { left, right } end
  return whole
end

function Secret.__eq(left, right)
  return texts[left] == texts[right]
end

-- The string methods, of what is shown.
function Secret.__index(self, name)
  local method = type(name) == "string" and shown[self] and string[name]
  if not method then return nil end
  return function(value, ...)
    return method(rawequal(value, self) and shown[self] or value, ...)
  end
end

-- JSON texts hold secrets only where lurcher.json is told so, as for the body of a request; elsewhere what is shown.
function Secret.__lurcher_secret(self) return shown[self] end
function Secret.__tojson(self) return texts[self] end

---@param text string
---@return lurcher.Secret
function secret.new(text)
  local object = by_text[text]
  if object then return object end
  local spellings = require "lurcher.base.secret_spellings"
  index = index or new_index()
  object = setmetatable({}, Secret)
  secret.any, secret.made = true, secret.made + 1
  texts[object], by_text[text] = text, object
  index:add(text)
  spellings(text, function(spelling) note_spelling(object, spelling) end)
  rebuild_if_large()
  return object
end

---A text that holds secrets but is none itself: it prints as `visible`.
---@param text string
---@param visible string
---@return lurcher.Secret
function secret.partly(text, visible)
  local object = setmetatable({}, Secret)
  texts[object], shown[object] = text, visible
  return object
end

---@param value any
---@return boolean
function secret.is(value)
  return texts[value] ~= nil
end

---The text of a secret; any other value comes back as it is.
---@param value any
---@return any
function secret.reveal(value)
  if type(value) == "table" then return texts[value] or value end
  return value
end

---Notes another spelling of a secret's text that must not be shown either.
---@param value lurcher.Secret
---@param text string
function secret.also(value, text)
  if not shown[value] then note_spelling(value, text) end
end

---Replaces every known secret in a text by ***.
---@param text string
---@return string
function secret.scrub(text)
  return index and index:replace(text, MASK) or text
end

---Replaces every known secret in a text by what is given.
---@param text string
---@param mask string
---@return string
function secret.replace(text, mask)
  return index and index:replace(text, mask) or text
end

---The first `most` bytes of a text, with "…" where there is more. Secrets are replaced first: the beginning of
---one says nothing any more, but shows its bytes.
---@param text string
---@param most integer
---@return string
function secret.excerpt(text, most)
  local window = text:sub(1, most + AROUND)
  if #window < #text then window = text_tools.cut(text, #window) end
  local scrubbed = secret.scrub(window)
  if #scrubbed <= most then return scrubbed end
  return text_tools.cut(scrubbed .. text_tools.CUT, most + #text_tools.CUT) -- cut() counts the "…", too
end

---Whether a known secret has bytes among those from `first` to `last` of a text.
---@param text string
---@param first integer
---@param last integer
---@return boolean
function secret.covers(text, first, last)
  local before = math.max(0, first - 1 - AROUND)
  local window = text:sub(before + 1, last + AROUND)
  local scrubbed = secret.scrub(window)
  if scrubbed == window then return false end
  local start = 1 -- of what was replaced
  while window:byte(start) == scrubbed:byte(start) do start = start + 1 end
  local ending, shift = #window, #scrubbed - #window
  while ending >= start and window:byte(ending) == scrubbed:byte(ending + shift) do ending = ending - 1 end
  return before + start <= last and before + ending >= first
end

return secret
