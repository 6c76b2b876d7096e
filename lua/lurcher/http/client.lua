--- Clients: a pool, limits, cookies and defaults, and the chain of layers that requests go down unless none of them
--- has anything to do.
--- See layer/chain.lua. What few scripts need is loaded when the first one does.

local lazy = require "lurcher.base.lazy"
local jar_class = require "lurcher.http.cookies.jar_class"
local native = require "lurcher.native.http"
local native_log = require "lurcher.native.log"
local new_store = require("lurcher.task.script").store
local observe = require "lurcher.http.observe"
local options = require "lurcher.http.options"
local overlay = require("lurcher.base.tables").overlay
local plain_calls = require "lurcher.http.plain"
local settings = require "lurcher.http.settings"
local request = require "lurcher.http.request"
local response_class = require "lurcher.http.response_class"
local retry_budget = require "lurcher.http.retry_budget"
local transport = require "lurcher.http.layer.transport"

local check = lazy "lurcher.base.check"
local errors = lazy "lurcher.base.errors"
local redact = lazy "lurcher.base.redact"
local scopes = lazy "lurcher.task.scope"
local secret = lazy "lurcher.base.secret"
local stream = lazy "lurcher.http.stream"
local strict = lazy "lurcher.base.strict"

if native_log.tracing() then observe.add(require "lurcher.report.trace") end
if native_log.recording() then observe.add(require "lurcher.report.recorder") end

local request_address, direct = request.address, transport.direct

plain_calls.active = false -- clients may be told what plain calls know nothing of: a mock, a cassette

---@alias lurcher.ClientVerb
---| fun(self: lurcher.Client, url: string, opts?: lurcher.RequestOptions): lurcher.Response?, lurcher.Error?

---@class lurcher.Client
---@field cookies lurcher.CookieJar|false
---@field get lurcher.ClientVerb
---@field head lurcher.ClientVerb
---@field post lurcher.ClientVerb
---@field put lurcher.ClientVerb
---@field patch lurcher.ClientVerb
---@field delete lurcher.ClientVerb
---@field options lurcher.ClientVerb
local Client = { __name = "lurcher.Client" }
Client.__index = Client

-- Names of other libraries, and what does their work.
local ELSEWHERE = { session = "the client itself", mount = "http.client { … }", send = "client:request(method, url)",
  fetch = "client:get(url)", del = "client:delete(url)", defaults = "client:extend { … }",
  create = "client:extend { … }" }

-- A misspelt method, or an option that is looked for in the client, would be nil.
setmetatable(Client, { __index = function(_, name)
  if strict.is_name(name) then strict.refuse("a client has no field", name, Client, ELSEWHERE) end
end })

-- A session of other libraries takes its options so; here that would change nothing.
function Client.__newindex(_, name)
  local known = options.is_client_option(name)
  if known then
    errors.raise(("a client does not change: give '%s' to http.client { … }, or to client:extend { … }"):format(name))
  end
  strict.refuse("a client does not change, and has no option", name, options.client_options())
end

local client = {}

local function curl_command()
  return require "lurcher.convert.curl_command"
end

---The curl command that makes the request of a response's call: see response.lua.
---@param self lurcher.Response
---@param how? { secrets?: boolean }
---@return string? command
function client.curl(self, how)
  local call = rawget(self, "call")
  if not call then return nil end
  if call == plain_calls.settings then call = client.default().settings end
  if not request.is(call) then call = request.of_settings(self.method, secret.reveal(self.url), call) end
  return curl_command().of_call(call, how, "res:curl")
end

response_class.curl = client.curl

local function new_chain(self, functions)
  return require("lurcher.http.layer.chain").new(self, functions)
end

-- Has what came of a call know the call, for `curl`.
local function note_call(req, ...)
  local res, err = ...
  if response_class.is(res) then
    res.call = req
  elseif res == nil and errors.is_error(err) then
    errors.note_call(err, function(how, what) return curl_command().of_call(req, how, what) end)
  end
  return ...
end

