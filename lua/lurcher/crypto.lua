--- Digests, encodings, randomness: OpenSSL's.
---
--- Digests are hexadecimal digits in lower case unless another form is asked for: `crypto.sha256(text)` is
--- what sha256sum prints, `crypto.sha256(text, "raw")` its 32 bytes, and there are "base64" and "base64url".
--- Secrets (`http.secret`) may be given wherever a text may.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local give_way = require "lurcher.base.give_way"
local native = require "lurcher.native.crypto"
local random = require "lurcher.base.random"
local secret = require "lurcher.base.secret"

local crypto = {}

---@alias lurcher.DigestName "md5"|"sha1"|"sha256"|"sha384"|"sha512"
---@alias lurcher.DigestForm "hex"|"raw"|"base64"|"base64url"

local NAMES = { md5 = "MD5", sha1 = "SHA1", sha256 = "SHA256", sha384 = "SHA384", sha512 = "SHA512" }
local FORMS = {
  hex = native.hex,
  raw = function(bytes) return bytes end,
  base64 = function(bytes) return native.base64(bytes, false) end,
  base64url = function(bytes) return native.base64(bytes, true) end,
}
local STEP = 4 * 1024 * 1024 -- bytes after which other tasks have their turn: 4 to 10 ms
local MAX_RANDOM = 16 * 1024 * 1024
local FILE_PIECE = 256 * 1024

local function text_mismatch(value)
  if type(value) == "string" or secret.is(value) then return nil end
  return "a string"
end

local function source_mismatch(value)
  if not text_mismatch(value) or not check.mismatch(value, "callable") then return nil end
  return "a string or an iterator"
end

local function form_mismatch(value)
  if value == nil or FORMS[value] then return nil end
  return '"hex", "raw", "base64" or "base64url"'
end

local function check_text(value, position, what)
  check.argument(value, text_mismatch, position, what)
  return secret.reveal(value)
end

-- OpenSSL's name for "sha256", "SHA-256".
local function check_name(name, what)
  check.argument(name, "string", 1, what)
  local known = NAMES[name] or NAMES[name:lower():gsub("^sha%-", "sha")]
  if not known then errors.raise(what .. ": " .. check.unknown(name, NAMES, "digest")) end
  return known
end

