local http = require "lurcher.http"
local server = require "lurcher.server"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local start, connect = serving.start, serving.connect

local function get(s, target, method)
  local client = connect(s)
  return client:request(("%s %s HTTP/1.1\r\nHost: a\r\n\r\n"):format(method or "GET", target))
end

describe("routes", function()
  it("hand the parts of the path to the handler, decoded", function()
    local function shown(req)
      local list = {}
      for name, value in pairs(req.params) do list[#list + 1] = name .. "=" .. value end
      table.sort(list)
      return table.concat(list, " ")
    end
    local s = start { routes = {
      ["GET /users/{id}"] = shown, ["/files/{path*}"] = shown, ["GET /{a}/{b}/c"] = shown,
      ["GET /users/me"] = "it is me",
    } }
    for target, expected in pairs {
      ["/users/7"] = "id=7", ["/users/a%2fb%20c?x=1"] = "id=a/b c", ["/users/me"] = "it is me",
      ["/users/m%65"] = "it is me", ["/files/a/b/"] = "path=a/b/", ["/files/"] = "path=", ["/x/y/c"] = "a=x b=y",
    } do
      assert.equal(expected, get(s, target).body, target)
    end
  end)

  it("answer 404 and 405, HEAD by GET, and OPTIONS with what there is", function()
    local s = start { routes = {
      ["GET /x"] = "text", ["PUT /x"] = function() return { status = 201 } end, ["/any"] = "y",
    } }
    assert.equal(404, get(s, "/z").status)
    assert.equal(404, get(s, "/x/").status)
    local refused = get(s, "/x", "DELETE")
    assert.equal(405, refused.status)
    assert.equal("GET, HEAD, PUT", refused.headers.allow)
    assert.equal("GET, HEAD, PUT, OPTIONS", get(s, "/x", "OPTIONS").headers.allow)
    assert.equal(201, get(s, "/x", "PUT").status)
    assert.equal(200, get(s, "/any", "PATCH").status)
    local client = connect(s)
    client:send "HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    assert.truthy(client:receive_all():find "Content%-Length: 4\r\n.*\r\n\r\n$")
  end)

  it("take responses as they are, and are a handler like others", function()
    local s = start(server.routes { ["GET /j"] = { json = { id = 7 }, headers = { ["X-A"] = "b" } } })
    for _ = 1, 2 do
      local res = get(s, "/j")
      assert.equal('{"id":7}', res.body)
      assert.equal("application/json", res.headers["content-type"])
      assert.equal("b", res.headers["x-a"])
    end
  end)

  it("are checked when they are given", function()
    for message, given in pairs {
      ["is not written"] = { ["GET x"] = "" }, ["goes on behind {rest%*}"] = { ["/{rest*}/x"] = "" },
      ["neither text nor a {name}"] = { ["/a{b}"] = "" }, ["needs a handler or a response, got"] = { ["/"] = 7 },
      ["unknown response field 'bdy'"] = { ["/"] = { bdy = 1 } }, ["routes are given by name"] = { "x" },
    } do
      assert.error_matches(function() server.routes(given) end, message)
    end
    assert.error_matches(function() server.start(print, { routes = {} }) end, "exclude each other")
  end)
end)

describe("the method of a route", function()
  it("HEAD goes before GET, and the usual ones may be in lower case", function()
    local s = start { routes = { ["GET /a"] = "got", ["HEAD /a"] = { headers = { X = "head" } }, ["post /a"] = "posted",
      ["purge /a"] = "purged" } }
    assert.equal("head", http.head(s.url .. "/a").headers.x)
    assert.equal("got", http.get(s.url .. "/a").body)
    assert.equal("posted", http.post(s.url .. "/a").body)
    assert.equal(405, http.request("PURGE", s.url .. "/a").status)
  end)
end)

describe("a response", function()
  it("of events is what an event source reads", function()
    local sse = require "lurcher.sse"
    local s = start(function(req)
      if req.headers["last-event-id"] then return { status = 204 } end
      return { events = { "one\ntwo", { event = "paid", data = { id = 7 }, id = "a" }, { retry = 0, data = "" } } }
    end)
    local seen = {}
    for event in sse.connect(http, s.url) do seen[#seen + 1] = event.event .. ":" .. event.data end
    assert.same({ "message:one\ntwo", 'paid:{"id":7}', "message:" }, seen)
  end)

  it("of events says in seconds when to come back", function()
    local s = start(function() return { events = { { retry = 1.5, data = "a" } } } end)
    for event in assert(http.get(s.url, { stream = true })):events() do assert.equal(1.5, event.retry) end
  end)

  it("cannot bring lines of its own by an event's name", function()
    local s = start(function() return { events = { { event = "a\ndata: b" } } } end)
    local client = connect(s)
    client:send(serving.GET)
    assert.is_nil(client:receive_all():find("data", 1, true))
    assert.truthy(tostring(s:errors()[1]):find("an event's event is one line", 1, true))
  end)

  it("waits for its delay, or for the server's", function()
    require("lurcher.clock").virtual(function()
      local s = start(function(req) return { delay = req.path == "/slow" and 20 or nil } end, { delay = 5 })
      for path, seconds in pairs { ["/slow"] = 20, ["/"] = 5 } do
        local before = task.now()
        assert(http.get(s.url .. path))
        assert.is_true(task.now() - before >= seconds and task.now() - before < seconds + 1)
      end
      s:stop(0)
    end)
  end)

  it("may be read by pages of any origin, with `cors`", function()
    local s = start(function() return { headers = { Vary = "Accept" } } end, { cors = true })
    local client = connect(s)
    local asked = client:request("OPTIONS /x HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n" ..
      "Access-Control-Request-Method: PUT\r\nAccess-Control-Request-Headers: x-a\r\n\r\n")
    assert.equal(204, asked.status)
    assert.equal("http://b", asked.headers["access-control-allow-origin"])
    assert.equal("PUT", asked.headers["access-control-allow-methods"])
    assert.equal("x-a", asked.headers["access-control-allow-headers"])
    local answered = client:request("GET /x HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n")
    assert.equal("http://b", answered.headers["access-control-allow-origin"])
    assert.is_nil(get(s, "/").headers["access-control-allow-origin"])
  end)

  it("is told to `log` with its request", function()
    local seen = {}
    local s = start(function(req) return { status = req.path == "/no" and 404 or 200 } end,
      { log = function(req) seen[#seen + 1] = req.path .. " " .. req.status end })
    get(s, "/no")
    get(s, "/")
    serving.eventually(function() return #seen == 2 end)
    assert.same({ "/no 404", "/ 200" }, seen)
  end)

  it("is 500 when the handler takes longer than it may", function()
    local cancelled = false
    local s = start(function()
      task.defer(function() cancelled = true end)
      task.sleep(math.huge)
    end, { handler_timeout = 0.01 })
    assert.equal(500, get(s, "/").status)
    assert.is_true(cancelled)
    assert.truthy(tostring(s:errors()[1]):find("took longer than 0.01 s", 1, true))
  end)
end)

describe("a fault", function()
  local BODY = ("x"):rep(100)

  local function failing(fault, opts)
    local s = start(function() return { body = BODY, fault = fault } end)
    local res, err = http.get(s.url, { retry = false, timeout = opts })
    return res, err, s
  end

  it("is what the client sees", function()
    for fault, expected in pairs { reset = "closed", truncate = "truncated", garbage = "protocol" } do
      local res, err = failing(fault)
      assert.is_nil(res, fault)
      assert.equal(expected, err.kind, fault)
    end
    local res, err = failing("stall", { read = 0.05 })
    assert.is_nil(res)
    assert.equal("timeout", err.kind)
    assert.equal("read", err.phase)
  end)

  it("'slow' sends all of it, with pauses", function()
    require("lurcher.clock").virtual(function()
      local before = task.now()
      local res, _, s = failing "slow"
      assert.equal(BODY, res.body)
      assert.is_true(task.now() - before >= 0.9)
      s:stop(0)
    end)
  end)

  it("is the server's for all responses but those that say `false`", function()
    local s = start(function(req)
      if req.path == "/ok" then return { body = BODY, fault = false } end
      return BODY
    end, { fault = "truncate" })
    assert.equal(BODY, assert(http.get(s.url .. "/ok")).body)
    local _, err = http.get(s.url, { retry = false })
    assert.equal("truncated", err.kind)
    assert.error_matches(function() server.start { fault = "stal" } end, "did you mean 'stall'")
  end)

  it("of a body in pieces cuts it, and does not end it", function()
    local function pieces()
      local left = 2
      return function()
        left = left - 1
        return left >= 0 and "piece" or nil
      end
    end
    local s = start(function() return { body = pieces(), fault = "truncate" } end)
    local client = connect(s)
    client:send(serving.GET)
    local text = client:receive_all()
    assert.truthy(text:find "chunked.*\r\n\r\n5\r\npi$")
  end)

  it("'stall' does not keep a server that stops", function()
    local _, _, s = failing("stall", { read = 0.01 })
    s:stop(60)
    assert.equal(1, s:connections())
  end)
end)
