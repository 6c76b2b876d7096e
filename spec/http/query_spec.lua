local query = require "lurcher.url.query"
local secret = require "lurcher.base.secret"
local message_of = require("spec.support.raising").message

local function encode(...) return query.encode({ ... }, "%20", "parameter") end

describe("query parameters", function()
  it("from a map are sorted by key", function()
    assert.are.equal("a=1&b=2&c=3", encode { c = 3, a = 1, b = 2 })
  end)

  it("from a list of pairs keep their order", function()
    assert.are.equal("b=2&a=1&b=3", encode { { "b", 2 }, { "a", 1 }, { "b", 3 } })
  end)

  it("repeat the key for a list", function()
    assert.are.equal("tag=x&tag=y", encode { tag = { "x", "y" } })
  end)

  it("merge by key, the later layer counts", function()
    assert.are.equal("a=1&b=3", encode({ a = 1, b = 2 }, { b = 3 }))
  end)

  it("are removed by false", function()
    assert.are.equal("a=1", encode({ a = 1, b = 2 }, { b = false }))
    assert.are.equal("", encode { a = false })
  end)

  it("merge a map and a list: the map's come first", function()
    assert.are.equal("a=1&z=9&b=3", encode({ a = 1, b = 2 }, { { "z", 9 }, { "b", 3 } }))
    assert.are.equal("z=1&b=2", encode({ { "a", 1 }, { "b", 2 } }, { a = false, z = 1 }))
  end)

  it("are percent-encoded", function()
    assert.are.equal("a%20b=%C3%A4%26%3D%2B%2F", encode { ["a b"] = "ä&=+/" })
    assert.are.equal("safe=-._~Az09", encode { safe = "-._~Az09" })
  end)

  it("use a plus for a blank in forms", function()
    assert.are.equal("a+b=c+d%2B", query.encode({ { ["a b"] = "c d+" } }, "+", "form field"))
  end)

  it("write numbers as a person would", function()
    assert.are.equal("a=10000000000000000&b=0.1&c=-3&d=1234567890123",
      encode { a = "10000000000000000", b = 0.1, c = -3, d = 1234567890123 })
  end)

  it("write booleans", function()
    assert.are.equal("a=true", encode { a = true })
    assert.are.equal("a=true&a=false", encode { a = { true, false } })
  end)

  it("reveal secrets, and note their encoded form", function()
    local token = secret.new("a b+c")
    assert.are.equal("t=a%20b%2Bc", encode { t = token })
    assert.are.equal("***", secret.scrub("a%20b%2Bc"))
  end)

  it("refuse what is no scalar", function()
    assert.equal("parameter 'a' must be a string, a number, a boolean, or a list of these, got a table",
      message_of(function() encode { a = { {} } } end))
    assert.equal("parameter 'a' must be a string, a number, a boolean, or a list of these, got a function",
      message_of(function() encode { a = print } end))
    assert.equal("parameter 'a' must be a string, a number, a boolean, or a list of these, got a map",
      message_of(function() encode { a = { b = 1 } } end))
    assert.equal("parameter 'a' must be a finite number", message_of(function() encode { a = 0 / 0 } end))
    assert.equal("parameter names must be strings, got 1 "
      .. '(an ordered list has the form { {"a", 1}, {"b", 2} })', message_of(function() encode { "a" } end))
    assert.equal('a list of parameters holds pairs: { {"a", 1}, {"b", 2} }',
      message_of(function() encode { { "a", 1 }, "b" } end))
  end)

  it("go behind the query that is there, before the fragment", function()
    assert.are.equal("http://h/?a=1", query.add("http://h/", "a=1"))
    assert.are.equal("http://h/?x=0&a=1", query.add("http://h/?x=0", "a=1"))
    assert.are.equal("http://h/?a=1#f?g", query.add("http://h/?#f?g", "a=1"))
    assert.are.equal("http://h/?x&a=1", query.add("http://h/?x&", "a=1"))
    assert.are.equal("http://h/", query.add("http://h/", ""))
  end)
end)
