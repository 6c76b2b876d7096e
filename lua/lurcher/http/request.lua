--- Requests: what travels down the layers. Built from method, URL and options here, once per call; a redirect
--- makes a changed copy.

local lazy = require "lurcher.base.lazy"
local compile_auth = require "lurcher.http.auth.compile"
local headers = require "lurcher.http.headers"
local metrics = require "lurcher.native.metrics"
local native = require "lurcher.native.http"
local observe = require "lurcher.http.observe"
local options = require "lurcher.http.options"
local settings = require "lurcher.http.settings"
local url_native = require "lurcher.native.url"

local check = lazy "lurcher.base.check"
local errors = lazy "lurcher.base.errors"
local json = lazy "lurcher.json"
local redact = lazy "lurcher.base.redact"
local secret = lazy "lurcher.base.secret"

local find, byte, now = string.find, string.byte, native.now
local normalize = url_native.normalize

local function raise(message)
  errors.raise(message)
end

local SLASH, QUESTION_MARK, HASH = byte("/?#", 1, 3)

local request = {}

---@class lurcher.Request
---@field method string
---@field url string absolute, without userinfo and fragment
---@field headers? lurcher.Headers there when a middleware, an auth function or a hook sees the request
---@field body string|lurcher.Body|false
---@field attempts integer 1 and the repetitions so far
---@field stream boolean the body is not gathered
local Request = { __name = "lurcher.Request" }

-- Methods, and what stands for fields that a request does not have.
local defaults = {
  body = false, fragment = "", list = false, content_type = false, cookie = false, authorization = false,
  deadline = false, stream = false, retryable = false, expect_continue = false, options = false,
  early_result = false, earlier = false, holds = 0, url_auth = false, meter = false,
  left_out = false,
  download = false, cookies_as_of = false,
}
Request.__index = defaults

function Request:__tostring()
  return self.method .. " " .. redact.url(self.url)
end

---@param value any
---@return boolean
function request.is(value)
  return type(value) == "table" and getmetatable(value) == Request
end

local LONGEST_METHOD = 23 -- bytes; what the layers below have room for

local METHODS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true,
  OPTIONS = true, TRACE = true }

---Checks a method; the usual ones may be given in lower case.
---@param method any
---@return string
function request.method(method)
  if METHODS[method] then return method end
  if type(method) ~= "string" then raise("the method must be a string, got " .. check.shown(method)) end
  if METHODS[method:upper()] then return method:upper() end
  if method == "" or find(method, "[^%w!#$%%&'*+%-.^_`|~]") then
    local hint = find(method, "://", 1, true) and ": the method comes before the URL" or ""
    raise(("method %s holds characters that may not stand in one%s"):format(check.shown(method), hint))
  end
  if #method > LONGEST_METHOD then
    raise(("a method has at most %d bytes, got %s"):format(LONGEST_METHOD, check.shown(method)))
  end
  if method:upper() == "CONNECT" then raise("method CONNECT opens tunnels: it is no request of its own") end
  return method
end

---A base URL, taken apart for `request.below`.
---@param text string
---@return table base prefix (without a slash at the end), query ("" or "a=1")
function request.base(text)
  local path, query_text = text:match("^([^?#]*)%??([^#]*)")
  return { path = path, prefix = path:gsub("/+$", "") .. "/", query = query_text }
end

---Puts a relative URL below a base: "https://h/v1" with "items" or "/items" gives "https://h/v1/items". An
---absolute URL is left alone.
---@param base table
---@param relative string
---@return string
function request.below(base, relative)
  if find(relative, "://", 1, true) and find(relative, "^%a[%w+.-]*://") then return relative end
  local mark, result = byte(relative), base.prefix .. relative
  if mark == SLASH then
    result = base.prefix .. relative:sub(2)
  elseif mark == nil or mark == QUESTION_MARK or mark == HASH then
    result = base.path .. relative
  end
  if base.query == "" then return result end
  local before, own, fragment = result:match("^([^?#]*)%??([^#]*)(.*)$")
  return before .. "?" .. base.query .. (own ~= "" and "&" .. own or "") .. fragment
end

local function url_error(method, url, message)
  return errors.new { kind = "url", message = message, method = method, url = redact.url(url), attempts = 0,
    elapsed = 0 }
end

