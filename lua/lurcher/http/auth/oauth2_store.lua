--- Where OAuth2 tokens outlive a process: a JSON file for its owner only, of as many clients as like, under a lock
--- that has all its processes refresh once.

local errors = require "lurcher.base.errors"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local log = require "lurcher.log"
local native = require "lurcher.native.fs"
local overlay = require("lurcher.base.tables").overlay
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"
local time = require("lurcher.native.task").time

local store = {}

local VERSION = 1
local MAX_SIZE = 4 * 1024 * 1024

local function failure(path, err)
  if err.kind == "denied" then return nil, err end
  return nil, errors.new { kind = "file", path = path, code = err.code,
    message = ("token store '%s': %s"):format(path, err.message:match "': (.*)$" or err.message) }
end

---Calls `fn` with the store's file locked. Other processes, and other schemes of this one, wait.
---@param path string
---@param fn function
---@return any ... of fn; or nil and an error of kind "file"
function store.with(path, fn)
  return task.scope(function(scope)
    local lock, err = native.lock(path .. ".lock", true)
    if not lock then return failure(path, err) end
    scope:defer(function() lock:release() end)
    return fn()
  end)
end

local function damaged(path, what)
  log.warn("the token store is damaged, its tokens are fetched anew", { path = path, reason = what })
  return {}
end

-- All that the file holds, by key; {} when it is missing or damaged.
local function entries(path)
  local text, err = fs.read(path, { max = MAX_SIZE })
  if not text and err.code == "ENOENT" then return {} end
  if not text then return failure(path, err) end
  local value = json.decode(text)
  if type(value) ~= "table" then return damaged(path, "it is no JSON object") end
  if value.lurcher_tokens ~= VERSION or type(value.entries) ~= "table" then
    return damaged(path, "it is none of version " .. VERSION)
  end
  return value.entries
end

local function text_or_nil(value)
  return type(value) == "string" and value ~= "" and not value:find("[^\33-\126]") and secret.new(value) or nil
end

---What is known of a client's tokens.
---@param path string
---@param key string
---@return { token?: lurcher.Secret, refresh_token?: lurcher.Secret, lifetime?: number, whole?: number }? known
---@return lurcher.Error? err kind "file"
function store.read(path, key)
  local all, err = entries(path)
  if not all then return nil, err end
  local entry = type(all[key]) == "table" and all[key] or {}
  local ends = type(entry.expires_at) == "number" and entry.expires_at or nil
  local lives = not ends or ends > time()
  return { token = lives and text_or_nil(entry.access_token) or nil, refresh_token = text_or_nil(entry.refresh_token),
    lifetime = ends and ends - time(), whole = type(entry.expires_in) == "number" and entry.expires_in or nil }
end

---Keeps a client's tokens, beside those of others.
---@param path string
---@param key string
---@param answer { token: lurcher.Secret, refresh_token?: lurcher.Secret, lifetime?: number }
---@return true? ok
---@return lurcher.Error? err kind "file"
function store.write(path, key, answer)
  local all, err = entries(path)
  if not all then return nil, err end
  all = overlay(all, { [key] = { access_token = secret.reveal(answer.token),
    refresh_token = answer.refresh_token and secret.reveal(answer.refresh_token),
    expires_in = answer.lifetime, expires_at = answer.lifetime and time() + answer.lifetime } })
  local text = json.encode({ lurcher_tokens = VERSION, entries = json.object(all) }, { sort = true, pretty = true })
  local ok
  ok, err = task.shield(native.write, path, text .. "\n", true)
  if not ok then return failure(path, err) end
  return true
end

return store
