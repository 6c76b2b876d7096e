--- The secrets that a recording met: what http.secret marked, what the environment holds, and what a header, a
--- parameter or a field held whose name says that it is one. Each is found wherever else it stands, as it is, in the
--- spellings of URLs and JSON, and within base64.

local crypto = require "lurcher.crypto"
local fs = require "lurcher.native.fs"
local names = require "lurcher.url.names"
local new_index = require "lurcher.base.secret_index"
local secret = require "lurcher.base.secret"
local spellings = require "lurcher.base.secret_spellings"

local known = {}

known.MASK = secret.MASK

local MIN_LENGTH = 6   -- of what is learned: a shorter text stands in many places by chance
local MIN_ENCODED = 8  -- of a part of base64
local MAX_LENGTH = 64 * 1024
local MAX_ENVIRONMENT = 4 * 1024 * 1024

-- Words that a field called "password" or "token" may have, and that stand elsewhere as well.
local ORDINARY = {}
for word in ([[bearer basic digest password secret token optional required string number boolean object default
  undefined unknown hidden public private enabled disabled accepted expired invalid changeme anonymous negotiate]])
  :gmatch "%S+" do
  ORDINARY[word] = true
end

---@class lurcher.cassette.Known
local Known = {}
Known.__index = Known

---@return lurcher.cassette.Known
function known.new()
  local texts = {}
  local index = new_index(function(text) return texts[text] ~= nil end)
  return setmetatable({ texts = texts, noted = 0, index = index }, Known)
end

local function note(self, text, name)
  if self.texts[text] then return end
  self.texts[text] = name
  self.noted = self.noted + 1
  self.index:add(text)
end

-- What base64 makes of it whatever stands before and behind it.
local function each_encoded(text, visit)
  for shift = 0, 2 do
    local coded = crypto.base64(("\0"):rep(shift) .. text)
    local part = coded:sub(shift > 0 and shift + 2 or 1, math.floor((shift + #text) * 8 / 6))
    if #part >= MIN_ENCODED then
      visit(part)
      visit((part:gsub("[+/]", { ["+"] = "-", ["/"] = "_" })))
    end
  end
end

---Notes a secret.
---@param text string
---@param name string where it was, for messages
function Known:learn(text, name)
  if #text < MIN_LENGTH or #text > MAX_LENGTH or self.texts[text] or ORDINARY[text:lower()] then return end
  if text:find "^%*+$" then return end
  note(self, text, name)
  spellings(text, function(spelling) note(self, spelling, name) end)
  each_encoded(text, function(part) note(self, part, name) end)
end

-- A path to a file with a key is none itself.
local function is_path(value)
  return value:find "^~?/[%w/._-]+$" ~= nil and fs.exists(value) == true
end

---Notes what variables of the environment hold that are named like secrets.
function Known:learn_environment()
  local text = fs.read("/proc/self/environ", MAX_ENVIRONMENT)
  for name, value in (text or ""):gmatch "([^=%z]+)=(%Z*)" do
    if names.is_variable(name) and not is_path(value) then
      self:learn(value, "the environment variable " .. name)
    end
  end
end

---@param text string
---@return string
function Known:replace(text)
  text = self.index:replace(text, known.MASK)
  if secret.any then text = secret.replace(text, known.MASK) end
  return text
end

---A number that grows with each secret there is to know.
---@return integer
function Known:age() return self.noted + secret.made end

---What of it stands in a text, in words; nil: nothing.
---@param text string
---@return string?
function Known:find(text)
  if self:replace(text) == text then return nil end
  for value, name in pairs(self.texts) do
    if text:find(value, 1, true) then return name end
  end
  return "a value of http.secret"
end

return known
