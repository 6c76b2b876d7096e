local charset = require "lurcher.base.charset"
local cookies = require "lurcher.http.cookies.parse"
local date = require "lurcher.base.date"
local links = require "lurcher.http.links"
local tools = require "lurcher.base.text"

local trim = tools.trim

describe("trim", function()
  it("takes blanks and tabs off both ends", function()
    for text, trimmed in pairs { [""] = "", [" "] = "", ["\t a b\t "] = "a b", a = "a", [" \n "] = "\n" } do
      assert.are.equal(trimmed, trim(text))
    end
  end)
end)

describe("printable text", function()
  it("is on one line and steers no terminal", function()
    assert.equal("a\\nb\\r\\t\\x1b[2J\\x00\\x7f", tools.printable("a\nb\r\t\27[2J\0\127"))
    -- CSI as one character, a line separator
    assert.equal("\\xc2\\x9b31m \\xe2\\x80\\xa8", tools.printable("\194\15531m \226\128\168"))
  end)

  it("is UTF-8", function()
    assert.equal("žluť 日本 𝄞", tools.printable("žluť 日本 𝄞"))
    assert.equal("\\xffé\\xc3", tools.printable("\255é\195"))
    assert.equal("a\nb\\xff", tools.utf8("a\nb\255"))
  end)
end)

-- What a server may send in 256 KiB of headers; quadratic time would take minutes.
describe("text from the network is read in linear time:", function()
  local COUNT = 100000

  for what, text in pairs {
    ["blanks"] = (" "):rep(COUNT), ["blanks between letters"] = "a" .. (" "):rep(COUNT) .. "b",
    ["open links"] = (", <"):rep(COUNT), ["links without end"] = "<a>" .. (";a"):rep(COUNT),
    ["quotes"] = '<a>; rel="' .. ("\\"):rep(COUNT), ["semicolons"] = "a=1" .. (";"):rep(COUNT),
    ["numbers"] = ("1 "):rep(COUNT), ["commas"] = (","):rep(COUNT), ["angle brackets"] = ("<>"):rep(COUNT),
  } do
    it(what, function()
      trim(text)
      links.parse(text, "http://h/")
      cookies.lines({ text, "a=" .. text, "a=1; expires=" .. text, "a=1; path=" .. text }, "http://h/")
      date.parse(text)
      charset.decode("x", "text/plain;" .. text)
    end)
  end
end)