-- Why a URL cannot be used, as an error.
local function unusable(method, url, message)
  if not find(url, "://", 1, true) and not find(url:lower(), "^%s*https?:") then
    message = "the URL has no scheme (http:// or https://), and the client has no base_url to put it below"
  end
  return nil, url_error(method, url, message or "only http and https URLs can be requested")
end

-- The canonical URL, and whether it can be sent as it is (else userinfo or fragment are still in it). Or nil
-- and an error.
local function absolute(client, method, url, encoded)
  if type(url) ~= "string" then
    url = secret.reveal(url)
    if type(url) ~= "string" then
      raise("the URL must be a string, got " .. (url == nil and "nil" or "a " .. type(url)))
    end
  end
  if client.base then url = request.below(client.base, url) end
  if encoded ~= "" then url = require("lurcher.url.query").add(url, encoded) end
  local address, bare = normalize(url)
  if bare == true then return address, true end
  if not address then return unusable(method, url, bare) end
  if not find(address, "^https?:") then return unusable(method, url) end
  return address, false
end

-- Takes fragment and userinfo off a canonical URL.
local function split(address)
  local bare, fragment = address:match("^([^#]*)(.*)$")
  local scheme, authority, rest = bare:match("^(%a+://)([^/?]*)(.*)$")
  local userinfo, host = authority:match("^(.*)@([^@]*)$")
  if not userinfo then return bare, fragment end
  if userinfo == "" or userinfo == ":" then return scheme .. host .. rest, fragment end -- nobody's
  local user, password = userinfo:match("^([^:]*):?(.*)$")
  return scheme .. host .. rest, fragment, url_native.decode(user), url_native.decode(password)
end
request.split = split

-- Whether userinfo in the URL is not asked: for auth that was given, or that is not wanted.
local function has_own_auth(self)
  local auth = self.auth
  if not auth then return self.options and self.options.auth == false end
  return auth ~= self.url_auth and not (type(auth) == "table" and auth.for_user)
end

-- Sets url, fragment and, from userinfo, auth. Nil and an error when there is no way to send the userinfo.
local function take_apart(self, address)
  local user, password
  self.url, self.fragment, user, password = split(address)
  if not user or has_own_auth(self) then return self end
  if find(user, ":", 1, true) or find(user .. password, "[%z\1-\31\127]") then
    return nil, url_error(self.method, address, "user name or password hold a character that cannot be sent")
  end
  local auth = self.auth
  local asks_file = password == "" and type(auth) == "table" and auth.for_user
  self.auth = asks_file and auth:for_user(user) or require "lurcher.http.auth.basic"(user, password)
  self.url_auth = self.auth
  return self
end

---The canonical URL for a request without options; nil when it is not as simple as that.
---@param client lurcher.Client
---@param method string
---@param url string
---@return string?
function request.address(client, method, url)
  if url == client.last_url then return client.last_address end
  local address, bare = absolute(client, method, url, client.settings.query)
  if not address or not bare then return nil end
  client.last_url, client.last_address = url, address
  return address
end

---The canonical URL, without userinfo and fragment, that a request for `url` would go to; or nil and an
---error.
---@param client lurcher.Client
---@param url string
---@return string?
---@return lurcher.Error?
function request.canonical(client, url)
  local address, err = absolute(client, "GET", url, "")
  if not address then return nil, err end
  return (split(address))
end

-- When a call began whose first attempt is over.
local function began(early_result)
  local info = early_result and (early_result[4] or early_result[3])
  if not info then return now() end
  local times = native.info(info).timings
  return now() - times.queue - times.total
end

---A request without options: everything about it is in the client's settings already.
---@param client lurcher.Client
---@param method string checked
---@param url string
---@param early_result? table what the first attempt has brought already
---@return lurcher.Request? request
---@return lurcher.Error? err
function request.plain(client, method, url, early_result)
  local own = client.settings
  local address, bare = absolute(client, method, url, own.query)
  if not address then return nil, bare end
  local self = setmetatable({
    method = method, url = address, client = client, settings = own, auth = own.auth, attempts = 1,
    started = began(early_result), early_result = early_result,
  }, Request)
  if bare then return self end
  return take_apart(self, address)
end

---The request of a call that had no options, from what it left.
---@param method string
---@param address string canonical
---@param own table settings
---@return lurcher.Request
function request.of_settings(method, address, own)
  return setmetatable({ method = method, url = (split(address)), settings = own, auth = own.auth }, Request)
