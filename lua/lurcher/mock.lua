--- Mocks: what a client's requests are answered in place of servers. Below retries, redirects, cookies, authentication,
--- middleware, limits and time limits, so all of them really run; in virtual time, too.
---
---   local m = mock.new()
---   m:on("GET", "https://api.test/users/{id}"):reply(function(req) return 200, { id = req.captures.id } end):persist()
---   local api = http.client { transport = m }

local check = require "lurcher.base.check"
local client = require "lurcher.http.client"
local entry = require "lurcher.mock.entry"
local errors = require "lurcher.base.errors"
local matching = require "lurcher.mock.matching"
local native = require "lurcher.native.url"
local scopes = require "lurcher.task.scope"
local secret = require "lurcher.base.secret"
local transport = require "lurcher.mock.transport"

local mock = {}

---@class lurcher.Mock
local Mock = {}
Mock.__index = Mock
Mock.__name = "lurcher.Mock"

-- What lurcher.http asks of whatever answers in place of servers.
Mock.passes, Mock.exchange, Mock.websocket = transport.passes, transport.exchange, transport.websocket

---@return lurcher.Mock
function mock.new()
  return setmetatable({ entries = {}, origins = {}, received = {}, unexpected = {} }, Mock)
end

---A mock that answers as a cassette recorded it, and refuses the rest. An entry answers again and again, after those
---that are the same. What `on` adds goes first.
---@param path string
---@return lurcher.Mock? mock
---@return lurcher.Error? err kind "file"
function mock.from_cassette(path)
  check.argument(path, "string", 1, "mock.from_cassette")
  local source, err = require("lurcher.cassette.source").open(path)
  if not source then return nil, err end
  local self = mock.new()
  self.source = source
  return self
end

---A mock of the server that an OpenAPI document describes: examples and schemas answer. What the document does not know
---is refused: paths, methods, parameters, bodies. What `on` adds goes first.
---@param document table|string the document, or its JSON
---@return lurcher.Mock
function mock.from_openapi(document)
  check.argument(document, "table|string", 1, "mock.from_openapi")
  local self = mock.new()
  self.source = require("lurcher.mock.openapi").new(document)
  return self
end

---Adds an entry, which answers once unless it is told otherwise. The first that fits and is not used up answers.
---@param method string "*" for any
---@param url string|fun(req: lurcher.mock.Request): boolean a URL; a path such as "/users/{id}" of any origin; a Lua
---  pattern in ^ and $ for the whole URL; or a function. A query in it has to be as it is, in any order; without one
---  any query fits.
---@param match? { params?: table, headers?: table, body?: string|function, json?: any, form?: table,
---  multipart?: table }|fun(req: lurcher.mock.Request): boolean what else is asked for; more of it may be sent
---@return lurcher.mock.Entry
function Mock:on(method, url, match)
  check.method(self, Mock, "mock:on")
  check.argument(method, "string", 2, "mock:on")
  if method == "" or method:find "[^%w!#$%%&'*+%-.^_`|~]" then
    errors.raise(("mock:on: %s is no method"):format(check.shown(method)))
  end
  check.argument(secret.reveal(url), "string|callable", 3, "mock:on")
  local one = entry.new(method, matching.plain(url), match)
  self.entries[#self.entries + 1] = one
  return one
end

---Lets requests to an origin go to the network.
---@param origin string "https://host" or "http://host:port"
---@return lurcher.Mock
function Mock:pass_through(origin)
  check.method(self, Mock, "mock:pass_through")
  check.argument(origin, "string", 2, "mock:pass_through")
  local whole, message = native.normalize(origin)
  if not whole then errors.raise("mock:pass_through: " .. message) end
  self.origins[native.origin(whole)] = true
  return self
end

---The requests so far, the latest 1,000 of them.
---@return lurcher.mock.Request[]
function Mock:requests()
  check.method(self, Mock, "mock:requests")
  return transport.latest(self.received)
end

-- What is under the clients, and what that was put over.
local top = { mock = false }

-- What was put over something goes; what lies below it and was undone meanwhile goes, too.
local function take_away(own)
  own.is_undone = true
  if top ~= own then return end
  while top.is_undone do top = top.below end
  client.install(top.mock)
end

---Puts it under every client that is made from now on, and under the functions of lurcher.http. Undone at the end of
---the task, or by the function that is returned.
---@return fun() undo
function Mock:install()
  check.method(self, Mock, "mock:install")
  local before = client.install(self)
  if before ~= top.mock then top = { mock = before } end -- somebody else has changed it
  local own = { mock = self, below = top }
  top = own
  local function undo()
    if not own.is_undone then take_away(own) end
  end
  if scopes.current() then scopes.defer(undo) end
  return undo
end

---Whether each entry was used as often as it should be, and nothing else was asked for.
---@return true? ok
---@return lurcher.Error? err kind "mock"
function Mock:verify()
  check.method(self, Mock, "mock:verify")
  local lines = {}
  for _, one in ipairs(self.entries) do
    local missing = one:missing()
    if missing > 0 then
      lines[#lines + 1] = ("%s answered %d times, %d more were expected"):format(tostring(one), one.used, missing)
    end
  end
  for _, line in ipairs(self.source and self.source:missing() or {}) do lines[#lines + 1] = line end
  for _, req in ipairs(self.unexpected) do lines[#lines + 1] = "unexpected: " .. tostring(req) end
  if not lines[1] then return true end
  return nil, errors.new { kind = "mock", message = table.concat(lines, "\n"), retryable = false }
end

return mock
