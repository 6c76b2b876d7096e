local http = require "lurcher.http"
local errors = require "lurcher.base.errors"
local origin = require "spec.support.origin"
local task = require "lurcher.task"
local message_of = require("spec.support.raising").message

describe("middleware", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  it("runs outermost first, around the request", function()
    local order = {}
    local function named(name)
      return function(request, next)
        order[#order + 1] = name .. " before"
        local res, err = next(request)
        order[#order + 1] = name .. " after"
        return res, err
      end
    end
    local client = http.client { middleware = { named "a", named "b" } }
    assert.are.equal(200, assert(client:get(site.url)).status)
    assert.are.same({ "a before", "b before", "b after", "a after" }, order)
  end)

  it("sees method, URL, headers and options", function()
    local seen
    local client = http.client { headers = { ["X-A"] = "1" }, middleware = { function(request, next)
      seen = { request.method, request.url, request.headers["x-a"], request.headers["CONTENT-TYPE"],
        request.body, request.json, request.retryable }
      return next(request)
    end } }
    local value = { 1 }
    assert(client:post(site.url .. "/x", { json = value, retryable = true }))
    assert.are.same({ "POST", site.url .. "/x", "1", "application/json", "[1]", value, true }, seen)
  end)

  it("may change headers, method, URL and body", function()
    local client = http.client { middleware = { function(request, next)
      request.headers["x-NEW"] = "n"
      request.headers["user-agent"] = nil
      request.method, request.url, request.body = "PUT", site.url .. "/other path", "changed"
      return next(request)
    end } }
    assert(client:post(site.url, { body = "given" }))
    local req = site:last()
    assert.are.equal("PUT", req.method)
    assert.are.equal("/other%20path", req.target)
    assert.are.equal("changed", req.body)
    assert.are.equal("n", req.headers["x-new"])
    assert.is_nil(req.headers["user-agent"])
  end)

  it("cannot smuggle header lines", function()
    local client = http.client { middleware = { function(request, next)
      request.headers["X-A"] = "1\r\nX-B: 2"
      return next(request)
    end } }
    assert.equal("the value of header 'X-A' holds a control character (CR, LF and NUL cannot be sent)",
      message_of(function() client:get(site.url) end))
    assert.are.equal(0, #site:requests())
  end)

  it("runs once per call, around retries and redirects", function()
    local count, attempts = 0, 0
    site.paths["/a"] = { status = 302, headers = { Location = "/b" } }
    site.paths["/b"] = function()
      attempts = attempts + 1
      return { status = attempts == 1 and 503 or 200 }
    end
    local client = http.client { retry = { base = 0 }, middleware = { function(request, next)
      count = count + 1
      return next(request)
    end } }
    local res = assert(client:get(site.url .. "/a"))
    assert.are.equal(1, count)
    assert.are.equal(2, attempts)
    assert.are.equal(1, #res.history)
  end)

  it("may answer by itself", function()
    local client = http.client { middleware = { function()
      return { status = 201, headers = { ["X-A"] = "1", ["X-B"] = { "2", "3" } }, body = '{"a":1}' }
    end } }
    local res = assert(client:get(site.url .. "/x"))
    assert.are.equal(201, res.status)
    assert.is_true(res.ok)
    assert.are.equal("1", res.headers["x-a"])
    assert.are.same({ "2", "3" }, res:header_list("X-B"))
    assert.are.same({ a = 1 }, res:json())
    assert.are.equal(site.url .. "/x", res.url)
    assert.are.equal(0, #site:requests())
  end)

  it("may answer a stream by itself", function()
    local client = http.client { middleware = { function()
      return { status = 200, body = "one\r\ntwo\nthree" }
    end } }
    local function pieces(iterate, ...)
      local list = {}
      for piece in iterate(assert(client:stream("GET", site.url)), ...) do list[#list + 1] = piece end
      return list
    end
    local res = assert(client:stream("GET", site.url))
    assert.are.equal("one", res:read(3))
    assert.are.equal("\r\ntwo\nthree", res:read_all())
    assert.are.same({ "one", "two", "three" }, pieces(res.lines))
    assert.are.same({ "one\r\ntw", "o\nthree" }, pieces(res.chunks, 7))
    local _, err = pcall(pieces, res.lines, { max = 4 })
    assert.are.equal("too_large", err.kind)
    assert.are.equal(5, err.observed)
    assert.are.equal("one", client:stream("GET", site.url, nil, function(its) return its:read(3) end))
    local _, refused = client:stream("GET", site.url, { expect = 404 })
    assert.are.equal("status", refused.kind)
    res:close()
  end)

  it("may send the request again", function()
    site.answer = function(req) return { status = req.headers["x-try"] == "2" and 200 or 401 } end
    local client = http.client { middleware = { function(request, next)
      local res, err = next(request)
      if not res or res.status ~= 401 then return res, err end
      request.headers["X-Try"] = "2"
      return next(request)
    end } }
    assert.are.equal(200, assert(client:get(site.url)).status)
    assert.are.equal(2, #site:requests())
  end)

  it("has no more than the total time for all it sends", function()
    site.answer = function()
      task.sleep(0.15)
      return { status = 200 }
    end
    local count = 0
    local client = http.client { timeout = 0.4, retry = false, middleware = { function(request, next)
      local res, err
      repeat
        res, err = next(request)
        count = count + 1
      until not res or count == 50
      return res, err
    end } }
    local _, err = client:get(site.url)
    assert.are.equal("timeout", err.kind)
    assert.are.equal("total", err.phase)
  end)

  it("sends a form once more with its content type", function()
    local client = http.client { middleware = { function(request, next)
      next(request)
      return next(request)
    end } }
    assert(client:post(site.url, { form = { a = 1 } }))
    assert.are.same({ "application/x-www-form-urlencoded" }, site:last():header_list("content-type"))
    assert.are.equal("a=1", site:last().body)
  end)

  it("may turn a response into an error", function()
    local mine = errors.new { kind = "denied", message = "not today" }
    local client = http.client { middleware = { function() return nil, mine end } }
    local res, err = client:get(site.url)
    assert.is_nil(res)
    assert.are.equal(mine, err)
  end)

  it("raises what it raises, and loses nothing", function()
    local client = http.client { middleware = { function(request, next)
      next(request)
      error("broken", 0)
    end } }
    local ok, raised = pcall(client.get, client, site.url)
    assert.is_false(ok)
    assert.are.equal("broken", raised)
    assert.are.equal(0, client:stats().in_flight)
  end)

  it("must return something and pass the request on", function()
    local wanted = "; wanted is next(request), a response, a table with status, headers and body, "
      .. "or nil and an error"
    local function forgetful(_, next) return next() end
    for message, fn in pairs {
      ["a middleware returned nothing" .. wanted] = function() end,
      ["a middleware returned a number" .. wanted] = function() return 5 end,
      ["next() in a middleware wants the request"] = forgetful,
    } do
      local client = http.client { middleware = { fn } }
      local ok, raised = pcall(client.get, client, site.url)
      assert.is_false(ok)
      assert.equal(message, (tostring(raised):gsub("^%S+:%d+: ", "")))
    end
  end)
end)

describe("hooks", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  it("see each request and each response", function()
    local log = {}
    site.paths["/a"] = { status = 302, headers = { Location = "/b" } }
    local client = http.client { hooks = {
      request = { function(req) log[#log + 1] = "> " .. req.method .. " " .. req.url end },
      response = { function(res) log[#log + 1] = "< " .. res.status end,
        function() log[#log + 1] = "second" end },
      redirect = { function(event) log[#log + 1] = event.status .. " to " .. event.to end },
    } }
    assert(client:get(site.url .. "/a"))
    assert.are.same({ "> GET " .. site.url .. "/a", "< 302", "second", "302 to " .. site.url .. "/b",
      "> GET " .. site.url .. "/b", "< 200", "second" }, log)
  end)

  it("see the error of a call once", function()
    local seen = {}
    local client = http.client { retry = { base = 0 },
      hooks = { error = { function(err) seen[#seen + 1] = err end } } }
    local _, err = client:get("nonsense")
    assert.are.equal(1, #seen)
    assert.are.equal(err, seen[1])
    local closed = origin.start()
    closed:stop()
    _, err = client:get(closed.url)
    assert.are.equal(2, #seen)
    assert.are.equal(err, seen[2])
    site.answer = { status = 404 }
    _, err = client:get(site.url, { expect = 200 })
    assert.are.equal(err, seen[3])
  end)

  for _, name in ipairs { "request", "response", "retry", "redirect", "error" } do
    it("that fail raise: " .. name, function()
      site.answer = { status = 503 }
      if name == "redirect" then site.answer = { status = 302, headers = { Location = "/x" } } end
      local client = http.client { retry = { base = 0 },
        hooks = { [name] = { function() error("broken", 0) end } } }
      for _, stream in ipairs { false, true } do
        local url = name == "error" and "nonsense" or site.url
        local ok, raised = pcall(client.get, client, url, { stream = stream })
        assert.is_false(ok)
        assert.are.equal("broken", raised)
        assert.are.equal(0, client:stats().in_flight)
      end
    end)
  end
end)