end

-- True when the script wants no header of that name: it is there, as false.
local function is_removed(given, name)
  for key, value in pairs(given or {}) do
    if value == false and key:lower() == name then return true end
  end
  return false
end

-- A body that is not a string; the modules for it are loaded by the first script that has one.
local function long_body(value)
  return require("lurcher.http.body").of(value)
end

-- Encodes the option `multipart`; the Content-Type goes with it.
local function set_multipart(self, parts)
  local multipart = require "lurcher.http.multipart"
  local flat = self:flat_headers()
  local given = headers.find(flat, "content-type")
  local content_type, boundary = multipart.content_type(secret.reveal(given))
  self.body = multipart.new(parts, boundary)
  if given and given ~= content_type then self.list = headers.merge(flat, { ["Content-Type"] = content_type }) end
  return content_type
end

local function set_body(self, opts)
  local content_type
  if opts.json ~= nil and opts.json ~= false then
    self.body = json.body(opts.json)
    content_type = "application/json"
  elseif opts.form then
    self.body = require("lurcher.url.query").encode({ opts.form }, "+", "form field")
    content_type = "application/x-www-form-urlencoded"
  elseif opts.multipart then
    content_type = set_multipart(self, opts.multipart)
  elseif opts.body then
    local value = secret.reveal(opts.body)
    self.body = type(value) == "string" and value or long_body(value)
    content_type = type(value) ~= "string" and self.body.type
  end
  if content_type and not headers.find(self:flat_headers(), "content-type")
    and not is_removed(opts.headers, "content-type") then
    self.content_type = content_type
  end
end

-- The nearer one counts: a request's auth over the client's Authorization header, a header over auth
-- otherwise.
local function set_auth(self, opts)
  if not self.auth or not headers.find(self:flat_headers(), "authorization") then return end
  local own = opts.headers and headers.find(headers.merge({}, opts.headers), "authorization")
  if opts.auth and not own then
    self:drop_headers { authorization = true }
  else
    self.auth = false
  end
end

---A request with options, whose files nobody has looked at yet.
---@param client lurcher.Client
---@param method string checked
---@param url string
---@param opts table
---@param what string the public function's name, for messages
---@return lurcher.Request? request
---@return lurcher.Error? err
function request.described(client, method, url, opts, what)
  options.check_request(opts, what)
  local own = settings.derive(client.settings, opts)
  local encoded = opts.params == nil and own.query or settings.query_with(own, opts.params)
  local address, bare = absolute(client, method, url, encoded)
  if not address then return nil, bare end
  local key, auth = opts.idempotency_key, own.auth
  if opts.auth ~= nil then auth = compile_auth(opts.auth) end
  local self = setmetatable({
    method = method, url = address, client = client, settings = own, auth = auth, attempts = 1,
    started = now(), options = opts, stream = opts.stream, retryable = opts.retryable or key and true,
    expect_continue = opts.expect_continue,
  }, Request)
  if not bare then
    local whole, err = take_apart(self, address)
    if not whole then return nil, err end
  end
  if opts.headers then self.list = headers.merge(own.header_list, opts.headers) end
  if key then
    if key == true then key = require("lurcher.base.random").uuid() end
    self.list = headers.merge(self:flat_headers(), { ["Idempotency-Key"] = key })
  end
  set_auth(self, opts)
  set_body(self, opts)
  return self
end

---A request with options, to be sent.
---@param client lurcher.Client
---@param method string checked
---@param url string
---@param opts table
---@param what string the public function's name, for messages
---@return lurcher.Request? request
---@return lurcher.Error? err
function request.new(client, method, url, opts, what)
  local self, err = request.described(client, method, url, opts, what)
  if not self then return nil, err end
  return self:prepared()
end

---Looks at the files of the body, if it has any, before anything is sent.
---@return lurcher.Request? self
---@return lurcher.Error? err kind "file"
function defaults:prepared()
  if type(self.body) ~= "table" then return self end
  local ok, err = self.body:prepare()
  if ok then return self end
  err.method, err.url, err.attempts, err.elapsed = self.method, redact.url(self.url), 0, self:elapsed()
  return nil, err
end

---Whether the body can be sent again, once some of it was sent.
---@return boolean
function defaults:has_repeatable_body()
  local content = self.body
  return type(content) ~= "table" or not content.begun
end

