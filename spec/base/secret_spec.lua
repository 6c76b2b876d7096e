local secret = require "lurcher.base.secret"

describe("lurcher.base.secret", function()
  it("shows three stars", function()
    assert.are.equal("***", tostring(secret.new("abc")))
    assert.are.equal("***", ("%s"):format(secret.new("abc")))
  end)

  it("stays a secret when a string is put before or behind it", function()
    local whole = "Bearer " .. secret.new("abcdef") .. ";"
    assert.are.equal("***", tostring(whole))
    assert.are.equal("Bearer abcdef;", secret.reveal(whole))
  end)

  it("shows nothing to pairs", function()
    assert.is_nil(next(secret.new("abc")))
  end)

  it("scrubs every occurrence", function()
    local held = secret.new("pass%word")
    assert.are.equal("a ***, b ***", secret.scrub("a pass%word, b pass%word"))
    assert.is_true(secret.is(held))
  end)

  it("scrubs noted spellings too", function()
    local held = secret.new("a b/c")
    secret.also(held, "a%20b%2Fc")
    assert.are.equal("?token=***", secret.scrub("?token=a%20b%2Fc"))
  end)

  it("leaves short secrets alone, which would blank out ordinary words", function()
    local held = secret.new("a")
    assert.is_true(secret.is(held))
    assert.are.equal("banana", secret.scrub("banana"))
  end)

  it("is forgotten with its last holder", function()
    local function hold_for_a_moment() return tostring(secret.new("f0rgotten")) end
    hold_for_a_moment()
    collectgarbage()
    collectgarbage()
    assert.are.equal("f0rgotten", secret.scrub("f0rgotten"))
  end)

  it("compares by its text", function()
    assert.is_true(secret.new("abc") == secret.new("abc"))
    assert.is_false(secret.new("abc") == secret.new("abd"))
  end)
end)
