--- AWS's Signature Version 4: requests signed in a header, and URLs signed in their query.

local body = require "lurcher.http.body"
local cache = require "lurcher.base.cache"
local canonical = require "lurcher.http.auth.sigv4_canonical"
local check = require "lurcher.base.check"
local credential = require "lurcher.http.auth.credential"
local crypto = require "lurcher.crypto"
local errors = require "lurcher.base.errors"
local headers = require "lurcher.http.headers"
local parse_date = require("lurcher.base.date").parse
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"
local time = require("lurcher.native.task").time
local url_native = require "lurcher.native.url"

local ALGORITHM = "AWS4-HMAC-SHA256"
local UNSIGNED = "UNSIGNED-PAYLOAD"
local MAX_EXPIRES = 7 * 86400
local MAX_TIME = 253402300800 -- 10000-01-01
local TOLERANCE = 240 -- seconds; AWS refuses what is 5 minutes off
local MAX_ORIGINS = 64

---@class lurcher.AwsSigV4Options
---@field access_key string|lurcher.Secret
---@field secret_key string|lurcher.Secret
---@field region string
---@field service string
---@field session_token? string|lurcher.Secret|false
---@field normalize? boolean take dot segments and empty ones out of the path that is signed: default true, but
---  never for S3

---@class lurcher.AwsSigV4
local AwsSigV4 = scheme.class "aws_sigv4"

-- What belongs to each scheme, away from eyes: credentials, the last signing key, the clocks of servers.
local states = setmetatable({}, { __mode = "k" })

local function text_mismatch(value)
  if type(value) == "string" and value ~= "" or secret.is(value) then return nil end
  return "a string"
end

local function optional_text_mismatch(value)
  if value == false then return nil end
  return text_mismatch(value)
end

local KNOWN = { access_key = text_mismatch, secret_key = text_mismatch, region = "string", service = "string",
  session_token = optional_text_mismatch, normalize = "boolean" }

-- A moment of which the year has four digits.
local function time_mismatch(value)
  if type(value) == "number" and value >= 0 and value < MAX_TIME then return nil end
  return "seconds since 1970"
end

-- ---- signing ----

-- The key of a day, which is the same for all its requests.
local function signing_key(state, date)
  if state.key_date ~= date then
    local key = "AWS4" .. state.secret_key
    for _, part in ipairs { date, state.region, state.service, "aws4_request" } do
      key = crypto.hmac("sha256", key, part, "raw")
    end
    state.key_date, state.key = date, key
  end
  return state.key
end

local function scope_of(state, stamp)
  return ("%s/%s/%s/aws4_request"):format(stamp:sub(1, 8), state.region, state.service)
end

local function signature(state, stamp, canonical_request)
  local text = table.concat({ ALGORITHM, stamp, scope_of(state, stamp), crypto.sha256(canonical_request) }, "\n")
  return crypto.hmac("sha256", signing_key(state, stamp:sub(1, 8)), text)
end

local function stamp_of(moment)
  return os.date("!%Y%m%dT%H%M%SZ", math.floor(moment))
end

-- The digest of a body, or what the script has put in its place ("UNSIGNED-PAYLOAD"). Files are read for it before
-- they are sent, but not for S3, which does without; what an iterator gives cannot be. Nil and an error.
local function digest_of(state, content, given)
  content = content or ""
  if given and (type(content) ~= "string" or not given:find("^%x+$")) then return given end
  if type(content) == "string" then return crypto.sha256(content) end
  if state.is_s3 or not body.at_hand(content) then return UNSIGNED end
  return body.digest(content, "SHA256")
end

-- The headers to add to a request that has these `fields` (canonical.fields), for `moment`; nil and an error.
local function signed(state, method, target, fields, content, moment)
  local stamp, added = stamp_of(moment), {}
  local digest, err = digest_of(state, content, fields["x-amz-content-sha256"])
  if not digest then return nil, err end
  added["X-Amz-Date"], added["X-Amz-Security-Token"] = stamp, state.session_token
  if state.is_s3 or content and content ~= "" or fields["x-amz-content-sha256"] then
    added["X-Amz-Content-Sha256"] = digest
  end
  for name, value in pairs(added) do fields[name:lower()] = secret.reveal(value) end
  local lines, names = canonical.headers(fields)
  local request = canonical.request(method, canonical.path(target.path, state), canonical.query(target.query),
    lines, names, digest)
  added.Authorization = ("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s"):format(ALGORITHM,
    state.access_key, scope_of(state, stamp), names, signature(state, stamp, request))
  return added
