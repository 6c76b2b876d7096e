local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"

describe("redacted URLs", function()
  it("show no userinfo and no secret query values", function()
    local shown = redact.url("https://user:pass@h/p?access_token=abc&page=2#x")
    assert.is_nil(shown:find("pass", 1, true))
    assert.is_nil(shown:find("abc", 1, true))
    assert.matches("page=2", shown)
    assert.matches("^https://.*h/p%?", shown)
  end)

  it("show no secrets wherever they stand", function()
    local held = secret.new("s3cr3t")
    assert.is_true(secret.is(held))
    assert.are.equal("https://h/hooks/***/x", redact.url("https://h/hooks/s3cr3t/x"))
  end)

  it("leave others alone, and what is no URL", function()
    assert.are.equal("https://h/p?page=2", redact.url("https://h/p?page=2"))
    assert.are.equal("not a URL", redact.url("not a URL"))
  end)
end)
