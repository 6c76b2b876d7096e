local errors = require "lurcher.base.errors"
local secret = require "lurcher.base.secret"

describe("lurcher.base.errors", function()
  it("tests the kind with err:is", function()
    local err = errors.new { kind = "dns", message = "no such host" }
    assert.is_true(err:is("dns"))
    assert.is_false(err:is("tls"))
  end)

  it("raises for a kind that does not exist, with the caller's line and the nearest one", function()
    local err = errors.new { kind = "timeout", message = "x" }
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(function() return err:is("timout") end)
    assert.is_false(ok)
    assert.are.equal(("spec/base/errors_spec.lua:%d: err:is: unknown kind 'timout'; did you mean 'timeout'?")
      :format(line), message)
    assert.has_error(function() err:is() end,
      "err:is: kinds are given by name, not as [nil]")
  end)

  it("knows every kind that a script can meet", function()
    local err = errors.new { kind = "none", message = "x" }
    for _, kind in ipairs { "timeout", "dns", "connect", "tls", "websocket", "proxy", "closed", "truncated",
      "protocol", "too_large", "redirect", "decode", "status", "checksum", "url", "denied", "circuit_open",
      "canceled", "limit", "host", "file", "mock" } do
      assert.is_false(err:is(kind))
    end
  end)

  it("knows its own", function()
    assert.is_true(errors.is_error(errors.new { kind = "url", message = "x" }))
    assert.is_false(errors.is_error { kind = "url", message = "x" })
    assert.is_false(errors.is_error("url"))
    assert.is_false(errors.is_error(nil))
  end)

  it("prints request, kind and message on one line", function()
    local err = errors.new { kind = "connect", message = "refused\nby the peer", method = "POST",
      url = "http://h/" }
    assert.are.equal("POST http://h/: connect: refused by the peer", tostring(err))
  end)

  it("does not repeat the kind when the message starts with it", function()
    local err = errors.new { kind = "timeout", message = "timeout while connecting" }
    assert.are.equal("timeout while connecting", tostring(err))
  end)

  it("tells the attempts when there were or could be several", function()
    local fields = { kind = "timeout", message = "timeout", attempts = 2, attempts_allowed = 3 }
    assert.are.equal("timeout (attempt 2 of 3)", tostring(errors.new(fields)))
    assert.are.equal("timeout", tostring(errors.new { kind = "timeout", message = "timeout", attempts = 1 }))
  end)

  it("appends the cause", function()
    local cause = errors.new { kind = "dns", message = "no such host" }
    local err = errors.new { kind = "proxy", message = "not reached", cause = cause }
    assert.are.equal("proxy: not reached; cause: dns: no such host", tostring(err))
  end)

  it("concatenates like a string", function()
    local err = errors.new { kind = "dns", message = "no such host" }
    assert.are.equal("failed: dns: no such host!", "failed: " .. err .. "!")
  end)

  it("is not retryable unless said so", function()
    assert.is_false(errors.new({ kind = "dns", message = "x" }).retryable)
    assert.is_true(errors.new({ kind = "dns", message = "x", retryable = true }).retryable)
  end)

  it("hides secrets that are alive", function()
    local token = secret.new("s3cr3t-token")
    local err = errors.new { kind = "decode", message = "cannot read s3cr3t-token" }
    assert.are.equal("decode: cannot read ***", tostring(err))
    assert.are.equal("***", tostring(token))
  end)

  it("raises mistakes with the position outside the runtime", function()
    local line = debug.getinfo(1, "l").currentline + 1
    local ok, message = pcall(errors.raise, "wrong")
    assert.is_false(ok)
    assert.matches("^.*errors_spec%.lua:" .. line .. ": wrong$", message)
  end)
end)
