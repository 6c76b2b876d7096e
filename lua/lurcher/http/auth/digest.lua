--- HTTP's Digest scheme (RFC 7616): the password is never sent, only digests of it and of what a server asks.

local answer = require "lurcher.http.auth.digest_answer"
local cache = require "lurcher.base.cache"
local challenges = require "lurcher.http.auth.challenges"
local credential = require "lurcher.http.auth.credential"
local scheme = require "lurcher.http.auth.scheme"
local url_native = require "lurcher.native.url"

local MAX_ORIGINS = 256

---@class lurcher.Digest
local Digest = scheme.class "digest"

local states = setmetatable({}, { __mode = "k" })

-- Path and query as they are sent.
local function target_of(request, origin)
  local raw = request.options and request.options.raw_target
  if raw then return raw end
  local target = scheme.target(request, origin):match("^%a[%w+.-]*://[^/?#]*([^#]*)")
  return target:sub(1, 1) == "/" and target or "/" .. target
end

-- Sends the request with what a challenge asks for, or without credentials.
local function send(state, request, next, origin, terms)
  local value, err
  if terms then
    value, err = answer.header(terms, state.user, state.password, request.method, target_of(request, origin),
      request.body or "")
    if not value then return nil, err end
  end
  request.authorization = value
  return next(request)
end

-- The best challenge of a 401 that we can meet.
local function challenge_of(request, res)
  if not res or res.status ~= 401 or not scheme.repeatable(request) then return nil end
  return answer.best(challenges.parse(res:header_list("WWW-Authenticate")), scheme.has_body_at_hand(request))
end

-- A server may announce the nonce to go on with.
local function take_next_nonce(terms, res)
  local info = terms and res:header("Authentication-Info")
  local parsed = info and challenges.parse({ "info " .. info })[1]
  local nonce = parsed and parsed.values.nextnonce
  if nonce and nonce ~= "" and nonce ~= terms.nonce then
    terms.nonce, terms.raw_nonce, terms.count = nonce, parsed.raw.nextnonce, 0
  end
end

-- Whether a challenge is answered: the first; another one than that which the credentials of the first request
-- were for; and, once, one which says that merely the nonce was too old.
local function may_answer(terms, challenge, answered, was_stale)
  if not terms then return answered == 0 end
  if challenge.stale then return not was_stale end
  return answered == 0 and (challenge.nonce ~= terms.nonce or challenge.realm ~= terms.realm)
end

-- Requests that went out side by side are answered with one nonce by many servers: its uses are counted together.
local function shared(known, challenge)
  local is_same = known and known.nonce == challenge.nonce and known.realm == challenge.realm
    and known.values.algorithm == challenge.values.algorithm and known.qop == challenge.qop
  return is_same and known or challenge
end

function Digest:layer(request, next)
  local state = states[self]
  local origin = url_native.origin(request.url)
  local terms, answered, was_stale = state.terms:get(origin), 0, false
  while true do
    if terms and terms.qop == "auth-int" and not scheme.has_body_at_hand(request) then terms = nil end
    local res, err = send(state, request, next, origin, terms)
    local challenge = challenge_of(request, res)
    if not challenge then
      if res then take_next_nonce(terms, res) end
      return res, err
    end
    if not may_answer(terms, challenge, answered, was_stale) then
      state.terms:put(origin, false)
      return res, err
    end
    request:start_clock(res)
    res:discard()
    was_stale = terms and challenge.stale
    terms, answered = shared(state.terms:get(origin), challenge), answered + 1
    state.terms:put(origin, terms)
  end
end

---User name and password, as a scheme. The first request to an origin is answered with a challenge and sent
---again; later ones carry the answer from the start.
---@param user string|lurcher.Secret
---@param password string|lurcher.Secret
---@return lurcher.Digest
return function(user, password)
  local self = Digest.new(user, password)
  states[self] = { user = credential(user, "the user name"), password = credential(password, "the password"),
    terms = cache.new(MAX_ORIGINS), holds = { user, password } }
  return self
end
