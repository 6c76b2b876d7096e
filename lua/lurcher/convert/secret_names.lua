--- Where a written request has its secrets, and what stands for them: a text is told as a list of pieces, each a
--- string, or { name = "TOKEN", text = "…" } for a secret and the environment variable that is to hold it.

local redact_url = require("lurcher.native.url").redact
local secret = require "lurcher.base.secret"
local url_native = require "lurcher.native.url"

local secret_names = {}

-- What stands for a secret while texts are searched.
local MARK = "\0\1secret\1\0"

---The name of an environment variable for what is called so.
---@param text string "X-Api-Key"
---@return string "X_API_KEY"
function secret_names.variable(text)
  local name = text:gsub("[^%w]+", "_"):gsub("^_+", ""):gsub("_+$", ""):upper()
  if name == "" then return "SECRET" end
  return name:find("^%d") and "_" .. name or name
end

---@class lurcher.SecretNames variables of one text, each for one secret
---@field private shown boolean
---@field private taken table<string, string> name -> the secret's text
---@field private known table<string, string> the secret's text -> the name that it has already
local Names = {}
Names.__index = Names

---@param shown boolean secrets are written as they are
---@param known? table<string, string> names of variables by their values
---@return lurcher.SecretNames
function secret_names.new(shown, known)
  local self = setmetatable({ shown = shown, taken = {}, known = known or {} }, Names)
  for text, name in pairs(self.known) do self.taken[name] = text end
  return self
end

---The pieces of a text that is a secret only if it was read from a variable.
---@param text string|lurcher.Secret
---@param name string
---@return table[]
function Names:pieces(text, name)
  local plain = secret.reveal(text)
  return self.known[plain] and { { name = name, text = plain } } or secret_names.split(text, name)
end

---The variable for a piece; nil when its text is to be written.
---@param piece string|table
---@return string?
function Names:of(piece)
  if type(piece) == "string" or self.shown and piece.text then return nil end
  if piece.text and self.known[piece.text] then return self.known[piece.text] end
  local name, number = piece.name, 1
  while piece.text and (self.taken[name] or piece.text) ~= piece.text do
    number = number + 1
    name = piece.name .. "_" .. number
  end
  self.taken[name] = piece.text or self.taken[name]
  return name
end

-- What the text before a secret calls it: `"password":"` or `password=`.
local function name_before(text)
  return text:match('"([%w_%-]+)"%s*:%s*"[^"]*$') or text:match("([%w_%-]+)=[^&]*$")
end

---The pieces of a text that may hold marked secrets.
---@param text string|lurcher.Secret
---@param name string what its secrets are called where the text does not tell
---@return table[] pieces
function secret_names.split(text, name)
  if secret.is(text) and tostring(text) == secret.MASK then
    return { { name = secret_names.variable(name), text = secret.reveal(text) } }
  end
  text = secret.reveal(text)
  local masked = secret.any and secret.replace(text, MARK) or text
  if masked == text then return { text } end
  local pieces, from, at = {}, 1, 1 -- in `masked`, in `text`
  while true do
    local first, last = masked:find(MARK, from, true)
    local before = masked:sub(from, (first or 0) - 1)
    if before ~= "" then pieces[#pieces + 1] = before end
    if not first then return pieces end
    at, from = at + #before, last + 1
    local after = masked:sub(from, (masked:find(MARK, from, true) or 0) - 1)
    local ending = after == "" and #text + 1 or text:find(after, at, true) or #text + 1
    pieces[#pieces + 1] = { name = secret_names.variable(name_before(before) or name), text = text:sub(at, ending - 1) }
    at = ending
  end
end

-- Schemes whose credential is a token.
local TOKEN_SCHEMES = { bearer = true, token = true }

---The pieces of a header's value.
---@param name string
---@param value string|lurcher.Secret
---@param hidden table<string, true> names, in lower case, of headers whose values are secrets
---@return table[] pieces
function secret_names.of_header(name, value, hidden)
  local key, text = name:lower(), secret.reveal(value)
  if key == "authorization" or key == "proxy-authorization" then
    local word, credential = text:match("^(%S+) +(.+)$")
    if not word then return { { name = secret_names.variable(name), text = text } } end
    local is_token = key == "authorization" and TOKEN_SCHEMES[word:lower()]
    return { word .. " ", { name = is_token and "TOKEN" or secret_names.variable(name), text = credential } }
  elseif key == "cookie" or key ~= "host" and hidden[key] then
    return { { name = secret_names.variable(name), text = text } }
  end
  return secret_names.split(value, name)
end

-- Names that hold a secret in some APIs and anything in others: those are told by their length.
local AMBIGUOUS, MIN_SECRET = { key = true, code = true }, 8

local function is_secret_parameter(name, value)
  if AMBIGUOUS[name:lower()] and #value < MIN_SECRET then return false end
  local address = ("http://h/?%s=%s"):format(name, value)
  return redact_url(address) ~= address
end

---The pieces of a URL without userinfo: its secret parameters are hidden, and marked secrets.
---@param url string
---@return table[] pieces
function secret_names.of_url(url)
  if redact_url(url) == url then return secret_names.split(url, "SECRET") end
  local path, query = url:match("^([^?]*%?)(.*)$")
  local pieces = path and secret_names.split(path, "SECRET") or { url }
  for parameter, mark in (query or ""):gmatch("([^&;]*)([&;]?)") do
    local name, value = parameter:match("^([^=]*)=(.+)$")
    if name and is_secret_parameter(name, value) then
      pieces[#pieces + 1] = name .. "="
      pieces[#pieces + 1] = { name = secret_names.variable(url_native.decode(name) or name), text = value }
    else
      for _, piece in ipairs(secret_names.split(parameter, "SECRET")) do pieces[#pieces + 1] = piece end
    end
    pieces[#pieces + 1] = mark
  end
  return pieces
end

return secret_names
