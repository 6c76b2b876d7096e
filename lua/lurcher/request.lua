--- Requests: what travels down the layers. Built from method, URL and options here, once per call; a redirect
--- makes a changed copy.

local auth = require "lurcher.auth"
local check = require "lurcher.check"
local errors = require "lurcher.errors"
local headers = require "lurcher.headers"
local json = require "lurcher.json"
local native = require "lurcher.native.http"
local options = require "lurcher.options"
local plan = require "lurcher.plan"
local query = require "lurcher.query"
local random = require "lurcher.random"
local redact = require "lurcher.redact"
local secret = require "lurcher.secret"
local url_native = require "lurcher.native.url"

local find, raise, now, normalize = string.find, errors.raise, native.now, url_native.normalize

local request = {}

---@class lurcher.Request
---@field method string
---@field url string absolute, without userinfo and fragment
---@field headers? lurcher.Headers there when a middleware, an auth function or a hook sees the request
---@field body string|false
---@field attempts integer 1 and the repetitions so far
---@field stream boolean the body is not gathered
local Request = { __name = "lurcher.Request" }

-- Methods, and what stands for fields that a request does not have.
local defaults = { body = false, fragment = "", content_type = false, cookie = false, authorization = false,
  deadline = false, stream = false, retryable = false, expect_continue = false, options = false }
Request.__index = defaults

function Request:__tostring()
  return self.method .. " " .. redact.url(self.url)
end

---@param value any
---@return boolean
function request.is(value)
  return type(value) == "table" and getmetatable(value) == Request
end

local METHODS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true,
  OPTIONS = true, TRACE = true }

---Checks a method; the usual ones may be given in lower case.
---@param method any
---@return string
function request.method(method)
  if METHODS[method] then return method end
  if type(method) ~= "string" then raise("the method must be a string, got a " .. type(method)) end
  if METHODS[method:upper()] then return method:upper() end
  if method == "" or find(method, "[^%w!#$%%&'*+%-.^_`|~]") then
    raise(("method %s holds characters that may not stand in one"):format(check.shown(method)))
  end
  if method:upper() == "CONNECT" then raise("method CONNECT opens tunnels: it is no request of its own") end
  return method
end

---Puts a relative URL below a base: ("https://h/v1", "items") and ("https://h/v1", "/items") give
---"https://h/v1/items".
---@param base string
---@param relative string
---@return string
function request.below(base, relative)
  if find(relative, "^%a[%w+.-]*://") then return relative end
  local path, base_query = base:match("^([^?#]*)%??([^#]*)")
  local mark = relative:sub(1, 1)
  local result
  if relative == "" or mark == "?" or mark == "#" then
    result = path .. relative
  else
    result = path:gsub("/+$", "") .. "/" .. relative:gsub("^/", "")
  end
  if base_query == "" then return result end
  local before, own, fragment = result:match("^([^?#]*)%??([^#]*)(.*)$")
  return before .. "?" .. base_query .. (own ~= "" and "&" .. own or "") .. fragment
end

local function url_error(method, url, message)
  return errors.new { kind = "url", message = message, method = method, url = redact.url(url), attempts = 0,
    elapsed = 0 }
end

-- The canonical URL, or nil and an error; userinfo and fragment are still in it.
local function absolute(client, method, url, encoded)
  if type(url) ~= "string" then
    url = secret.reveal(url)
    if type(url) ~= "string" then
      raise("the URL must be a string, got " .. (url == nil and "nil" or "a " .. type(url)))
    end
  end
  if client.base_url then
    url = request.below(client.base_url, url)
  elseif not find(url, "^%s*[hH][tT][tT][pP][sS]?:") and not find(url, "://", 1, true) then
    return nil, url_error(method, url,
      "the URL has no scheme (http:// or https://), and the client has no base_url to put it below")
  end
  if encoded ~= "" then url = query.add(url, encoded) end
  local address, message = normalize(url)
  if not address then return nil, url_error(method, url, message) end
  if not find(address, "^https?:") then
    return nil, url_error(method, url, "only http and https URLs can be requested")
  end
  return address
end

-- Takes fragment and userinfo off a canonical URL.
local function split(address)
  local bare, fragment = address:match("^([^#]*)(.*)$")
  local scheme, authority, rest = bare:match("^(%a+://)([^/?]*)(.*)$")
  local userinfo, host = authority:match("^(.*)@([^@]*)$")
  if not userinfo then return bare, fragment end
  local user, password = userinfo:match("^([^:]*):?(.*)$")
  return scheme .. host .. rest, fragment, url_native.decode(user), url_native.decode(password)
end
request.split = split

-- Sets url, fragment and, from userinfo, auth.
local function take_apart(self, address)
  local user, password
  self.url, self.fragment, user, password = split(address)
  if user then self.auth = auth.basic(user, password) end
end

