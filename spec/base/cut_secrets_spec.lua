-- Whatever shows the beginning of a text shows nothing of a secret that lies across the cut.

local errors = require "lurcher.base.errors"
local http = require "lurcher.http"
local pages = require "lurcher.pages"
local process = require "spec.support.process"
local secret = require "lurcher.base.secret"
local serving = require "spec.support.serving"

local HIDDEN = "S3cr3t-0123456789-abcdef"

-- Texts with the secret behind so many "~".
local function each(least, most, show)
  local held, shown = secret.new(HIDDEN), 0
  for length = least, most do
    local text = show(("~"):rep(length) .. HIDDEN .. ("~"):rep(4096 - length))
    assert.is_nil(text:find("~S", 1, true), text)
    if text:find("~…", 1, true) then shown = shown + 1 end
  end
  assert.is_true(shown > 0, "nothing was cut where the secret stands")
  assert.is_true(secret.is(held))
end

local function raised(fn, ...)
  local ok, message = pcall(fn, ...)
  assert.is_false(ok)
  return secret.scrub(tostring(message))
end

describe("a secret across the cut is not shown by", function()
  it("reasons of a proxy", function()
    local reason
    local proxy = serving.raw(function(conn)
      conn:read()
      conn:write("HTTP/1.1 502 " .. reason .. "\r\n\r\n")
    end)
    local api = http.client { proxy = "http://127.0.0.1:" .. proxy.port, retry = false }
    each(20, 50, function(text)
      reason = text
      local err = select(2, api:get "https://h.test/")
      assert.equal("proxy", err.kind)
      return tostring(err)
    end)
    api:close()
  end)

  it("the URL of an error", function()
    each(2000, 2060, function(text)
      return tostring(errors.new { kind = "closed", message = "no", method = "GET", url = "http://h/" .. text })
    end)
  end)

  it("long messages", function()
    each(4050, 4096, function(text) return tostring(errors.new { kind = "closed", message = text }) end)
  end)

  it("names that are unknown", function()
    each(20, 60, function(text) return raised(http.get, "http://127.0.0.1/", { [text] = 1, a = 2 }) end)
    each(40, 70, function(text)
      return raised(function() return errors.new({ kind = "closed", message = "no" })["a" .. text] end)
    end)
  end)

  it("the excerpt of a body that was not expected", function()
    local body
    local s = serving.start(function() return { status = 400, body = body } end)
    each(100, 400, function(text)
      body = text
      return tostring(select(2, http.get(s.url, { expect = 200 })))
    end)
  end)

  it("the excerpt of a page that is no JSON", function()
    local body
    local s = serving.start(function()
      return { headers = { ["Content-Type"] = "text/html" }, body = "<p>" .. body }
    end)
    each(40, 90, function(text)
      body = text
      return raised(function()
        for _ in pages.items(http.default(), s.url, { next = pages.link() }) do error "an item" end
      end)
    end)
  end)

  it("the traced bodies", function()
    local code = [[
      local http, server = require "lurcher.http", require "lurcher.server"
      local text = ...
      local held = http.secret(text)
      local s = server.start(function(req) return { body = req.body } end)
      for length = 4066, 4100 do
        http.post(s.url, { body = ("~"):rep(length) .. text .. ("~"):rep(4096) })
      end
      s:stop()
      print(held)]]
    local ended = process.run { "--trace=bodies", "-e", code, HIDDEN }
    assert.equal("***\n", ended.out, ended.err:sub(1, 500))
    assert.is_nil(ended.err:find("~S", 1, true))
    assert.matches("~\nlurcher: < … %(%d+ bytes in all%)\n", ended.err)
  end)
end)
