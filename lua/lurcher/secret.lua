--- Values that never print: `secret.new(token)` can be given wherever a string is sent to a server, but tostring,
--- logs, traces and error messages show "***" in its place.

---@class lurcher.Secret
local Secret = { __name = "lurcher.Secret", __metatable = "lurcher.Secret" }

-- The text behind each secret. Weak keys: a value is scrubbed from messages as long as somebody holds its secret.
local texts = setmetatable({}, { __mode = "k" })
-- What a secret was put together from, so that the parts stay scrubbed as long as the whole.
local parts = setmetatable({}, { __mode = "k" })

local MASK = "***"
local SHORTEST = 4 -- shorter values would blank out ordinary text

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

---Replaces every known secret in a text by ***.
---@param text string
---@return string
function secret.scrub(text)
  for _, value in pairs(texts) do
    if #value >= SHORTEST then
      local from = text:find(value, 1, true)
      while from do
        text = text:sub(1, from - 1) .. MASK .. text:sub(from + #value)
        from = text:find(value, from + #MASK, true)
      end
    end
  end
  return text
end

return secret