-- Sends a request down the layers. Without middleware they are put together by the first that has to go there.
local function run(req)
  local self = req.client
  self.chain = self.chain or new_chain(self)
  return note_call(req, self.chain(req))
end

-- Whether requests may go past the layers.
local function set_direct(self)
  self.direct = not (self.chain or next(self.hooks) or self.settings.auth or self.settings.transport)
end

-- The clients of the running script. every: all there are. shared: those that were made without being asked for, and
-- follow what is installed. cassettes: those that are under every client, the latest last; *_before: what was there
-- before the first.
local kept = new_store()

local function clients()
  local state = kept()
  local own = state.clients
  if not own then
    own = { every = setmetatable({}, { __mode = "k" }), shared = {}, cassettes = {}, under_before = {},
      installed_before = false }
    state.clients = own
  end
  return own
end

local function assemble(merged, pool, budget, jar, breakers)
  local self = setmetatable({
    pool = pool, budget = budget, cookies = jar, breakers = breakers, hooks = merged.hooks or {},
    base_url = merged.base_url or false,
    base = merged.base_url and request.base(merged.base_url) or false, settings = settings.new(merged),
    last_url = false, last_address = false, direct = false, chain = false, raises = merged.raise or false,
  }, Client)
  local functions = merged.middleware
  if functions and functions[1] then self.chain = new_chain(self, functions) end
  set_direct(self)
  clients().every[self] = true
  return self
end

local function new_breakers(merged, pool)
  return merged.breaker and require("lurcher.http.layer.breaker").new(merged.breaker, pool) or false
end

-- The jar that the option `cookies` asks for; nil and an error when its file cannot be read.
local function new_jar(wanted)
  if wanted == false then return false end
  local jar = jar_class.new()
  if type(wanted) ~= "string" then return jar end
  return require("lurcher.http.cookies.file").attach(jar, wanted)
end

-- given_pool: one to go on with.
local function create(opts, given_pool)
  local merged = options.merge({}, options.check_client(opts, "http.client"))
  local jar, err = new_jar(merged.cookies)
  if jar == nil then return nil, err end
  local limits = overlay(options.DEFAULT.limits, merged.limits)
  if limits.idle_timeout == 0 then limits.idle = 0 end
  limits.limiter = limits.limiter and limits.limiter.native or nil
  local pool = given_pool or native.pool(limits)
  return assemble(merged, pool, retry_budget.new(), jar, new_breakers(merged, pool))
end

---Makes a client.
---@param opts lurcher.ClientOptions?
---@return lurcher.Client client
---@return lurcher.Error? err kind "file": the option `cookies` names a file that cannot be read
function client.new(opts)
  return create(opts)
end

---A client with changed defaults that shares the pool, the limits, the cookies and the circuit breakers.
---@param opts lurcher.ClientOptions?
---@return lurcher.Client client
---@return lurcher.Error? err kind "file"
function Client:extend(opts)
  check.method(self, Client, "client:extend")
  opts = options.check_client(opts, "client:extend")
  if opts.limits then errors.raise("client:extend: 'limits' belong to the pool, which is shared") end
  local jar, err = self.cookies
  if opts.cookies == false or type(opts.cookies) == "string" or opts.cookies and not jar then
    jar, err = new_jar(opts.cookies)
    if jar == nil then return nil, err end
  end
  local merged = options.merge(self.settings.options, opts)
  local breakers = opts.breaker == nil and self.breakers or new_breakers(merged, self.pool)
  return assemble(merged, self.pool, self.budget, jar, breakers)
end

---@param value any
---@return boolean
function client.is(value)
  return type(value) == "table" and getmetatable(value) == Client
end

-- The response, when its status is what the call expects. A stream is expected to be no error: its reader
-- would take the error's text for data.
local function expected(req, res)
  local wanted = req.options and req.options.expect
  if rawget(res, "stream") then return stream.expect(res, wanted) end
  if wanted then return res:expect(wanted) end
  return res
end

-- What the iterator of a body returned beside nil.
local function returned_by_body(req)
  local content = req and req.body
  return type(content) == "table" and content.failure or nil
end

