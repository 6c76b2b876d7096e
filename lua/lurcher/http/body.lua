--- Bodies of requests that are no plain strings: files, what an iterator gives, and sequences of these. One
--- belongs to one call, over all of its attempts and hops.

local check = require "lurcher.base.check"
local crypto = require "lurcher.native.crypto"
local descriptors = require "lurcher.http.descriptors"
local errors = require "lurcher.base.errors"
local file = require "lurcher.http.file"
local give_way = require "lurcher.base.give_way"
local native = require "lurcher.native.http"
local secret = require "lurcher.base.secret"

local body = {}

local STEP = 4 * 1024 * 1024 -- bytes of a body after which other tasks have their turn

---@class lurcher.Body
---@field name string what it is called where it is shown
---@field type string|false the Content-Type that comes with it
---@field private pieces (string|lurcher.File|function)[]
---@field private files table<integer, userdata>? what the files were when they were looked at
---@field private once boolean a pipe or such is among them
---@field package producers boolean iterators are among them
---@field length integer? bytes, once the files were looked at; nil: nobody knows
---@field package is_fixed boolean files must not change any more: their bytes were signed, or sent once
---@field package begun boolean something of it was given out that cannot be given again
---@field failure table? { err } what an iterator returned beside nil
local Body = { __name = "lurcher.Body" }
Body.__index = Body

function Body:__tostring() return self.name end

---@param value any
---@return boolean
function body.is(value)
  return type(value) == "table" and getmetatable(value) == Body
end

---@param pieces (string|lurcher.File|function)[]
---@param name string
---@param content_type? string|false
---@return lurcher.Body
function body.new(pieces, name, content_type)
  return setmetatable({ pieces = pieces, name = name, type = content_type or false, once = false, begun = false,
    producers = false, is_fixed = false, length = 0 }, Body)
end

---What is sent for a value of the option `body`; nil when it cannot be one.
---@param value any
---@return string|lurcher.Body|false|nil
function body.of(value)
  value = secret.reveal(value)
  if not value or type(value) == "string" or body.is(value) then return value end
  if file.is(value) then return body.new({ value }, tostring(value), value.type) end
  if not check.mismatch(value, "callable") then return body.new({ value }, "an iterator") end
  return nil
end

-- Whether a piece is an iterator.
local function is_producer(piece) return type(piece) ~= "string" and not file.is(piece) end

---Looks at the files, once, before anything is sent.
---@return boolean? true
---@return lurcher.Error? err kind "file"
function Body:prepare()
  if self.files then return true end
  local files = {}
  for i, piece in ipairs(self.pieces) do
    if file.is(piece) then
      local handle, length, twice = descriptors.patiently(0, native.file, piece.path, piece.offset,
        piece.length or nil)
      if not handle then return nil, length end
      files[i] = handle
      if not twice then self.once = true end
      self.length = self.length and length and self.length + length
    elseif is_producer(piece) then
      self.producers, self.length = true, nil
    else
      self.length = self.length and self.length + #piece
    end
  end
  self.files = files
  return true
end

---Whether a body can be sent from its start: what an iterator or a pipe gave cannot be had again.
---@param value string|lurcher.Body|false|nil
---@return boolean
function body.repeatable(value)
  return type(value) ~= "table" or not value.begun
end

---Whether all of a body can be read before it is sent.
---@param value string|lurcher.Body|false|nil
---@return boolean
function body.at_hand(value)
  return type(value) ~= "table" or not (value.once or value.producers)
end

---Gives the bytes of a body that is at hand to a function, piece by piece.
---@param value string|lurcher.Body
---@param take fun(bytes: string)
---@return boolean? true
---@return lurcher.Error? err
function body.read(value, take)
  if type(value) == "table" then value.is_fixed = true end
  for _, piece in ipairs(type(value) == "table" and value.pieces or { value }) do
    if type(piece) == "string" then
      take(piece)
    else
      local reader, err = require("lurcher.fs").open(piece.path)
      if not reader then return nil, err end
      local left, skip = piece.length or math.huge, piece.offset
      while left > 0 do
        local bytes
        bytes, err = reader:read()
        if not bytes then break end
        local skipped = math.min(skip, #bytes)
        bytes, skip = bytes:sub(skipped + 1), skip - skipped
        if #bytes > left then bytes = bytes:sub(1, left) end
        left = left - #bytes
        take(bytes)
      end
      reader:close()
      if err then return nil, err end
    end
  end
  return true
end

---The digest of a body that is at hand.
---@param value string|lurcher.Body
---@param name string OpenSSL's
---@return string? hex
---@return lurcher.Error? err
function body.digest(value, name)
  local digest = crypto.digest(name)
  local ok, err = body.read(value, function(bytes)
    for from = 1, #bytes, STEP do
      if from > 1 then give_way() end
      digest:update(bytes, from, math.min(from + STEP - 1, #bytes))
    end
  end)
  if not ok then return nil, err end
  return crypto.hex(digest:finish())
end

---What the native layer sends in one attempt. Raises when it cannot be had again: who sends a request twice is the
---script (a middleware, an auth function) since the layers ask before they do.
---@return userdata upload
function Body:upload()
  if self.begun then
    errors.raise(("the request was sent already, and its body (%s) cannot be had again"):format(self.name))
  end
  local list = {}
  for i, piece in ipairs(self.pieces) do
    list[i] = self.files[i] or type(piece) == "string" and piece or true
  end
  self.begun = self.begun or self.once
  local upload = native.upload(list, self.is_fixed)
  self.is_fixed = true
  return upload
end

-- What an iterator gives next, as bytes; nil at its end, or when it failed.
local function produced(self, produce)
  self.begun = true
  local bytes, err = produce()
  if bytes == nil then
    if err ~= nil then self.failure = { err } end
    return nil
  end
  bytes = secret.reveal(bytes)
  if type(bytes) == "string" then return bytes end
  errors.raise("the iterator of a body must return strings, and nil at the end; it returned "
    .. check.shown(bytes))
end

-- Asks one iterator for as much as the server takes. False: nothing more is wanted, or it failed.
local function feed_one(self, upload, produce)
  while upload:wait() do
    local bytes = produced(self, produce)
    if self.failure then return false end
    if not bytes then
      upload:put_end()
      return true
    end
    if bytes == "" then give_way() else upload:put(bytes) end
  end
  return false
end

---Asks the iterators for what they give, when the server takes more. In a task of its own; when that ends
---early, so does the request.
---@param upload userdata
function Body:feed(upload)
  local complete = false
  require("lurcher.task").defer(function()
    if not complete then upload:fail("the body of the request was not given to its end") end
  end)
  for _, piece in ipairs(self.pieces) do
    if is_producer(piece) and not feed_one(self, upload, piece) then return end
  end
  complete = true
end

return body
