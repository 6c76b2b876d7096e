-- Ranges that a script asks for: a part of coded data cannot be decoded, so none is asked for, and what comes in parts
-- is handed over as it came.

local faults = require "spec.support.faults"
local http = require "lurcher.http"
local serving = require "spec.support.serving"

local DEFAULT = "gzip, deflate, br, zstd"

-- Answers with the Accept-Encoding that came.
local function telling()
  return serving.start(function(request) return request.headers["accept-encoding"] or "none" end)
end

-- A request's options beside those of its client.
local function asked(opts, client)
  return assert(faults.client(client):get(telling().url, opts)).body
end

describe("a Range given by the script", function()
  it("goes out without Accept-Encoding, wherever it was given", function()
    assert.equal(DEFAULT, asked {})
    assert.equal("none", asked { headers = { Range = "bytes=0-9" } })
    assert.equal("none", asked { headers = { ["rANGE"] = "bytes=0-9" }, timeout = 20 })
    assert.equal("none", asked(nil, { headers = { Range = "bytes=0-9" } }))
    assert.equal("none", asked(nil, { middleware = { function(request, next)
      request.headers.Range = "bytes=0-9"
      return next(request)
    end } }))
    assert.equal("none", asked({ headers = { Range = "bytes=0-9" } },
      { auth = function(request, next) return next(request) end, hooks = { request = { function() end } } }))
  end)

  it("goes out with the Accept-Encoding that the script gives, too", function()
    assert.equal("gzip", asked { headers = { Range = "bytes=0-9", ["accept-encoding"] = "gzip" } })
    assert.equal("identity", asked({ headers = { Range = "bytes=0-9" } },
      { headers = { ["Accept-Encoding"] = "identity" } }))
    assert.equal(DEFAULT, asked { headers = { Range = "bytes=0-9", ["Accept-Encoding"] = DEFAULT } })
  end)

  it("is kept over a redirect and a repetition, without Accept-Encoding", function()
    local seen = {}
    local s = serving.start(function(request)
      seen[#seen + 1] = (request.headers.range or "") .. " " .. (request.headers["accept-encoding"] or "none")
      if #seen == 1 then return { status = 302, headers = { Location = "/part" } } end
      if #seen == 2 then return { status = 503 } end
      return "done"
    end)
    local client = faults.client { retry = { base = 0 } }
    assert.equal("done", assert(client:get(s.url, { headers = { Range = "bytes=2-" } })).body)
    assert.same({ "bytes=2- none", "bytes=2- none", "bytes=2- none" }, seen)
  end)
end)

describe("a response with status 206", function()
  local function part(coding)
    return serving.start(function()
      return { status = 206, headers = { ["Content-Encoding"] = coding, ["Content-Range"] = "bytes 2-7/90" },
        body = "\8\0a\0bc" }
    end)
  end

  it("is handed over as it came, buffered and streamed, whatever its coding", function()
    for _, coding in ipairs { "gzip", "br", "zstd", "gzip, br", "foo" } do
      local url, headers = part(coding).url, { Range = "bytes=2-7" }
      local res = assert(http.get(url, { headers = headers, retry = false }))
      assert.equal("\8\0a\0bc", res.body)
      assert.equal(coding, res.headers["content-encoding"])
      res = assert(http.get(url, { headers = headers, retry = false, stream = true }))
      assert.equal("\8\0a\0bc", res:read_all())
    end
  end)

  it("still keeps to max_body and to its length", function()
    local s = part("gzip")
    local _, err = http.get(s.url, { headers = { Range = "bytes=2-7" }, retry = false, max_body = 5 })
    assert.equal("too_large", err.kind)
    s = faults.answering("HTTP/1.1 206 P\r\nContent-Encoding: gzip\r\nContent-Length: 6\r\n\r\nabc")
    _, err = http.get(s.url, { headers = { Range = "bytes=2-7" }, retry = false })
    assert.equal("truncated", err.kind)
  end)
end)
