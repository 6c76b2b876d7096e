-- Requests whose head is larger than what can be sent: too many cookies, long headers, long URLs.

local faults = require "spec.support.faults"
local origin = require "spec.support.origin"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

describe("a request's head that is too large is of kind 'too_large', at once,", function()
  local function too_large(limit, res, err)
    faults.check({ kind = "too_large", phase = "write", retryable = false }, res, err)
    assert.equal(limit, err.limit)
    assert.is_true(err.observed > limit)
    return err
  end

  it("with HTTP/1.1 above 1 MiB, and the server hears nothing of it", function()
    local site = origin.start()
    task.defer(function() site:stop() end)
    local client = faults.client()
    local err = too_large(1048576, client:get(site.url, { headers = { ["X-Long"] = ("x"):rep(1048576) } }))
    assert.truthy(err.message:find(site.url:match "//(.*)", 1, true))
    too_large(1048576, client:post(site.url .. "/?" .. ("x"):rep(1040000), { headers = { X = ("y"):rep(9000) } }))
    assert.equal(0, #site:requests())
    assert.equal(200, assert(client:get(site.url)).status)
  end)

  it("when a server fills the jar, until it is cleared", function()
    local site = faults.raw(function(conn)
      while conn:read_head() do conn:write "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" end
    end)
    local port = site.url:match ":(%d+)$"
    local client = faults.client { resolve = { ["a.b.example.com:" .. port] = "127.0.0.1" } }
    local url = ("http://a.b.example.com:%d/"):format(port)
    for _, domain in ipairs { "example.com", "b.example.com", "a.b.example.com" } do
      for i = 1, 180 do client.cookies:set { name = "n" .. i, value = ("x"):rep(4090), domain = domain } end
    end
    too_large(1048576, client:get(url))
    client.cookies:clear()
    assert.equal("ok", assert(client:get(url)).body)
  end)

  describe("with HTTP/2 above 64 KiB,", function()
    local server, client

    setup(function() server = servers.nghttpd() end)
    teardown(function() server:stop() end)
    before_each(function() client = nil end)

    local function ask(headers, path)
      client = client or faults.client { tls = { ca = server.ca }, timeout = { total = 20 } }
      return client:get(server.http2 .. (path or "/"), { headers = headers })
    end

    it("as one header, many, or a URL", function()
      too_large(65536, ask { X = ("x"):rep(70000) })
      local many = {}
      for i = 1, 100 do many["X-" .. i] = ("x"):rep(700) end
      too_large(65536, ask(many))
      too_large(65536, ask({}, "/" .. ("x"):rep(66000)))
      assert.equal(404, assert(ask()).status)
    end)

    it("and nothing between what is sent and what is refused is left waiting", function()
      for size = 64900, 65600, 23 do
        local res, err = ask { X = ("x"):rep(size) }
        if not res then too_large(65536, res, err) end
      end
    end)

    it("and other streams of the connection go on", function()
      assert.equal(404, assert(ask()).status)
      task.map({ 1, 70000, 2, 80000, 3 }, function(size)
        local res, err = ask { X = ("x"):rep(size) }
        if size > 65536 then return too_large(65536, res, err) end
        assert.equal(404, assert(res, err).status)
      end)
      assert.equal(1, client:stats().connections)
    end)
  end)
end)
