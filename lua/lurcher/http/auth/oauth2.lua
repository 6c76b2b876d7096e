--- OAuth2 tokens (RFC 6749), for programs and for persons: fetched when a request needs one, by one task for all
--- that wait, renewed before they expire, and once more when a server refuses one.

local check = require "lurcher.base.check"
local companion = require "lurcher.http.companion"
local code_flow = require "lurcher.http.auth.oauth2_code"
local device_flow = require "lurcher.http.auth.oauth2_device"
local errors = require "lurcher.base.errors"
local log = require "lurcher.log"
local now = require("lurcher.native.http").now
local overlay = require("lurcher.base.tables").overlay
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"
local store = require "lurcher.http.auth.oauth2_store"
local task = require "lurcher.task"
local text = require "lurcher.base.text"
local token_request = require "lurcher.http.auth.token_request"

local raw_pcall = require("lurcher.native.task").raw_pcall

local GRACE = 4 -- seconds; clean-up has five
local MARGIN = 30 -- seconds before the end of a token's life, but at most a tenth of it

---@class lurcher.OAuth2Options
---@field token_url string
---@field client_id string|lurcher.Secret
---@field client_secret? string|lurcher.Secret
---@field grant? "client_credentials"|"refresh_token"|"device"|"code" default: the first
---@field refresh_token? string|lurcher.Secret of all grants but the first; a new one of the server takes its place
---@field device_url? string of grant "device": where a user code comes from
---@field authorize_url? string of grant "code": the page where a person allows it
---@field redirect_url? string of grant "code": where the browser comes back, on this machine; default: a free port
---@field redirect_uri? string the same
---@field show? fun(what: { url: string, user_code?: string }) tells the person what to open; default: a line on stderr
---@field store? string a file that keeps the tokens
---@field scope? string|string[]
---@field audience? string
---@field resource? string|string[]
---@field params? table<string, any> further fields of the token request
---@field auth? "basic"|"body" where id and secret go: default "basic", without a secret "body"

-- How a person is asked.
local FLOWS = { device = device_flow, code = code_flow.run }

---@class lurcher.OAuth2
local OAuth2 = scheme.class "oauth2"

local states = setmetatable({}, { __mode = "k" })

-- The default of `show`.
local function show_line(what)
  local code = what.user_code and (" and enter the code " .. text.printable(what.user_code)) or ""
  io.stderr:write(("lurcher: to go on, open %s%s\n"):format(text.printable(what.url), code))
end

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

local function redirect_mismatch(value)
  if type(value) == "string" and code_flow.loopback(value) then return nil end
  return "an http URL of this machine, such as \"http://127.0.0.1:8400/callback\""
end

local function store_mismatch(value)
  if type(value) == "string" and value ~= "" and not value:find "%z" then return nil end
  return "the path of a file"
end

local KNOWN = { token_url = url_mismatch, client_id = text_mismatch, client_secret = text_mismatch,
  grant = "'client_credentials'|'refresh_token'|'device'|'code'", refresh_token = text_mismatch,
  device_url = url_mismatch, authorize_url = url_mismatch, redirect_url = redirect_mismatch,
  redirect_uri = redirect_mismatch, show = "callable", store = store_mismatch, scope = texts_mismatch,
  audience = text_mismatch, resource = texts_mismatch, params = "table", auth = "'basic'|'body'" }

-- A token whose life the server did not tell is used until it is refused.
local function keep(state, answer)
  local lifetime = answer.lifetime or math.huge
  state.token, state.latest, state.ends_at = answer.token, answer.token, now() + lifetime
  state.renew_at = state.ends_at - math.min(MARGIN, (answer.whole or lifetime) / 10)
  if answer.refresh_token and state.options.grant ~= "client_credentials" then
    state.refresh_token = answer.refresh_token
  end
end

-- By what the client has; a person is asked when there is nothing, or it does not serve any more.
local function obtain(state, client)
  local options = state.options
  if options.grant == "client_credentials" then return token_request.send(client, options, options.grant) end
  if state.refresh_token then
    state.is_refreshing = true
    local answer, err = token_request.send(client, options, "refresh_token", state.refresh_token)
    if answer or err.code ~= "invalid_grant" then return answer, err end
    local is_given = not options.store or secret.reveal(state.refresh_token) == secret.reveal(options.refresh_token)
    if options.grant == "refresh_token" and is_given then return nil, err end
    state.refresh_token = not is_given and options.refresh_token or nil -- that of the store has had its time
    errors.forget_last()
    if state.refresh_token then return obtain(state, client) end
    state.is_refreshing = false
  end
  return FLOWS[options.grant](client, options)
