local headers = require "lurcher.http.headers"
local secret = require "lurcher.base.secret"
local message_of = require("spec.support.raising").message

describe("request headers", function()
  it("are read and written in any case", function()
    local h = headers.new { "Accept", "a" }
    assert.are.equal("a", h.ACCEPT)
    h["aCCept"] = "b"
    assert.are.equal("b", h.accept)
  end)

  it("keep order and the last spelling", function()
    local h = headers.new { "B", "1", "A", "2" }
    h["C"] = "3"
    h["b"] = "4"
    assert.are.same({ "B", "4", "A", "2", "C", "3" }, headers.flatten(h))
    h["b"] = nil
    h["b"] = "5"
    assert.are.same({ "b", "5", "A", "2", "C", "3" }, headers.flatten(h))
  end)

  it("are removed by nil and by false", function()
    local h = headers.new { "A", "1", "B", "2", "C", "3" }
    h.a, h["B"] = nil, false
    assert.are.same({ "C", "3" }, headers.flatten(h))
  end)

  it("send a list as several lines", function()
    local h = headers.new()
    h["X-A"] = { "1", "2" }
    assert.are.same({ "X-A", "1", "X-A", "2" }, headers.flatten(h))
    assert.are.same({ "X-A", "1", "X-A", "2" }, headers.flatten(headers.copy(h)))
  end)

  it("take numbers and trim blanks", function()
    local h = headers.new()
    h.a, h.b = 12, "  x y\t"
    assert.are.equal("12", h.a)
    assert.are.equal("x y", h.b)
  end)

  it("can be iterated", function()
    local seen = {}
    for name, value in pairs(headers.new { "Accept", "a", "X-B", "b" }) do seen[name] = value end
    assert.are.same({ accept = "a", ["x-b"] = "b" }, seen)
  end)

  it("merge by name in any case, changes at the end in the order of the alphabet", function()
    local function merged(changes) return headers.merge({ "A", "1", "B", "2" }, changes) end
    assert.are.same({ "A", "1", "B", "2" }, merged {})
    assert.are.same({ "B", "2", "a", "3" }, merged { a = 3 })
    assert.are.same({ "A", "1" }, merged { b = false })
    assert.are.same({ "A", "1", "B", "2", "C", "3", "D", "4", "D", "5" },
      merged { D = { "4", "5" }, C = "3" })
    assert.equal('header name "a b" holds characters that may not stand in one',
      message_of(function() merged { ["a b"] = "1" } end))
    assert.equal("the value of header 'a' holds a control character (CR, LF and NUL cannot be sent)",
      message_of(function() merged { a = "x\r\ny" } end))
    assert.equal('header names must be strings, got a number: they are written { ["Accept"] = "text/html" }',
      message_of(function() merged { "x" } end))
  end)

  it("keep secrets wrapped", function()
    local h = headers.new()
    h.authorization = secret.new("Bearer abc")
    assert.are.equal("***", tostring(h.authorization))
    assert.are.equal("Bearer abc", secret.reveal(headers.flatten(h)[2]))
  end)

  for what, name in pairs { ["a CR"] = "a\rb", ["a LF"] = "a\nb", ["a NUL"] = "a\0b", ["a space"] = "a b",
    ["a colon"] = "a:b", ["nothing"] = "", ["UTF-8"] = "ä" } do
    it("refuse a name with " .. what, function()
      assert.matches("^header name .* holds characters that may not stand in one$",
        message_of(function() headers.new()[name] = "x" end))
    end)
  end

  for what, value in pairs { ["a CR"] = "a\rb", ["a LF"] = "a\nb", ["a NUL"] = "a\0b", ["DEL"] = "a\127b",
    ["a table inside"] = { {} } } do
    it("refuse a value with " .. what, function()
      local message = type(value) == "table"
        and "header 'a' must be a string, a list of strings, or false, got a table"
        or "the value of header 'a' holds a control character (CR, LF and NUL cannot be sent)"
      assert.equal(message, message_of(function() headers.new().a = value end))
      assert.equal(message, message_of(function() headers.new().a = { "fine", value } end))
    end)
  end

  it("refuse bad values written past the first assignment", function()
    local h = headers.new { "a", "1" }
    h.a = "x\r\ny"
    assert.equal("the value of header 'a' holds a control character (CR, LF and NUL cannot be sent)",
      message_of(function() headers.flatten(h) end))
  end)

  for name, why in pairs { ["Content-Length"] = "it is computed from the body",
    ["transfer-encoding"] = "it is chosen with the body", Expect = "use the option expect_continue=true" } do
    it("refuse " .. name, function()
      assert.equal(("header '%s' cannot be set: %s"):format(name, why),
        message_of(function() headers.new()[name] = "1" end))
    end)
  end
end)