---A request without options: everything about it is in the client's plan already.
---@param client lurcher.Client
---@param method string checked
---@param url string
---@return lurcher.Request? request
---@return lurcher.Error? err
function request.plain(client, method, url)
  local its_plan = client.plan
  local address, err
  if url == client.last_url then
    address = client.last_address
  else
    address, err = absolute(client, method, url, its_plan.query)
    if not address then return nil, err end
  end
  local self = setmetatable({
    method = method, url = address, client = client, plan = its_plan, auth = its_plan.auth, attempts = 1,
    started = now(),
  }, Request)
  if find(address, "[@#]") then
    take_apart(self, address)
  else
    client.last_url, client.last_address = url, address
  end
  return self
end

local function set_body(self, opts)
  if opts.json ~= nil and opts.json ~= false then
    self.body = json.body(opts.json)
    self.content_type = "application/json"
  elseif opts.form then
    self.body = query.encode({ opts.form }, "+", "form field")
    self.content_type = "application/x-www-form-urlencoded"
  elseif opts.body then
    self.body = secret.reveal(opts.body)
  end
  if self.plan.has_content_type then self.content_type = nil end
end

local function set_auth(self, opts)
  if opts.auth ~= nil then self.auth = self.plan.auth end
  -- The nearer one counts: a request's auth over the client's Authorization header, and the other way round.
  if self.auth and self.plan.has_authorization then
    if opts.auth and not (opts.headers and headers.given(opts.headers, "authorization")) then
      self.headers = headers.new(self.plan.header_list)
      self.headers["Authorization"] = nil
    else
      self.auth = false
    end
  end
end

---A request with options.
---@param client lurcher.Client
---@param method string checked
---@param url string
---@param opts table
---@param what string the public function's name, for messages
---@return lurcher.Request? request
---@return lurcher.Error? err
function request.new(client, method, url, opts, what)
  local needs_profile = options.check_request(opts, what)
  local its_plan = plan.derive(client.plan, opts, needs_profile)
  local address, err = absolute(client, method, url, its_plan.query)
  if not address then return nil, err end
  local self = setmetatable({
    method = method, url = address, client = client, plan = its_plan, auth = its_plan.auth, attempts = 1,
    started = now(), options = opts, stream = opts.stream or false, retryable = opts.retryable or false,
    expect_continue = opts.expect_continue or false,
  }, Request)
  if find(address, "[@#]") then take_apart(self, address) end
  set_auth(self, opts)
  set_body(self, opts)
  local key = opts.idempotency_key
  if key then
    if key == true then key = random.uuid() end
    self.headers = self.headers or headers.new(its_plan.header_list)
    self.headers["Idempotency-Key"] = key
    self.retryable = true
  end
  return self
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
  self.headers = self.headers or headers.new(self.plan.header_list)
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
    self.body = secret.reveal(self.body)
    if type(self.body) ~= "string" then raise("request.body must be a string, got a " .. type(self.body)) end
  end
  local address, err = absolute(self.client, self.method, self.url, "")
  if not address then return nil, err end
  if address ~= self.url then take_apart(self, address) end
  return self
end

---The native header list to send.
---@return userdata
function defaults:wire()
  local content_type, cookie, authorization = self.content_type, self.cookie, self.authorization
  local own = self.headers
  if own then
    return plan.wire(plan.headers_with(headers.flatten(own), content_type, cookie, authorization))
  elseif content_type or cookie or authorization then
    return plan.wire_with(self.plan, content_type, cookie, authorization)
  end
  return self.plan.wire
end

---The Cookie header the script itself gave, or false.
---@return string|false
function defaults:given_cookie()
  if not self.headers then return self.plan.cookie end
  local value = self.headers.cookie
  if type(value) == "table" and not secret.is(value) then return table.concat(value, "; ") end
  return secret.reveal(value) or false
end

---Seconds since the call.
function defaults:elapsed()
  return now() - self.started
end

---Starts the `total` clock of the call, unless it runs: from the dispatch of the first attempt on.
---@param outcome lurcher.Response|lurcher.Error of that attempt
function defaults:start_clock(outcome)
  if not self.deadline and self.plan.total then
    self.deadline = (outcome.dispatched or self.started) + self.plan.total
  end
end

---Tells the client's hooks of that name.
---@param hook string
---@param event table
function defaults:announce(hook, event)
  local list = self.client.hooks[hook]
  for i = 1, list and #list or 0 do list[i](event) end
end

---Removes headers by a set of lower-case names.
---@param names table<string, true>
function defaults:drop_headers(names)
  local own = self.headers or headers.new(self.plan.header_list)
  for name in pairs(names) do
    if own[name] then
      own[name] = nil
      self.headers = own
    end
  end
end

---Removes the body and what describes it.
function defaults:drop_body()
  self.body, self.content_type = nil, nil
  local own, described = self.headers or headers.new(self.plan.header_list), {}
  for name in pairs(own) do
    if name:find("^content%-") then described[name] = true end
  end
  self:drop_headers(described)
end

return request