end

-- With a store: what another process has fetched meanwhile, if it is not the very token that was refused.
local function obtain_with_store(state, client)
  local path, key = state.options.store, state.key
  return store.with(path, function()
    local known, err = store.read(path, key)
    if not known then return nil, err end
    local is_news = known.token and (not state.latest or known.token ~= state.latest
      and secret.reveal(known.token) ~= secret.reveal(state.latest))
    if is_news and (not known.lifetime or known.lifetime > math.min(MARGIN, (known.whole or known.lifetime) / 10)) then
      return known
    end
    if known.refresh_token then state.refresh_token = known.refresh_token end
    local answer
    answer, err = obtain(state, client)
    if not answer then return nil, err end
    answer.refresh_token = answer.refresh_token or state.refresh_token
    local ok, problem = store.write(path, key, answer)
    if not ok then log.warn("the token was not stored", { reason = tostring(problem) }) end
    return answer
  end)
end

-- Fetches a token; what comes of it holds for all that wait, failures too.
local function fetch_now(state, client)
  local answer, err
  if state.options.store then
    answer, err = obtain_with_store(state, client)
  else
    answer, err = obtain(state, client)
  end
  if answer then keep(state, answer) end
  state.failure, state.fetched = err, state.fetched + 1
end

-- The same beside the running task. A refresh under way may have used up the refresh token: who is cancelled
-- meanwhile waits a little for the one that replaces it.
local function fetch(state, client)
  local fetching = companion.start(fetch_now, state, client)
  local join = fetching.task.join
  local ok, raised = raw_pcall(join, fetching.task)
  if not ok and state.is_refreshing then
    task.shield(task.timeout, GRACE, function() raw_pcall(join, fetching.task) end)
  end
  state.is_refreshing = false
  fetching:stop()
  if not ok then error(raised, 0) end
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

-- ---- what a scheme is made of ----

local NEEDED = { refresh_token = "refresh_token", device = "device_url", code = "authorize_url" }

local function check_complete(options)
  for _, name in ipairs { "token_url", "client_id", NEEDED[options.grant] } do
    if options[name] == nil then errors.raise(("http.oauth2: option '%s' is missing"):format(name)) end
  end
  if options.auth == "basic" and not options.client_secret then
    errors.raise "http.oauth2: auth = \"basic\" wants a client_secret"
  end
end

-- What its tokens are known by in a store.
local function key_of(options)
  local scope, resource = options.scope, options.resource
  if type(scope) == "table" and not secret.is(scope) then scope = table.concat(scope, " ") end
  if type(resource) == "table" and not secret.is(resource) then resource = table.concat(resource, " ") end
  local parts = { options.token_url, secret.reveal(options.client_id), secret.reveal(scope) or "",
    secret.reveal(options.audience) or "", secret.reveal(resource) or "" }
  while parts[#parts] == "" do parts[#parts] = nil end
  return table.concat(parts, "|")
end

-- Servers may repeat what they were sent.
local function mark_of(value)
  return value and scheme.hidden(secret.reveal(value)) or false
end

---A bearer token of an OAuth2 server, as a scheme.
---@param opts lurcher.OAuth2Options
---@return lurcher.OAuth2
return function(opts)
  check.argument(opts, "table", 1, "http.oauth2")
  check.options(opts, KNOWN, "http.oauth2")
  local options = { grant = "client_credentials", show = show_line }
  for name, value in pairs(opts) do options[name] = value end
  options.redirect_url = options.redirect_url or options.redirect_uri
  options.auth = options.auth or options.client_secret and "basic" or "body"
  check_complete(options)
  local self = OAuth2.new(opts)
  states[self] = { options = options, refresh_token = options.refresh_token, renew_at = 0, fetched = 0,
    turn = task.semaphore(1), is_refreshing = false, key = options.store and key_of(options),
    marks = { mark_of(options.client_secret), mark_of(options.refresh_token) } }
  return self
end
