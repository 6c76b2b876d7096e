local trace = require "lurcher.trace"
local secret = require "lurcher.secret"

local function request(fields)
  fields.method = fields.method or "GET"
  fields.url = fields.url or "http://h/x"
  fields.attempts = fields.attempts or 1
  fields.plan = { name = fields.name or false }
  return fields
end

local RECORD = { reused = false, timings = { queue = 0, dns = 0.001, connect = 0.002, tls = 0.0034,
  first_byte = 0.01, total = 0.0125 } }

describe("the line of an attempt", function()
  it("has method, URL, outcome, attempt and times", function()
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
