--- OAuth2 tokens for programs (RFC 6749): fetched when a request needs one, by one task for all that wait,
--- renewed before they expire, and once more when a server refuses one.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local now = require("lurcher.native.http").now
local overlay = require("lurcher.base.tables").overlay
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"
local task = require "lurcher.task"
local token_request = require "lurcher.http.auth.token_request"

local MARGIN = 30 -- seconds before the end of a token's life, but at most a tenth of it

---@class lurcher.OAuth2Options
---@field token_url string
---@field client_id string|lurcher.Secret
---@field client_secret? string|lurcher.Secret
---@field grant? "client_credentials"|"refresh_token" default: the first
---@field refresh_token? string|lurcher.Secret of the grant of that name; a new one of the server takes its place
---@field scope? string|string[]
---@field audience? string
---@field resource? string|string[]
---@field params? table<string, any> further fields of the token request
---@field auth? "basic"|"body" where id and secret go: default "basic", without a secret "body"

---@class lurcher.OAuth2
local OAuth2 = scheme.class "oauth2"

local states = setmetatable({}, { __mode = "k" })

local function text_mismatch(value)
  if type(value) == "string" and value ~= "" or secret.is(value) then return nil end
  return "a string"
end

local function texts_mismatch(value)
  if type(value) ~= "table" or secret.is(value) then return text_mismatch(value) end
  for i = 1, math.max(1, #value) do
    if text_mismatch(value[i]) then return "a string or a list of strings" end
  end
end

local function url_mismatch(value)
  if type(value) == "string" and value:lower():find "^https?://[^/?#]" then return nil end
  return "an absolute http or https URL"
end

local KNOWN = { token_url = url_mismatch, client_id = text_mismatch, client_secret = text_mismatch,
  grant = "'client_credentials'|'refresh_token'", refresh_token = text_mismatch, scope = texts_mismatch,
  audience = text_mismatch, resource = texts_mismatch, params = "table", auth = "'basic'|'body'" }

-- A token whose life the server did not tell is used until it is refused.
local function keep(state, answer)
  local lifetime = answer.lifetime or math.huge
  state.token, state.latest, state.ends_at = answer.token, answer.token, now() + lifetime
  state.renew_at = state.ends_at - math.min(MARGIN, lifetime / 10)
  if answer.refresh_token and state.options.grant == "refresh_token" then
    state.refresh_token = answer.refresh_token
  end
end

-- Fetches a token; what comes of it holds for all that wait, failures too.
local function fetch(state, client)
  local answer, err = token_request.send(client, state.options, state.refresh_token)
  if answer then keep(state, answer) end
  state.failure, state.fetched = err, state.fetched + 1
end

-- A token that is good now, or nil and an error.
local function token_for(state, client)
  if state.token and now() < state.renew_at then return state.token end
  local fetched = state.fetched
  state.turn:with(function()
    if state.fetched == fetched then fetch(state, client) end
  end)
  if not state.failure then return state.latest end
  if state.token and now() < state.ends_at then return state.token end -- it could not be renewed, but is good yet
  return nil, setmetatable(overlay(state.failure), errors.metatable) -- each that waits gets one of its own
end

-- Sends the request with a token, which is returned behind what the request brings.
local function send(state, request, next)
  local token, failure = token_for(state, request.client)
  if not token then return nil, failure end
  request.authorization = "Bearer " .. secret.reveal(token)
  local res, err = next(request)
  return res, err, token
end

function OAuth2:layer(request, next)
  local state = states[self]
  local res, err, token = send(state, request, next)
  if not res or res.status ~= 401 or not scheme.repeatable(request) then return res, err end
  if state.token == token then state.token = nil end -- nobody has renewed it meanwhile
  request:start_clock(res)
  res:discard()
  res, err = send(state, request, next)
  return res, err
end

---A bearer token of an OAuth2 server, as a scheme.
---@param opts lurcher.OAuth2Options
---@return lurcher.OAuth2
return function(opts)
  check.argument(opts, "table", 1, "http.oauth2")
  check.options(opts, KNOWN, "http.oauth2")
  local options = { grant = "client_credentials" }
  for name, value in pairs(opts) do options[name] = value end
  for _, name in ipairs { "token_url", "client_id", options.grant == "refresh_token" and "refresh_token" or nil } do
    if options[name] == nil then errors.raise(("http.oauth2: option '%s' is missing"):format(name)) end
  end
  options.auth = options.auth or options.client_secret and "basic" or "body"
  if options.auth == "basic" and not options.client_secret then
    errors.raise "http.oauth2: auth = \"basic\" wants a client_secret"
  end
  local self = OAuth2.new()
  states[self] = { options = options, refresh_token = options.refresh_token, renew_at = 0, fetched = 0,
    turn = task.semaphore(1) }
  return self
end
