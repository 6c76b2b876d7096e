--- The request to an OAuth2 server for a token, and what its answer says (RFC 6749, section 5).

local basic = require "lurcher.http.auth.basic"
local errors = require "lurcher.base.errors"
local overlay = require("lurcher.base.tables").overlay
local secret = require "lurcher.base.secret"
local text = require "lurcher.base.text"
local url = require "lurcher.native.url"

local token_request = {}

local MAX_ANSWER = 1024 * 1024
local MAX_CODE = 200 -- bytes of OAuth's word for a refusal
local MAX_SAID = 500 -- bytes of what a server says about a refusal

-- Clients with nothing of their own but the way to the network: proxy, TLS, times.
local token_clients = setmetatable({}, { __mode = "k" })

local NOTHING_ELSE = { headers = false, params = false, auth = false, cookies = false, base_url = false,
  hooks = false, middleware = {}, raise = false, breaker = false, redirects = false, unix_socket = false,
  http_version = "auto", name = false, max_body = MAX_ANSWER, decompress = true }

local function client_for(client)
  local own = token_clients[client]
  if not own then
    own = client:extend(NOTHING_ELSE)
    token_clients[client] = own
  end
  return own
end

-- As a form has it, which is how id and secret go into Basic (section 2.3.1).
local function encoded(value)
  return (url.encode(secret.reveal(value)):gsub("%%20", "+"))
end

local function credentials(options)
  if options.auth ~= "basic" then return false end
  local word = encoded(options.client_secret)
  options.credentials = options.credentials
    or basic(encoded(options.client_id), secret.is(options.client_secret) and secret.new(word) or word)
  return options.credentials
end

local function words(value)
  if type(value) ~= "table" or secret.is(value) then return value end
  return table.concat(value, " ")
end

---What a request says about the rights that are asked for.
---@param options lurcher.OAuth2Options
---@return table fields
function token_request.common_fields(options)
  return overlay(options.params, { scope = words(options.scope), audience = options.audience,
    resource = options.resource })
end

-- Who asks, where that does not stand in the header.
local function with_client(options, fields)
  if options.auth == "basic" then return fields end
  return overlay(fields, { client_id = options.client_id, client_secret = options.client_secret })
end

---An answer that holds no token.
---@param res lurcher.Response
---@param reason string
---@param code? string OAuth's
---@return nil
---@return lurcher.Error err kind "status"
function token_request.failure(res, reason, code)
  return nil, errors.new { kind = "status", response = res, code = code, method = "POST", url = tostring(res.url),
    attempts = res.attempts, elapsed = res.elapsed,
    message = ("status %d, and no token: %s"):format(res.status, reason) }
end

---A text of an answer, or nil.
---@param answer table
---@param name string
---@return string?
function token_request.text_of(answer, name)
  local value = answer[name]
  return type(value) == "string" and value ~= "" and value or nil
end

local failure, text_of = token_request.failure, token_request.text_of

-- Seconds that a token lives; some servers write them as a text.
local function lifetime_of(answer)
  local value = answer.expires_in
  local seconds = (type(value) == "number" or type(value) == "string") and tonumber(value)
  return seconds and seconds > 0 and seconds < math.huge and seconds or nil
end

---What a server answered, as a table; nil and an error when it refused, or it is none.
---@param res lurcher.Response
---@return table? answer
---@return lurcher.Error? err kind "status"
function token_request.answer(res)
  local answer = res:json()
  if type(answer) ~= "table" then return failure(res, "the answer is no JSON object") end
  local code = text_of(answer, "error")
  if code then
    local said = text_of(answer, "error_description")
    return failure(res, text.printable(secret.excerpt(code .. (said and ": " .. said or ""), MAX_SAID)),
      text.printable(secret.excerpt(code, MAX_CODE)))
  end
  if not res.ok then return failure(res, "it is no success") end
  return answer
end

local function read(res)
  local answer, err = token_request.answer(res)
  if not answer then return nil, err end
  local token = text_of(answer, "access_token")
  if not token then return failure(res, "the answer holds none") end
  if token:find("[^\33-\126]") then return failure(res, "it holds a character that cannot be sent") end
  local refresh_token = text_of(answer, "refresh_token")
  return { token = secret.new(token), refresh_token = refresh_token and secret.new(refresh_token),
    lifetime = lifetime_of(answer) }
end

---Sends a form to an OAuth2 server.
---@param client lurcher.Client whose proxy, TLS and times are used
---@param options lurcher.OAuth2Options
---@param address string
---@param fields table
---@param retryable? boolean it may be sent twice
---@return lurcher.Response? res
---@return lurcher.Error? err
function token_request.post(client, options, address, fields, retryable)
  return client_for(client):request("POST", address, { form = with_client(options, fields), auth = credentials(options),
    headers = { Accept = "application/json" }, retryable = retryable })
end

---Asks for a token in exchange for what `fields` hold, which may serve once only.
---@param client lurcher.Client
---@param options lurcher.OAuth2Options
---@param fields table
---@param retryable? boolean
---@return { token: lurcher.Secret, refresh_token?: lurcher.Secret, lifetime?: number }? answer
---@return lurcher.Error? err kind "status", with OAuth's code as `code`; or of the network
function token_request.ask(client, options, fields, retryable)
  local res, err = token_request.post(client, options, options.token_url, fields, retryable)
  if not res then return nil, err end
  return read(res)
end

---Asks for a token by what the client is, or has.
---@param client lurcher.Client
---@param options lurcher.OAuth2Options
---@param grant "client_credentials"|"refresh_token"
---@param refresh_token? string|lurcher.Secret
---@return { token: lurcher.Secret, refresh_token?: lurcher.Secret, lifetime?: number }? answer
---@return lurcher.Error? err
function token_request.send(client, options, grant, refresh_token)
  local fields = token_request.common_fields(options)
  fields.grant_type, fields.refresh_token = grant, refresh_token
  return token_request.ask(client, options, fields, true)
end

return token_request
