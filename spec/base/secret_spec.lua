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
    local held = secret.new("hunter22")
    secret.also(held, "aHVudGVyMjI=")
    assert.are.equal("Basic ***", secret.scrub("Basic aHVudGVyMjI="))
  end)

  it("scrubs a secret however a URL, a form or JSON spells it", function()
    local held = secret.new 'a "b"/c\\\1\226\130\172\240\157\132\158@!'
    assert.is_true(secret.is(held))
    for _, spelling in ipairs {
      'a%20%22b%22%2Fc%5C%01%E2%82%AC%F0%9D%84%9E%40%21', -- alone, and in a query
      'a+%22b%22%2Fc%5C%01%E2%82%AC%F0%9D%84%9E%40%21', -- in a form
      'a%20%22b%22/c%5C%01%E2%82%AC%F0%9D%84%9E@!', -- in a path
      'a%20%22b%22%2Fc%5C%01%E2%82%AC%F0%9D%84%9E%40!', -- as userinfo
      [[a \"b\"/c\\\u0001]] .. "\226\130\172\240\157\132\158@!", -- in JSON
      [[a \"b\"\/c\\\u0001]] .. "\226\130\172\240\157\132\158@!", -- in PHP's
      [[a \"b\"/c\\\u0001\u20ac\ud834\udd1e@!]], -- in ASCII
    } do
      assert.are.equal("<***>", secret.scrub("<" .. spelling .. ">"))
    end
  end)

  it("takes the longest where one secret begins another", function()
    local short, long, other = secret.new "token-1", secret.new "token-1-and-more", secret.new "token-2"
    assert.are.equal("***|***|***|token-3|***",
      secret.scrub "token-1|token-1-and-more|token-2|token-3|token-1")
    assert.is_true(short ~= long and long ~= other)
  end)

  it("finds any bytes, at any place", function()
    local held = {}
    for _, text in ipairs { "\0\0\0\0", "^]%-", "]]]]", "\255\254\253\252x", "----" } do
      held[#held + 1] = secret.new(text)
      assert.are.equal("***", secret.scrub(text))
      assert.are.equal("a***", secret.scrub("a" .. text))
      assert.are.equal("***b******", secret.scrub(text .. "b" .. text .. text))
      assert.are.equal(text:sub(1, -2), secret.scrub(text:sub(1, -2)))
    end
    assert.are.equal("", secret.scrub "")
    assert.are.equal(5, #held)
  end)

  it("finds one that an excerpt cuts off", function()
    local held = secret.new "eyJhbGciOiJIUzI1NiJ9.abcdefgh.ijklmnop"
    assert.are.equal('got "***"', secret.scrub 'got "eyJhbGciOiJIUz"')
    assert.are.equal("got ***…", secret.scrub "got eyJhbGciOiJIUz…")
    assert.are.equal("got ***", secret.scrub "got eyJhbGciOiJIUz")
    assert.are.equal("got eyJhbGciOiJIUx", secret.scrub "got eyJhbGciOiJIUx")
    assert.are.equal("got eyJhbGciOiJIUz and more than that, it goes on",
      secret.scrub "got eyJhbGciOiJIUz and more than that, it goes on")
    assert.are.equal('"eyJhbGc"', secret.scrub '"eyJhbGc"') -- a beginning that says little
    assert.are.equal("***…", secret.scrub "eyJh…") -- but this was cut for certain
    assert.are.equal("…", secret.scrub "eyJ…")
    assert.is_true(secret.is(held))
  end)

  it("is masked before an excerpt is taken, and counts for as much as its mask", function()
    local held = secret.new(("s3cr3t/"):rep(10))
    assert.are.equal("a *** b", secret.excerpt("a " .. ("s3cr3t/"):rep(10) .. " b", 10))
    assert.are.equal("12345678…", secret.excerpt("12345678" .. ("s3cr3t/"):rep(10), 8))
    assert.are.equal("***…", secret.excerpt(("s3cr3t/"):rep(10) .. ("x"):rep(1e6), 3))
    assert.are.equal("1234567890", secret.excerpt("1234567890", 10))
    assert.is_true(secret.is(held))
  end)

  it("is told to cover a place of a text that has a part of it", function()
    local held = secret.new "hunter22"
    local text = ("a"):rep(5000) .. "hunter22" .. ("b"):rep(5000)
    for _, place in ipairs { { 5001, 5001 }, { 5008, 5008 }, { 4990, 5001 }, { 5008, 6000 }, { 1, 10008 } } do
      assert.is_true(secret.covers(text, place[1], place[2]), place[1])
    end
    for _, place in ipairs { { 1, 5000 }, { 5009, 10008 }, { 1, 1 } } do
      assert.is_false(secret.covers(text, place[1], place[2]), place[1])
    end
    assert.is_true(secret.is(held))
  end)

  it("costs the same however many there are", function()
    local text = ("GET https://h/?page=2 tok-77 "):rep(100)
    local function cost()
      local best = math.huge
      for _ = 1, 5 do
        local began = os.clock()
        for _ = 1, 20 do secret.scrub(text) end
        best = math.min(best, os.clock() - began)
      end
      return best
    end
    local held = { secret.new "tok-0" }
    assert.is_true(secret.is(held[1]))
    local few = cost()
    for i = 1, 10000 do held[i + 1] = secret.new(("tok-%d"):format(i)) end
    assert.is_true(cost() < 20 * few + 0.01) -- walking all of them took 3,000 times as long
  end)

  it("keeps the parts of a secret as long as the whole", function()
    local whole = "Bearer " .. secret.new "p4rt-of-it"
    collectgarbage()
    collectgarbage()
    assert.are.equal("only ***", secret.scrub "only p4rt-of-it")
    assert.is_true(secret.is(whole))
  end)

  it("is forgotten though it was joined with nothing", function()
    local function hold_for_a_moment() return tostring(secret.new("f0rgotten-too") .. "") end
    hold_for_a_moment()
    collectgarbage()
    collectgarbage()
    assert.are.equal("f0rgotten-too", secret.scrub("f0rgotten-too"))
  end)

  it("is found again after thousands came and went", function()
    local held = secret.new "the-one-that-stays"
    for i = 1, 5000 do secret.new(("gone-%d-x/y"):format(i)) end
    collectgarbage()
    assert.are.equal("***", secret.scrub "the-one-that-stays")
    assert.is_true(secret.is(held))
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
