--- The arithmetic of Digest (RFC 7616): which challenge is answered, and the answer.

local body = require "lurcher.http.body"
local crypto = require "lurcher.native.crypto"
local url = require "lurcher.native.url"

local digest_answer = {}

-- Name in lower case, as in the challenge -> OpenSSL's name, and how good it is. SHA-512 is in no RFC, but servers
-- ask for it.
local HASHES = { md5 = { "MD5", 1 }, ["sha-256"] = { "SHA256", 2 }, ["sha-512-256"] = { "SHA512-256", 3 },
  ["sha-512"] = { "SHA512", 3 } }

local function hash(name, ...)
  return body.digest(table.concat({ ... }, ":"), name)
end

-- Which protection is asked for: "auth", "auth-int" (when that is all), false (none: RFC 2069), or nil: none
-- that we know, or the body is not at hand.
local function protection(text, has_text)
  if not text then return false end
  local offered = {}
  for name in text:lower():gmatch("[^%s,]+") do offered[name] = true end
  return offered.auth and "auth" or offered["auth-int"] and has_text and "auth-int" or nil
end

-- Whether what a server sent can be sent back.
local function can_be_sent(raw)
  for _, name in ipairs { "realm", "nonce", "opaque" } do
    if raw[name] and raw[name]:find("[%z\1-\8\10-\31\127]") then return false end
  end
  return true
end

-- What a challenge asks for, or nil when it cannot be answered.
local function terms(challenge, has_text)
  local values = challenge.values
  if challenge.scheme ~= "digest" or not values.nonce or not can_be_sent(challenge.raw) then return nil end
  local algorithm = (values.algorithm or "md5"):lower()
  local known = HASHES[algorithm:gsub("%-sess$", "")]
  local qop = protection(values.qop, has_text)
  if not known or qop == nil then return nil end
  return { values = values, raw = challenge.raw, hash = known[1], rank = known[2],
    is_session = algorithm:find("-sess", 1, true) ~= nil, qop = qop, realm = values.realm or "",
    nonce = values.nonce, raw_nonce = challenge.raw.nonce, count = 0, cnonce = crypto.hex(crypto.random(16)),
    stale = (values.stale or ""):lower() == "true" }
end

---The terms of the best challenge: of the strongest digest, and of several such the first.
---@param list lurcher.Challenge[]
---@param has_text boolean the body is at hand
---@return table? terms
function digest_answer.best(list, has_text)
  local best
  for _, challenge in ipairs(list) do
    local found = terms(challenge, has_text)
    if found and (not best or found.rank > best.rank) then best = found end
  end
  return best
end

local function quote(text)
  return '"' .. text:gsub('["\\]', "\\%0") .. '"'
end

-- The user name as a parameter: its digest, or itself.
local function name_parameter(t, user)
  if (t.values.userhash or ""):lower() == "true" then
    return 'username="' .. hash(t.hash, user, t.realm) .. '", userhash=true'
  end
  if user:find("[\128-\255]") and (t.values.charset or ""):lower() == "utf-8" then
    return "username*=UTF-8''" .. url.encode(user)
  end
  return "username=" .. quote(user)
end

local function response(t, user, password, method, target, content, count)
  local secret = hash(t.hash, user, t.realm, password)
  -- The key of a session keeps the nonce of the challenge.
  if t.is_session then secret = hash(t.hash, secret, t.values.nonce, t.cnonce) end
  local message
  if t.qop == "auth-int" then
    local digest, err = body.digest(content, t.hash)
    if not digest then return nil, err end
    message = hash(t.hash, method, target, digest)
  else
    message = hash(t.hash, method, target)
  end
  if not t.qop then return hash(t.hash, secret, t.nonce, message) end
  return hash(t.hash, secret, t.nonce, count, t.cnonce, t.qop, message)
end

---The value of Authorization. What a server sent goes back as it came; each use of a nonce counts.
---@param t table as `best` gives it
---@param user string
---@param password string
---@param method string
---@param target string path and query as they are sent
---@param content string|lurcher.Body
---@return string? value
---@return lurcher.Error? err of reading the body
function digest_answer.header(t, user, password, method, target, content)
  t.count = t.count + 1
  local count = ("%08x"):format(t.count)
  local proof, err = response(t, user, password, method, target, content, count)
  if not proof then return nil, err end
  local list = { name_parameter(t, user), 'realm="' .. (t.raw.realm or "") .. '"', 'nonce="' .. t.raw_nonce .. '"',
    "uri=" .. quote(target),
    'response="' .. proof .. '"' }
  if t.values.algorithm then list[#list + 1] = "algorithm=" .. t.values.algorithm end
  if t.qop then list[#list + 1] = ("qop=%s, nc=%s"):format(t.qop, count) end
  if t.qop or t.is_session then list[#list + 1] = 'cnonce="' .. t.cnonce .. '"' end
  if t.raw.opaque then list[#list + 1] = 'opaque="' .. t.raw.opaque .. '"' end
  return "Digest " .. table.concat(list, ", ")
end

return digest_answer