local MAX_KEPT_BODY = 128 * 1024 -- as in kept_call.lua, which is loaded for larger ones

-- The end of each call that is not plain: expectations and the hooks for errors.
local function finish(self, req, res, err)
  local failure = not res and returned_by_body(req)
  if failure then err = failure[1] end
  local content = res and req.body
  if content and (type(content) ~= "string" or #content > MAX_KEPT_BODY) then
    require("lurcher.http.kept_call").lighten(res)
  end
  if res then res, err = expected(req, res) end
  if res then return res end
  if self.hooks.error then require("lurcher.http.layer.middleware").fire(self.hooks.error, err) end
  return nil, err
end

-- True if every layer would pass a first attempt on unchanged. Auth is checked by the caller, per request.
local function idle_layers(self)
  return self.direct and not observe.enabled and not (self.cookies and self.cookies.count > 0)
end

-- The breaker of an address if it is closed with no failures; false: the client has none; nil: the breaker
-- has to decide.
local function ready_breaker(self, address)
  local breakers = self.breakers
  if not breakers then return false end
  local one = breakers:of(address)
  return one.fast and one or nil
end

-- A call that tells how far it is. A stream goes on to tell while it is read.
local function metered(self, req, opts)
  req.meter = require("lurcher.http.meter").new(opts.progress, req.body and req.body ~= "" and true or false)
  local res, err = req.meter[req.stream and "beside_opening" or "beside"](req.meter, run, req)
  if res and rawget(res, "stream") then
    res.meter = req.meter
  else
    req.meter:finish()
  end
  return finish(self, req, res, err)
end

-- A call with options. Apart from the plain one, which must be short.
local function call(self, method, url, opts, what)
  local req, err = request.new(self, method, url, opts, what)
  self.budget:note_call()
  if not req then return finish(self, nil, nil, err) end
  if opts.progress then return metered(self, req, opts) end
  local is_simple = not (req.auth or req.stream or req.settings.proxies or type(req.body) == "table")
  if is_simple and idle_layers(self) and req.fragment == "" then
    local ready = ready_breaker(self, req.url)
    if ready ~= nil then
      local res, early_result = direct(self, req.settings, ready, method, req.url, req:wire(), req.body or nil,
        req.expect_continue, req)
      if res then return finish(self, req, res) end
      req.early_result = early_result
    end
  end
  return finish(self, req, run(req))
end

-- A call without options that the layers have to see.
local function layered(self, method, url, early_result)
  local req, err = request.plain(self, method, url, early_result)
  if not req then return finish(self, nil, nil, err) end
  if self.hooks.error then return finish(self, req, run(req)) end
  return run(req)
end

-- A call without options: the request is made only if the layers have to see it.
local function plain(self, method, url)
  local own, early_result = self.settings, nil
  self.budget:note_call()
  if idle_layers(self) and not own.proxies then
    local address = request_address(self, method, url)
    local ready
    if address then ready = ready_breaker(self, address) end
    if ready ~= nil then
      local res, unfinished = direct(self, own, ready, method, address, own.wire)
      if res then return res end
      early_result = unfinished
    end
  end
  return layered(self, method, url, early_result)
end

-- A call of a client with `raise`: what others return as nil and an error is raised, by the methods of the
-- response as well.
local function call_raising(self, method, url, opts, what)
  if opts == nil or type(opts) == "table" and opts.expect == nil then
    opts = overlay(opts, { expect = "2xx" })
  end
  local res = response_class.raised(call(self, method, url, opts, what))
  res.raises = true
  return res
end

local function check_self(self, what)
  if not client.is(self) then errors.raise(("call it with a colon: client:%s(…)"):format(what)) end
end

local function put_under(self, other)
  self.settings.transport = other
  set_direct(self)
end

-- Puts the latest cassette under the clients of a script, or what was there.
local function put_latest(own)
  local latest = own.cassettes[#own.cassettes]
  settings.kept().installed = latest or own.installed_before
  for self in pairs(own.every) do
    if self.settings.options.transport == nil then
      local before = own.under_before[self]
      put_under(self, latest or before and before[1] or not before and own.installed_before)
    end
  end
end

---Puts a cassette under every client that there is or will be, unless it was told what is under it.
---@param cassette lurcher.Cassette
---@return fun() undo
function client.install_everywhere(cassette)
  local own = clients()
  if not own.cassettes[1] then
    own.installed_before, own.under_before = settings.kept().installed or false, setmetatable({}, { __mode = "k" })
    for self in pairs(own.every) do own.under_before[self] = { self.settings.transport } end
  end
  own.cassettes[#own.cassettes + 1] = cassette
  put_latest(own)
  return function()
    for i, one in ipairs(own.cassettes) do
      if rawequal(one, cassette) then
        table.remove(own.cassettes, i)
        return put_latest(own)
      end
    end
  end
end

---A client behind functions of a module.
---@param opts? table
---@param pool? userdata
---@return lurcher.Client
function client.shared(opts, pool)
  local self, shared = response_class.raised(create(opts, pool)), clients().shared
  shared[#shared + 1] = self
  return self
end

local default -- of all scripts

---The client behind http.get and the like, made when it is first used: a script with clients of its own pays nothing.
---It goes on with the connections of the calls that needed no client, unless those may be another script's.
---@return lurcher.Client
function client.default()
  if default then return default end
  local state, is_everyones, is_alone = kept()
  if state.default then return state.default end
  local pool, calls = plain_calls.hand_over(is_alone)
  state.default = client.shared(nil, pool)
  state.default.budget:note_call(calls)
  default = is_everyones and state.default or nil
  return state.default
end

---Puts a mock under the clients that will be made, and under those of `client.shared`; false: the network.
---@param mock lurcher.Mock|false
---@return lurcher.Mock|false before
function client.install(mock)
  local state = settings.kept()
  local before = state.installed or false
  state.installed = mock
  for _, self in ipairs(clients().shared) do
    put_under(self, mock)
  end
  return before
end

---The function(client, url, opts) that sends requests of one method.
---@param name string
---@param what string for messages: "client:get"
---@return function
function client.verb(name, what)
  local method = name:upper()
  return function(self, url, opts)
    if getmetatable(self) ~= Client then check_self(self, name) end
    if self.raises then return call_raising(self, method, url, opts, what) end
    if opts == nil then return plain(self, method, url) end
    return call(self, method, url, opts, what)
  end
end

for _, name in ipairs(plain_calls.VERBS) do Client[name] = client.verb(name, "client:" .. name) end

---Goes on with a call of the default client from what came of its first attempt.
---@param method string
---@param url string
---@param early_result table
---@return lurcher.Response? res
---@return lurcher.Error? err
function client.go_on(method, url, early_result)
  return layered(client.default(), method, url, early_result)
end

---Sends a request of any method; returns nil and an error whether the client raises or not.
---@param self lurcher.Client
---@param method string
---@param url string
---@param opts? table
---@param what string for messages
---@return lurcher.Response? res
---@return lurcher.Error? err
function client.request(self, method, url, opts, what)
  method = request.method(method)
  if opts == nil then return plain(self, method, url) end
  return call(self, method, url, opts, what)
end

---@param method string
---@param url string
---@param opts? lurcher.RequestOptions
---@return lurcher.Response? res
---@return lurcher.Error? err
function Client:request(method, url, opts)
  check_self(self, "request")
  if self.raises then return call_raising(self, request.method(method), url, opts, "client:request") end
  return client.request(self, method, url, opts, "client:request")
end

-- What a function returned; true when that is nothing.
local function results_or_true(...)
  if select("#", ...) <= 1 and (...) == nil then return true end
  return ...
end

-- Calls fn(res) and closes the response however it ends.
local function read_with(res, fn)
  return results_or_true(scopes.scope(function(scope)
    scope:defer(function() res:close() end)
    return fn(res)
  end))
end

---Returns when the headers are there. With `fn`: calls fn(res), closes the response however fn ends, and
---returns what fn returned, or true.
---@param method string
---@param url string
---@param opts? lurcher.RequestOptions
---@param fn? fun(res: lurcher.Response): ...
function Client:stream(method, url, opts, fn)
  check_self(self, "stream")
  if fn == nil and type(opts) == "function" then opts, fn = nil, opts end
  check.argument(fn, "callable|nil", 4, "client:stream")
  method = request.method(method)
  if opts ~= nil then check.argument(opts, "table", 3, "client:stream") end
  local send = self.raises and call_raising or call
  local res, err = send(self, method, url, overlay(opts, { stream = true }), "client:stream")
  if not res then return nil, err end
  if not fn then return res end
  if self.raises then return response_class.raised(read_with(res, fn)) end
  return read_with(res, fn)
end

-- Fetches a file; returns nil and an error whether the client raises or not.
local function fetch(self, url, path, opts, what)
  local request_options, job = require("lurcher.http.download").prepare(self, path, opts, what)
  local req, err = request.new(self, "GET", url, request_options, what)
  self.budget:note_call()
  if not req then return finish(self, nil, nil, err) end
  req.download = job
  return job:run(req, function() return finish(self, req, run(req)) end)
end

---Fetches a file: written below Lua to `path..".part"`, and renamed when it is complete. Goes on with what an
---earlier run left, where the server still has the same file.
---@param self lurcher.Client
---@param url string
---@param path string a file; a folder when it ends with "/": the name is the server's
---@param opts? lurcher.DownloadOptions
---@param what string for messages
---@return lurcher.Download? result
---@return lurcher.Error? err
function client.download(self, url, path, opts, what)
  if self.raises then return response_class.raised(fetch(self, url, path, opts, what)) end
  return fetch(self, url, path, opts, what)
end

---@param url string
---@param path string
---@param opts? lurcher.DownloadOptions
---@return lurcher.Download? result
---@return lurcher.Error? err
function Client:download(url, path, opts)
  check_self(self, "download")
  return client.download(self, url, path, opts, "client:download")
end

---The circuit breaker of a URL's origin; nil when the client has none.
---@param url? string default: base_url
---@return lurcher.Breaker?
function Client:breaker(url)
  check_self(self, "breaker")
  if url == nil then url = self.base_url or nil end
  url = secret.reveal(url)
  check.argument(url, "string", 2, "client:breaker")
  local address, err = request.canonical(self, url)
  if not address then errors.raise("client:breaker: " .. tostring(err)) end
  return self.breakers and self.breakers:of(address) or nil
end

---Requests in flight, waiting, connections, …: see the README. With a URL, those of its origin.
---@param url? string
---@return table? stats
---@return lurcher.Error? err kind "url"
function Client:stats(url)
  check_self(self, "stats")
  if url == nil then return self.pool:stats() end
  local address, err = request.canonical(self, url)
  if not address then return nil, err end
  return self.pool:flow(address)
end

---A URL below `base_url`; an absolute one is left alone.
---@package
---@param url string
---@return string
function Client:resolve(url)
  return self.base and request.below(self.base, url) or url
end

---The encoded parameters that a request sends.
---@package
---@param own? table|false parameters of the request; false: none at all, not even the client's
---@return string
function Client:params(own)
  if own == nil then return self.settings.query end
  return settings.query_with(self.settings, own)
end

---The names, in lower case, of headers that do not leave their origin.
---@package
---@return table<string, true>
function Client:credential_headers()
  return self.settings.dropped
end

---Whether a redirect or link from https to http is followed.
---@package
---@return boolean
function Client:allows_downgrade()
  return self.settings.allow_downgrade
end

---Ends what runs and waits (kind "canceled") and closes the connections. Later requests fail the same ready. The
---cookies go into their file, if they have one.
---@return true? ok
---@return lurcher.Error? err kind "file"
function Client:close()
  check_self(self, "close")
  self.pool:close()
  local jar = self.cookies
  if not (jar and jar.path) then return true end
  return jar:save(jar.path)
end

function Client:__tostring()
  return "lurcher.Client" .. (self.base_url and " of " .. redact.url(self.base_url) or "")
end

return client
