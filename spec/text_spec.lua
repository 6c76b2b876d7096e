local charset = require "lurcher.charset"
local cookies = require "lurcher.cookies"
local date = require "lurcher.date"
local links = require "lurcher.links"
local trim = require("lurcher.text").trim

describe("trim", function()
  it("takes blanks and tabs off both ends", function()
    for text, trimmed in pairs { [""] = "", [" "] = "", ["\t a b\t "] = "a b", a = "a", [" \n "] = "\n" } do
      assert.are.equal(trimmed, trim(text))
    end
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
      cookies.parse({ text, "a=" .. text, "a=1; expires=" .. text, "a=1; path=" .. text }, "http://h/")
      date.parse(text)
      charset.decode("x", "text/plain;" .. text)
    end)
  end
end)