end

-- ---- the clocks of servers ----

local function now_at(state, origin)
  return time() + (state.offsets:get(origin) or 0)
end

-- Whether a refusal is due to our clock, which the server's Date then corrects.
local function corrects_clock(state, origin, res)
  if res.status ~= 400 and res.status ~= 401 and res.status ~= 403 then return false end
  local date = parse_date(res:header("Date") or "")
  local skew = date and date - now_at(state, origin)
  if not skew or math.abs(skew) <= TOLERANCE then return false end
  state.offsets:put(origin, date - time())
  return true
end

-- ---- the layer ----

-- A copy with a signature, so that what is added holds for this attempt only; nil and an error.
local function signed_copy(state, request, origin)
  local copy = request:copy()
  local flat = request:flat_headers()
  local fields = canonical.fields_of_list(flat)
  if request.content_type then fields["content-type"] = request.content_type end
  local target = canonical.target(scheme.target(request, origin))
  fields.host = fields.host or target.host
  local added, err = signed(state, request.method, target, fields, request.body, now_at(state, origin))
  if not added then return nil, err end
  copy.authorization, added.Authorization = added.Authorization, nil
  added["X-Amz-Security-Token"] = state.marked_token -- hooks look at it
  copy.list, copy.headers = headers.merge(flat, added), nil
  return copy
end

-- Sends a signed copy.
local function send(state, request, next, origin)
  local copy, err = signed_copy(state, request, origin)
  if not copy then return nil, err end
  return next(copy)
end

function AwsSigV4:layer(request, next)
  local state = states[self]
  local origin = url_native.origin(request.url)
  local res, err = send(state, request, next, origin)
  if not res or not corrects_clock(state, origin, res) or not scheme.repeatable(request) then return res, err end
  request:start_clock(res)
  res:discard()
  return send(state, request, next, origin)
end

-- ---- by hand ----

local function check_self(self, what)
  if not states[self] then errors.raise(("call it with a colon: %s(…)"):format(what)) end
  return states[self]
end

-- Sets one header in a map with names in any case.
local function set_header(map, name, value)
  for key in pairs(map) do
    if type(key) == "string" and key:lower() == name:lower() and key ~= name then map[key] = nil end
  end
  map[name] = value
end

local function check_url(url, what)
  url = secret.reveal(url)
  local parts = type(url) == "string" and url_native.parse(url)
  if not parts or not parts.host then errors.raise(what .. ": the request needs an absolute URL") end
  return url
end

---Signs a request: sets the headers Authorization, X-Amz-Date and, where they are wanted, X-Amz-Content-Sha256
---and X-Amz-Security-Token. The URL is taken as it goes over the wire. An earlier signature is replaced.
---@param request lurcher.Request|{ method?: string, url: string, headers?: table, body?: string|lurcher.File }
---@param opts? { time?: number } seconds since 1970; default: now
---@return table? request the same
---@return lurcher.Error? err kind "file": the body cannot be read
function AwsSigV4:sign(request, opts)
  local state = check_self(self, "scheme:sign")
  check.argument(request, "table", 1, "scheme:sign")
  check.options(opts, { time = time_mismatch }, "scheme:sign")
  local content = body.of(request.body)
  if content == nil and request.body ~= nil then
    errors.raise("scheme:sign: the request's body must be a string, http.file(…) or an iterator, got "
      .. check.shown(request.body))
  end
  local target = canonical.target(check_url(request.url, "scheme:sign"))
  if request.expose then request:expose() end
  request.headers = request.headers or {}
  for _, name in ipairs { "Authorization", "X-Amz-Date", "X-Amz-Security-Token" } do
    set_header(request.headers, name, nil)
  end
  local fields = canonical.fields(request.headers)
  fields.host = fields.host or target.host
  local added, err = signed(state, (request.method or "GET"):upper(), target, fields, content,
    opts and opts.time or time())
  if not added then return nil, err end
  for name, value in pairs(added) do set_header(request.headers, name, value) end
  return request