---A copy for the next hop or attempt, with headers of its own.
---@return lurcher.Request
function defaults:copy()
  local copy = setmetatable({}, Request)
  for key, value in pairs(self) do copy[key] = value end
  if self.headers then copy.headers = headers.copy(self.headers) end
  return copy
end

---Makes the request fit for the eyes of scripts: gives it its headers and its options.
---@return lurcher.Request self
function defaults:expose()
  self.headers = self.headers or headers.new(self:flat_headers())
  if self.content_type and not self.headers["Content-Type"] then
    self.headers["Content-Type"] = self.content_type
  end
  self.content_type = nil
  for name, value in pairs(self.options or {}) do
    if self[name] == nil then self[name] = value end
  end
  return self
end

---Checks what a script may have changed in a request, before it goes on.
---@return lurcher.Request? self
---@return lurcher.Error? err
function defaults:recheck()
  self.method = request.method(self.method)
  if self.body and type(self.body) ~= "string" then
    local content = long_body(self.body)
    if not content then
      raise("request.body must be a string, http.file(path) or an iterator, got a " .. type(self.body))
    end
    self.body = content
    local ok, err = self:prepared()
    if not ok then return nil, err end
  end
  local address, bare = absolute(self.client, self.method, self.url, "")
  if not address then return nil, bare end
  if bare == true and address == self.url then return self end
  return take_apart(self, address)
end

---The headers as a flat list, without those that come with a body or from the jar, and without `auth`.
---@return table
function defaults:flat_headers()
  local flat = self.headers and headers.flatten(self.headers) or self.list
  if not flat then return self.settings.header_list end
  return settings.without_default_coding(self.settings, flat, self.options and self.options.headers)
end

---The native header list to send.
---@param proxy? string|boolean see settings.wire_of
---@return userdata
function defaults:wire(proxy)
  local content_type, cookie, authorization = self.content_type, self.cookie, self.authorization
  if self.headers or self.list then
    return settings.wire_of(self:flat_headers(), content_type, cookie, authorization, proxy)
  elseif content_type or cookie or authorization or proxy ~= nil then
    return settings.wire_with(self.settings, content_type, cookie, authorization, proxy)
  end
  return self.settings.wire
end

---The Cookie header the script itself gave, or false.
---@return string|false
function defaults:given_cookie()
  if not (self.headers or self.list) then return self.settings.cookie end
  return settings.cookie_of(self:flat_headers())
end

---Seconds since the call.
function defaults:elapsed()
  return now() - self.started
end

---Starts the `total` clock of the call, unless it runs: from the dispatch of the first attempt on.
---@param result lurcher.Response|lurcher.Error of that attempt
function defaults:start_clock(result)
  if not self.deadline and self.settings.total then
    self.deadline = (result.dispatched or self.started) + self.settings.total
  end
end

---Tells what a layer decided: the client's hooks of that name, the observers and the metrics.
---@param what string
---@param event table `wait`: seconds from now on, which the request itself waits at a "retry"; `waited`:
---  seconds it has waited until now
function defaults:announce(what, event)
  local seconds = event.waited or what == "retry" and event.wait or 0
  metrics.event(self.url, self.settings.name or nil, what, seconds)
  if observe.enabled then observe.event(self, what, event) end
  local list = self.client.hooks[what]
  for i = 1, list and #list or 0 do list[i](event) end
end

---Sets headers of a copy.
---@param given table<string, string>
function defaults:set_headers(given)
  if self.headers then
    for name, value in pairs(given) do self.headers[name] = value end
  else
    self.list = headers.merge(self:flat_headers(), given)
  end
end

---Removes headers by a set of lower-case names.
---@param names table<string, true>
function defaults:drop_headers(names)
  local flat, kept = self:flat_headers(), {}
  for i = 1, #flat, 2 do
    if not names[flat[i]:lower()] then kept[#kept + 1], kept[#kept + 2] = flat[i], flat[i + 1] end
  end
  if #kept == #flat then return end
  if self.headers then self.headers = headers.new(kept) else self.list = kept end
end

---Removes the body and what describes it.
function defaults:drop_body()
  self.body, self.content_type = nil, nil
  local flat, described = self:flat_headers(), {}
  for i = 1, #flat, 2 do
    local key = flat[i]:lower()
    described[key] = key:find("^content%-") and true or nil
  end
  self:drop_headers(described)
end

return request