local function add_text(digest, text)
  for from = 1, #text, STEP do
    if from > 1 then give_way() end
    digest:update(text, from, math.min(from + STEP - 1, #text))
  end
end

-- Adds a text, or what an iterator gives. Nil and the error when that fails.
local function add(digest, source, what)
  source = secret.reveal(source)
  if type(source) == "string" then
    add_text(digest, source)
    return true
  end
  while true do
    local piece, err = source()
    if piece == nil and err ~= nil then return nil, err end
    if piece == nil then return true end
    if type(piece) ~= "string" then
      errors.raise(("%s: the iterator gave a %s, not a string"):format(what, type(piece)))
    end
    add_text(digest, piece)
  end
end

local function digest_function(name)
  local what, openssl_name = "crypto." .. name, NAMES[name]
  return function(source, form)
    check.argument(source, source_mismatch, 1, what)
    check.argument(form, form_mismatch, 2, what)
    local digest = native.digest(openssl_name)
    local ok, err = add(digest, source, what)
    if not ok then return nil, err end
    return FORMS[form or "hex"](digest:finish())
  end
end

---The SHA-256 of a text, or of what an iterator gives (`res:chunks()`, say), whose failure is returned.
---@type fun(source: string|lurcher.Secret|fun(): string?, form?: lurcher.DigestForm): string?, any
crypto.sha256 = digest_function "sha256"

---SHA-1, for what still asks for it; not against somebody who looks for collisions.
---@type fun(source: string|lurcher.Secret|fun(): string?, form?: lurcher.DigestForm): string?, any
crypto.sha1 = digest_function "sha1"

---@type fun(source: string|lurcher.Secret|fun(): string?, form?: lurcher.DigestForm): string?, any
crypto.sha512 = digest_function "sha512"

---MD5, for what still asks for it; not against somebody who looks for collisions.
---@type fun(source: string|lurcher.Secret|fun(): string?, form?: lurcher.DigestForm): string?, any
crypto.md5 = digest_function "md5"

---A keyed digest (RFC 2104). Compare one that came from outside by `crypto.equal`.
---@param name lurcher.DigestName
---@param key string|lurcher.Secret
---@param source string|lurcher.Secret|fun(): string? a text or an iterator
---@param form? lurcher.DigestForm default "hex"; "raw" where it is the key of another
---@return string? digest
---@return any err what the iterator returned
function crypto.hmac(name, key, source, form)
  local known = check_name(name, "crypto.hmac")
  key = check_text(key, 2, "crypto.hmac")
  check.argument(source, source_mismatch, 3, "crypto.hmac")
  check.argument(form, form_mismatch, 4, "crypto.hmac")
  local digest = native.hmac(known, key)
  local ok, err = add(digest, source, "crypto.hmac")
  if not ok then return nil, err end
  return FORMS[form or "hex"](digest:finish())
end

---The digest of a file; other tasks run meanwhile.
---@param name lurcher.DigestName
---@param path string
---@param form? lurcher.DigestForm default "hex"
---@return string? digest
---@return lurcher.Error? err kind "file"
function crypto.file(name, path, form)
  local digest = native.digest(check_name(name, "crypto.file"))
  check.argument(path, "string", 2, "crypto.file")
  check.argument(form, form_mismatch, 3, "crypto.file")
  local file, err = require("lurcher.fs").open(path)
  if not file then return nil, err end
  local ok, failure = add(digest, function() return file:read(FILE_PIECE) end, "crypto.file")
  file:close()
  if not ok then return nil, failure end
  return FORMS[form or "hex"](digest:finish())
end

---Two hexadecimal digits, in lower case, for each byte.
---@param bytes string|lurcher.Secret
---@return string
function crypto.hex(bytes)
  return native.hex(check_text(bytes, 1, "crypto.hex"))
end

---Base64 with padding (RFC 4648).
---@param bytes string|lurcher.Secret
---@return string
function crypto.base64(bytes)
  return native.base64(check_text(bytes, 1, "crypto.base64"), false)
end

---Base64 for URLs, as in JWTs: "-" and "_", no padding.
---@param bytes string|lurcher.Secret
---@return string
function crypto.base64url(bytes)
  return native.base64(check_text(bytes, 1, "crypto.base64url"), true)
end

local function decode(text, url_safe, what)
  text = check_text(text, 1, what)
  local bytes, bad = native.base64_decode(text, url_safe)
  if bytes then return bytes end
  local name = url_safe and "base64url" or "base64"
  return nil, errors.new { kind = "decode", message = ("not valid %s at byte %d"):format(name, bad) }
end

---Blanks and line ends are skipped, padding may be missing.
---@param text string|lurcher.Secret
---@return string? bytes
---@return lurcher.Error? err kind "decode"
function crypto.base64_decode(text)
  return decode(text, false, "crypto.base64_decode")
end

---@param text string|lurcher.Secret as base64_decode, with "-" and "_"
---@return string? bytes
---@return lurcher.Error? err kind "decode"
function crypto.base64url_decode(text)
  return decode(text, true, "crypto.base64url_decode")
end

---Bytes that nobody can foretell, for keys and tokens: `crypto.hex(crypto.random(16))`.
---@param count integer at most 16 MiB
---@return string
function crypto.random(count)
  check.argument(count, "integer", 1, "crypto.random")
  if count < 0 or count > MAX_RANDOM then errors.raise "crypto.random: between 0 and 16 MiB can be had" end
  return native.random(count)
end

---A UUID: random (version 4) or, with 7, one that begins with the time and sorts behind earlier ones.
---@param version? 4|7 default 4
---@return string
function crypto.uuid(version)
  if version ~= nil and version ~= 4 and version ~= 7 then
    errors.raise("crypto.uuid: versions 4 and 7 can be had, not " .. check.shown(version))
  end
  return version == 7 and random.uuid7() or random.uuid()
end

---Whether two texts are the same, in a time that says nothing about where they differ.
---@param a string|lurcher.Secret
---@param b string|lurcher.Secret
---@return boolean
function crypto.equal(a, b)
  return native.equal(check_text(a, 1, "crypto.equal"), check_text(b, 2, "crypto.equal"))
end

return crypto
