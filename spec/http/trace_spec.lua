local trace = require "lurcher.report.trace"
local secret = require "lurcher.base.secret"

local function request(fields)
  fields.method = fields.method or "GET"
  fields.url = fields.url or "http://h/x"
  fields.attempts = fields.attempts or 1
  fields.settings = { name = fields.name or false }
  return fields
end

local RECORD = { reused = false, timings = { queue = 0, dns = 0.001, connect = 0.002, tls = 0.0034,
  first_byte = 0.01, total = 0.0125 } }

describe("the line of an attempt", function()
  it("has method, URL, result, attempt and times", function()
    local line = trace.line(request { method = "POST", attempts = 2 }, "200", RECORD)
    assert.are.equal("POST http://h/x 200 attempt=2 queue=0.0ms dns=1.0ms connect=2.0ms tls=3.4ms"
      .. " first_byte=10.0ms body=2.5ms", line)
  end)

  it("names the request and a reused connection", function()
    local line = trace.line(request { name = "items" }, "200", { reused = true, timings = RECORD.timings })
    assert.matches(" name=items ", line)
    assert.matches(" reused$", line)
  end)

  it("does without times", function()
    assert.are.equal("GET http://h/x timeout/connect attempt=1", trace.line(request {}, "timeout/connect"))
  end)

  it("has no time for a body that is still to come or never came", function()
    assert.not_matches("body=", trace.line(request { stream = true }, "200", RECORD))
    local none = { timings = { queue = 0, dns = 0, connect = 0, tls = 0, first_byte = 0, total = 1 } }
    assert.not_matches("body=", trace.line(request {}, "timeout/read", none))
  end)

  it("hides secrets", function()
    local held = secret.new("s3cret-value")
    assert.is_true(secret.is(held))
    local line = trace.line(request { url = "http://h/s3cret-value?access_token=abc&x=1" }, "200")
    assert.not_matches("s3cret", line)
    assert.not_matches("abc", line)
    assert.matches("x=1", line)
  end)
end)

describe("the line of a decision", function()
  it("says what is waited for, how long, and why", function()
    local event = { attempt = 1, wait = 0.25, why = "status 503" }
    local line = trace.decision(request { name = "items" }, "retry", event)
    assert.are.equal("GET http://h/x retry attempt=1 name=items wait=250.0ms: status 503", line)
  end)

  it("says why there is no further attempt", function()
    local event = { attempt = 1, why = "POST is not repeated" }
    local line = trace.decision(request { method = "POST" }, "refused", event)
    assert.are.equal("POST http://h/x refused attempt=1: POST is not repeated", line)
  end)

  it("stands between the lines of the attempts", function()
    local origin = require "spec.support.origin"
    local process = require "spec.support.process"
    local site = origin.start()
    local count = 0
    site.answer = function()
      count = count + 1
      return { status = count == 1 and 503 or 200 }
    end
    local ended = process.run { "--trace", "-e", ([[
      local http = require "lurcher.http"
      http.get("%s/a", { retry = { base = 0 } })
      http.post("http://127.0.0.1:1/", { retry = { base = 50, jitter = "none" }, timeout = 5 })
    ]]):format(site.url) }
    site:stop()
    local lines = {}
    for line in ended.err:gmatch("[^\n]+") do lines[#lines + 1] = line end
    assert.matches("^lurcher: GET http://127.0.0.1:%d+/a 503 attempt=1 ", lines[1])
    assert.matches("^lurcher: GET http://127.0.0.1:%d+/a retry attempt=1 wait=0.0ms: status 503$", lines[2])
    assert.matches("^lurcher: GET http://127.0.0.1:%d+/a 200 attempt=2 ", lines[3])
    assert.matches("^lurcher: POST http://127.0.0.1:1/ connect attempt=1", lines[4])
    assert.matches("^lurcher: POST http://127.0.0.1:1/ refused attempt=1: not repeated: the wait of 20 s "
      .. "would pass timeout.total$", lines[5])
  end)
end)

describe("the trace", function()
  local origin = require "spec.support.origin"
  local process = require "spec.support.process"
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function traced(option, code)
    return process.run({ option, "-e", code, site.url }).err
  end

  it("tells what a request waited for: the rate, a hold, a quota", function()
    local log = traced("--trace", [[
      local api = http.client { limits = { rate = 2 } } -- half a second: a slow first request takes less
      for _ = 1, 2 do assert(api:get(...)) end]])
    assert.matches("GET http://%S+ rate attempt=1 waited=%d+%.%dms: limits%.rate", log)
    local count = 0
    site.answer = function()
      count = count + 1
      return { status = count == 1 and 429 or 200, headers = { { "Retry-After", "0.05" } } }
    end
    log = traced("--trace", "assert(http.get(...))")
    assert.matches(" hold .*wait=50%.0ms: status 429, and Retry%-After asks all to wait", log)
    assert.matches(" retry .*: status 429", log)
    count = 0
    site.answer = function()
      count = count + 1
      return { status = 200, headers = { { "X-RateLimit-Limit", "2" },
        { "X-RateLimit-Remaining", tostring(math.max(0, 2 - count)) }, { "X-RateLimit-Reset", "1" } } }
    end
    log = traced("--trace", "for _ = 1, 3 do assert(http.get(...)) end")
    assert.matches(" quota .*attempt=1 waited=%d+%.%dms: ", log)
  end)

  it("has heads with =headers, and texts with =bodies, without secrets", function()
    site.answer = { status = 200, reason = "OK", body = '{"a":1,"password":"hunter2\\"x","pin":1234}',
      headers = { { "Set-Cookie", "sid=topsecret" }, { "X-Odd", "odd" } } }
    local code = [[
      http.get(... .. "?token=topsecret", { headers = { ["X-Api"] = http.secret "topsecret" } })
      http.post(..., { json = { secret = "topsecret", n = 5 }, auth = { "user", "topsecret" } })
      http.post(..., { form = { password = "topsecret", n = 6 } })]]
    for _, option in ipairs { "--trace=headers", "--trace=bodies" } do
      local log = traced(option, code)
      for _, line in ipairs { "> GET http://127.0.0.1:%d+/%?token=%*%*%*", "> X%-Api: %*%*%*", "< 200",
        "< Set%-Cookie: %*%*%*", "< X%-Odd: odd", "> Authorization: %*%*%*",
        "> Content%-Type: application/json" } do
        assert.matches("\nlurcher: " .. line, log)
      end
      assert.not_matches("topsecret", log)
      assert.not_matches("hunter2", log)
      assert.not_matches("1234}", log)
      local bodies = option == "--trace=bodies"
      assert.equal(bodies, log:find("> {[^\n]*\"secret\":\"%*%*%*\"") ~= nil)
      assert.equal(bodies, log:find("> [^\n]*password=%*%*%*") ~= nil)
      assert.equal(bodies, log:find('< {"a":1,"password":"***","pin":"***"}', 1, true) ~= nil)
    end
    assert.not_matches("\nlurcher: [<>]", traced("--trace", code))
  end)

  it("cuts texts at 4 KiB, and shows nothing of what is none", function()
    site.answer = { status = 200, body = ("x"):rep(10000) }
    local log = traced("--trace=bodies", "http.get(...)")
    assert.equal(4096, #log:match "\nlurcher: < (x+)\nlurcher: < … %(10000 bytes in all%)\n")
    site.answer = { status = 200, body = "\0\1\27[31m" }
    log = traced("--trace=bodies", "http.get(...)")
    assert.matches("< %(7 bytes that are no text%)", log)
    assert.is_nil(log:find("\27", 1, true))
  end)
end)
