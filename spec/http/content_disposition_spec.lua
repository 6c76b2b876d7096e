-- The file name of a Content-Disposition header: what RFC 6266's test collection (greenbytes tc2231) and the
-- tests of jshttp's parser ask about, with the name a client should take; false: none. Text in the table is
-- UTF-8.

local content_disposition = require "lurcher.http.download.content_disposition"
local file_name = require "lurcher.http.download.file_name"

local HEADERS = {
  { [["attachment"]], false },
  { "attachment;", false },
  { "attachment", false },
  { "inline", false },
  { "form-data", false },
  { "attachment \9 ", false },
  { "ATTACHMENT", false },
  { [[attachment; filename="rates.pdf";]], "rates.pdf" },
  { [[attachment; filename@="rates.pdf"]], false },
  { "attachment; filename=", "" },
  { "attachment; filename=trolly,trains", "trolly,trains" },
  { "attachment; filename=total/; foo=bar", "total/" },
  { "attachment; filename=foo; filename=bar", "foo" },
  { [[filename="plans.pdf"]], false },
  { [[; filename="plans.pdf"]], "plans.pdf" },
  { [[attachment; FILENAME="plans.pdf"]], "plans.pdf" },
  { [[attachment; filename="plans.pdf"]], "plans.pdf" },
  { [[attachment; filename="the \"plans\".pdf"]], [[the "plans".pdf]] },
  { [[attachment; filename="plans.pdf"; foo=bar]], "plans.pdf" },
  { 'attachment;filename="plans.pdf" \9;    \9\9 foo=bar', "plans.pdf" },
  { "attachment; filename=plans.pdf", "plans.pdf" },
  { [[attachment; filename="£ rates.pdf"]], "£ rates.pdf" },
  { [[attachment; filename*="UTF-8''%E2%82%AC%20rates.pdf"]], false },
  { "attachment; filename*=UTF-8''%E2%82%AC%20rates.pdf", "€ rates.pdf" },
  { "attachment; filename*=utf8''%E2%82%AC%20rates.pdf", "€ rates.pdf" },
  { "attachment; filename*=UTF-8''%E4%20rates.pdf", false },
  { "attachment; filename*=ISO-8859-1''%A3%20rates.pdf", "£ rates.pdf" },
  { "attachment; filename*=ISO-8859-1''%82%20rates.pdf", "\194\130 rates.pdf" },
  { "attachment; filename*=ISO-8859-1''ABC.pdf", "ABC.pdf" },
  { "attachment; filename*=ISO-8859-1''%A3%2rates.pdf", false },
  { [[attachment; filename="invoice.pdf"; filename*=ISO-8859-1''report%2]], "invoice.pdf" },
  { "attachment; filename*=utf-8''%E2%82%AC%20rates.pdf", "€ rates.pdf" },
  { "attachment; filename*=ISO-8859-2''%A4%20rates.pdf", false },
  { "attachment; filename*=UTF-8'en'%E2%82%AC%20rates.pdf", "€ rates.pdf" },
  { [[attachment; filename="EURO rates.pdf"; filename*=UTF-8''%E2%82%AC%20rates.pdf]], "€ rates.pdf" },
  { [[attachment; filename*=UTF-8''%E2%82%AC%20rates.pdf; filename="EURO rates.pdf"]], "€ rates.pdf" },
  { "attachment; filename*=UTF-8''first.html; filename*=UTF-8''second.html", "first.html" },
  { "attachment; filename*=UTF-8''%E4%20rates.pdf; filename*=UTF-8''second.html", false },
  { [[attachment; filename="EURO rates.pdf"; filename*=ISO-8859-2''%A4%20rates.pdf]], "EURO rates.pdf" },
  { [["inline"]], false },
  { [[inline; filename="foo.html"]], "foo.html" },
  { [[inline; filename="Not an attachment!"]], "Not an attachment!" },
  { [[inline; filename="foo.pdf"]], "foo.pdf" },
  { [[attachment; filename="foo.html"]], "foo.html" },
  { [[attachment; filename="0000000000111111111122222"]], "0000000000111111111122222" },
  { [[attachment; filename="00000000001111111111222222222233333"]], "00000000001111111111222222222233333" },
  { [[attachment; filename="f\oo.html"]], "foo.html" },
  { [[attachment; filename="\"quoting\" tested.html"]], [["quoting" tested.html]] },
  { [[attachment; filename="Here's a semicolon;.html"]], "Here's a semicolon;.html" },
  { [[attachment; foo="bar"; filename="foo.html"]], "foo.html" },
  { [[attachment; foo="\"\\";filename="foo.html"]], "foo.html" },
  { [[attachment; FILENAME="foo.html"]], "foo.html" },
  { "attachment; filename=foo.html", "foo.html" },
  { "attachment; filename=foo,bar.html", "foo,bar.html" },
  { "attachment; filename=foo.html ;", "foo.html" },
  { "attachment; ;filename=foo", "foo" },
  { "attachment; filename=foo bar.html", "foo bar.html" },
  { "attachment; filename='foo.bar'", "'foo.bar'" },
  { [[attachment; filename="foo-ä.html"]], "foo-ä.html" },
  { [[attachment; filename="foo-Ã¤.html"]], "foo-Ã¤.html" },
  { [[attachment; filename="foo-%41.html"]], "foo-%41.html" },
  { [[attachment; filename="50%.html"]], "50%.html" },
  { [[attachment; filename="foo-%\41.html"]], "foo-%41.html" },
  { [[attachment; name="foo-%41.html"]], false },
  { [[attachment; filename="ä-%41.html"]], "ä-%41.html" },
  { [[attachment; filename="foo-%c3%a4-%e2%82%ac.html"]], "foo-%c3%a4-%e2%82%ac.html" },
  { [[attachment; filename ="foo.html"]], "foo.html" },
  { [[attachment; filename="foo.html"; filename="bar.html"]], "foo.html" },
  { "attachment; filename=foo[1](2).html", "foo[1](2).html" },
  { "attachment; filename=foo-ä.html", "foo-ä.html" },
  { "attachment; filename=foo-Ã¤.html", "foo-Ã¤.html" },
  { "filename=foo.html", false },
  { "x=y; filename=foo.html", "foo.html" },
  { [["foo; filename=bar;baz"; filename=qux]], "bar" },
  { "filename=foo.html, filename=bar.html", false },
  { "; filename=foo.html", "foo.html" },
  { ": inline; attachment; filename=foo.html", "foo.html" },
  { "inline; attachment; filename=foo.html", "foo.html" },
  { "attachment; inline; filename=foo.html", "foo.html" },
  { [[attachment; filename="foo.html".txt]], "foo.html" },
  { [[attachment; filename="bar]], false },
  { [[attachment; filename=foo"bar;baz"qux]], [[foo"bar]] },
  { "attachment; filename=foo.html, attachment; filename=bar.html", "foo.html, attachment" },
  { "attachment; foo=foo filename=bar", false },
  { "attachment; filename=bar foo=foo", "bar foo=foo" },
  { "attachment filename=bar", false },
  { "filename=foo.html; attachment", false },
  { "attachment; xfilename=foo.html", false },
  { [[attachment; filename="/foo.html"]], "/foo.html" },
  { [[attachment; filename="\\foo.html"]], [[\foo.html]] },
  { [[attachment; creation-date="Wed, 12 Feb 1997 16:29:51 -0500"]], false },
  { [[attachment; modification-date="Wed, 12 Feb 1997 16:29:51 -0500"]], false },
  { "foobar", false },
  { [[attachment; example="filename=example.txt"]], false },
  { "attachment; filename*=iso-8859-1''foo-%E4.html", "foo-ä.html" },
  { "attachment; filename*=UTF-8''foo-%c3%a4-%e2%82%ac.html", "foo-ä-€.html" },
  { "attachment; filename*=''foo-%c3%a4-%e2%82%ac.html", false },
  { "attachment; filename*=UTF-8''foo-a%cc%88.html", "foo-ä.html" },
  { "attachment; filename*=iso-8859-1''foo-%c3%a4-%e2%82%ac.html", "foo-Ã¤-â\194\130¬.html" },
  { "attachment; filename *=UTF-8''foo-%c3%a4.html", false },
  { "attachment; filename*= UTF-8''foo-%c3%a4.html", "foo-ä.html" },
  { "attachment; filename* =UTF-8''foo-%c3%a4.html", "foo-ä.html" },
  { [[attachment; filename*="UTF-8''foo-%c3%a4.html"]], false },
  { [[attachment; filename*="foo%20bar.html"]], false },
  { "attachment; filename*=UTF-8'foo-%c3%a4.html", false },
  { "attachment; filename*=UTF-8''foo%", false },
  { "attachment; filename*=UTF-8''f%oo.html", false },
  { "attachment; filename*=UTF-8''A-%2541.html", "A-%41.html" },
  { "attachment; filename*=UTF-8''%5cfoo.html", [[\foo.html]] },
  { [[attachment; filename*0="foo."; filename*1="html"]], false },
  { [[attachment; filename*0="foo"; filename*1="\b\a\r.html"]], false },
  { [[attachment; filename*0*=UTF-8''foo-%c3%a4; filename*1=".html"]], false },
  { [[attachment; filename*0="foo"; filename*01="bar"]], false },
  { [[attachment; filename*0="foo"; filename*2="bar"]], false },
  { [[attachment; filename*1="foo."; filename*2="html"]], false },
  { [[attachment; filename*1="bar"; filename*0="foo"]], false },
  { [[attachment; filename="foo-ae.html"; filename*=UTF-8''foo-%c3%a4.html]], "foo-ä.html" },
  { [[attachment; filename*=UTF-8''foo-%c3%a4.html; filename="foo-ae.html"]], "foo-ä.html" },
  { "attachment; filename*0*=ISO-8859-15''euro-sign%3d%a4; filename*=ISO-8859-1''currency-sign%3d%a4",
    "currency-sign=¤" },
  { [[attachment; foobar=x; filename="foo.html"]], "foo.html" },
  { "attachment; filename==?ISO-8859-1?Q?foo-=E4.html?=", "=?ISO-8859-1?Q?foo-=E4.html?=" },
  { [[attachment; filename="=?ISO-8859-1?Q?foo-=E4.html?="]], "=?ISO-8859-1?Q?foo-=E4.html?=" },

  -- not in those collections
  { "attachment; filename=\"foo-\228.html\"", "foo-ä.html" }, -- Latin-1 bytes
  { "attachment; filename*=UTF-8''a%00b; filename=c", "a\0b" },
  { "", false },
  { ";;;;", false },
  { "attachment; =x; filename=a", "a" },
  { 'attachment; filename="a\\', false },
  { "attachment; filename*=UTF-8''%ed%a0%80; filename=b", "b" }, -- half a surrogate pair
}

describe("the name in Content-Disposition", function()
  for _, row in ipairs(HEADERS) do
    it(("of %q"):format(row[1]), function()
      assert.equal(row[2] or nil, content_disposition.file_name(row[1]))
    end)
  end
end)

describe("a name that a server gave", function()
  local long = ("ä"):rep(200)
  for given, wanted in pairs {
    ["a.txt"] = "a.txt", ["/etc/passwd"] = "passwd", ["..\\..\\boot.ini"] = "boot.ini", ["C:evil.exe"] = "evil.exe",
    ["C:\\x\\evil.exe"] = "evil.exe", [".bashrc"] = "bashrc", [".."] = false, ["."] = false, [""] = false,
    ["/"] = false,
    ["a/"] = false, ["a\0b\n\27[2Jc"] = "ab[2Jc", ["  a  "] = "a", ["... ."] = false, ["a. ."] = "a", ["a\127b"] = "ab",
    ["a\194\155b"] = "ab", ["gpj.\226\128\174exe"] = "gpj.exe", ["con"] = "con", ["-rf"] = "-rf", ["a?b*c"] = "a?b*c",
    [long .. ".tar.gz"] = ("ä"):rep(121) .. ".tar.gz", [("x"):rep(300)] = ("x"):rep(249),
    ["a." .. ("y"):rep(300)] = "a." .. ("y"):rep(247), ["a.part"] = "a.part_", ["a.PART.info"] = "a.PART.info_",
    ["a.part.lock"] = "a.part.lock_", ["a.part.info/b"] = "b",
  } do
    it(("is made harmless: %q"):format(given), function()
      assert.equal(wanted or nil, file_name.safe(given))
    end)
  end

  it("is numbered before its ending, and stays short enough", function()
    assert.equal("a (1).txt", file_name.numbered("a.txt", 1))
    assert.equal("a (12).tar.gz", file_name.numbered("a.tar.gz", 12))
    assert.equal("a (1)", file_name.numbered("a", 1))
    assert.equal(250, #file_name.numbered(("x"):rep(246) .. ".txt", 3))
  end)

  it("takes no time that grows with the square of its length", function()
    for _, text in ipairs { "a", " ", ".", ";", "/", '\\"', "=", "%" } do
      local header = 'attachment; filename="' .. text:rep(200000)
      content_disposition.file_name(header)
      file_name.safe(text:rep(200000))
    end
  end)
end)