end

-- The parameters that a signed URL has besides its own, without the signature, encoded.
local function parameters(state, stamp, expires, names)
  local list = {}
  local function add(name, value) list[#list + 1] = name .. "=" .. url_native.encode(value) end
  add("X-Amz-Algorithm", ALGORITHM)
  add("X-Amz-Credential", state.access_key .. "/" .. scope_of(state, stamp))
  add("X-Amz-Date", stamp)
  add("X-Amz-Expires", ("%d"):format(expires))
  add("X-Amz-SignedHeaders", names)
  if state.session_token then add("X-Amz-Security-Token", secret.reveal(state.session_token)) end
  return table.concat(list, "&")
end

local function expires_mismatch(value)
  if type(value) == "number" and value % 1 == 0 and value >= 1 and value <= MAX_EXPIRES then return nil end
  return "whole seconds, at most 7 days"
end

---A URL that anybody can use until it expires: the signature is in its query.
---@param url string
---@param opts? { expires?: integer, method?: string, time?: number, headers?: table, body?: string } `expires`:
---  seconds, default 3600, at most 7 days; `headers`: those that the request has to send just so; `body`: what
---  it has to send, default nothing (S3: anything)
---@return string url
function AwsSigV4:presign(url, opts)
  local state = check_self(self, "scheme:presign")
  url = check_url(url, "scheme:presign")
  opts = check.options(opts, { expires = expires_mismatch, method = "string", time = time_mismatch, headers = "table",
    body = text_mismatch }, "scheme:presign") or {}
  local target, stamp = canonical.target(url), stamp_of(opts.time or time())
  local fields = canonical.fields(opts.headers or {})
  fields.host = fields.host or target.host
  local lines, names = canonical.headers(fields)
  local query = parameters(state, stamp, opts.expires or 3600, names)
  if target.query ~= "" then query = target.query .. "&" .. query end
  local given = fields["x-amz-content-sha256"] or state.is_s3 and UNSIGNED or nil
  local digest = digest_of(state, secret.reveal(opts.body), not opts.body and given or nil)
  local request = canonical.request((opts.method or "GET"):upper(), canonical.path(target.path, state),
    canonical.query(query), lines, names, digest)
  return ("%s%s?%s&X-Amz-Signature=%s"):format(target.base, target.path, query, signature(state, stamp, request))
end

---Signs requests for AWS, and for what understands its Signature Version 4: each attempt anew. The headers that
---are sent are signed, but for those that may change on the way. When the server's clock is another one, a
---refused request is signed once more by it.
---@param opts lurcher.AwsSigV4Options
---@return lurcher.AwsSigV4
return function(opts)
  check.argument(opts, "table", 1, "http.aws_sigv4")
  check.options(opts, KNOWN, "http.aws_sigv4")
  for _, name in ipairs { "access_key", "secret_key", "region", "service" } do
    if opts[name] == nil then errors.raise(("http.aws_sigv4: option '%s' is missing"):format(name)) end
  end
  local state = { normalize = opts.normalize ~= false, region = credential(opts.region, "the region"),
    service = credential(opts.service, "the service"), offsets = cache.new(MAX_ORIGINS) }
  state.access_key = credential(opts.access_key, "the access key")
  state.secret_key = credential(opts.secret_key, "the secret key")
  state.is_s3 = state.service:find("^s3") ~= nil
  if opts.session_token then
    credential(opts.session_token, "the session token")
    state.session_token = opts.session_token
    state.marked_token = secret.new(secret.reveal(opts.session_token))
  end
  state.holds = { opts.access_key, opts.secret_key } -- marked secrets stay known as long as the scheme
  local self = AwsSigV4.new(opts)
  states[self] = state
  return self
end
