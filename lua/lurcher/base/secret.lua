--- Values that never print: `secret.new(token)` can be given wherever a string is sent to a server, but
--- tostring, logs, traces and error messages show "***" in its place.

---@class lurcher.Secret
local Secret = { __name = "lurcher.Secret", __metatable = "lurcher.Secret" }

-- The text behind each secret. Weak keys: a value is scrubbed from messages while somebody holds its secret.
local texts = setmetatable({}, { __mode = "k" })
-- What a secret was put together from, so that the parts stay scrubbed as long as the whole.
local parts = setmetatable({}, { __mode = "k" })
-- Other spellings of a secret, such as the percent-encoded one: a list each.
local spellings = setmetatable({}, { __mode = "k" })

local MASK = "***"
local MIN_LENGTH = 4 -- shorter values would blank out ordinary text

local secret = { MASK = MASK }

function Secret.__tostring() return MASK end

-- "Bearer " .. secret is a secret too.
function Secret.__concat(left, right)
  local whole = secret.new(secret.reveal(left) .. secret.reveal(right))
  parts[whole] = { left, right }
  return whole
end

function Secret.__eq(left, right)
  return texts[left] == texts[right]
end

-- JSON texts hold secrets only where lurcher.json is told so, as for the body of a request.
Secret.__lurcher_secret = true
function Secret.__tojson(self) return texts[self] end

---@param text string
---@return lurcher.Secret
function secret.new(text)
  local object = setmetatable({}, Secret)
  texts[object] = text
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
  local list = spellings[value] or {}
  spellings[value] = list
  for i = 1, #list do
    if list[i] == text then return end
  end
  list[#list + 1] = text
end

local function blank_out(text, value)
  if #value < MIN_LENGTH then return text end
  local from = text:find(value, 1, true)
  while from do
    text = text:sub(1, from - 1) .. MASK .. text:sub(from + #value)
    from = text:find(value, from + #MASK, true)
  end
  return text
end

---Replaces every known secret in a text by ***.
---@param text string
---@return string
function secret.scrub(text)
  for _, value in pairs(texts) do text = blank_out(text, value) end
  for _, list in pairs(spellings) do
    for i = 1, #list do text = blank_out(text, list[i]) end
  end
  return text
end

return secret
