local secret = require "lurcher.base.secret"
local url = require "lurcher.url"

-- What a call that must raise says, without the position in front.
local raised = require("spec.support.raising").message

describe("url.parse", function()
  it("takes a URL apart", function()
    assert.same({
      scheme = "https", user = "us%40er", password = "pass%3Aword", host = "example.com", port = 8443,
      path = "/a/b", query = "x=1&y=2", fragment = "top",
    }, url.parse("https://us%40er:pass%3Aword@example.com:8443/a/b?x=1&y=2#top"))
  end)

  it("fills in the scheme's port and the path", function()
    assert.same({ scheme = "http", host = "h", port = 80, path = "/" }, url.parse("http://h"))
    assert.same({ scheme = "https", host = "h", port = 443, path = "/" }, url.parse("https://h:443"))
    assert.same({ scheme = "wss", host = "h", port = 443, path = "/" }, url.parse("wss://h/"))
  end)

  it("tells an empty part from an absent one", function()
    assert.same({ scheme = "http", user = "", password = "", host = "h", port = 80, path = "/", query = "",
      fragment = "" }, url.parse("http://:@h/?#"))
  end)

  it("makes everything canonical", function()
    assert.same({ scheme = "http", host = "example.com", port = 80, path = "/b%20c%C3%BC", query = "q=%20" },
      url.parse("HTTP://EXAMPLE.com:80/a/../b c\195\188?q= "))
  end)

  it("gives IPv6 addresses without brackets", function()
    assert.equal("::1", url.parse("http://[0:0::1]:80/").host)
  end)

  it("takes schemes without a host", function()
    assert.same({ scheme = "mailto", path = "a@b" }, url.parse("mailto:a@b"))
    assert.same({ scheme = "file", host = "", path = "/etc" }, url.parse("file:///etc"))
  end)

  it("returns an error of kind url for what is none", function()
    local refused = {
      [""] = "empty", ["/path"] = "relative", ["example.com/x"] = "no scheme", ["127.0.0.1:80"] = "no scheme",
      ["http://"] = "no host", ["http://h:99999/"] = "port", ["http://h:x/"] = "port",
      ["http://a b/"] = "space",
      ["http://h/\r\nX: y"] = "carriage return", ["http://h/\0"] = "NUL", ["http://[::g]/"] = "IPv6",
      ["http://user@evil@h/"] = "second \"@\"", ["http://h\\x/"] = "backslash",
      ["http://good\\@evil/"] = "backslash", ["http://u:good\\@evil/"] = "write %5C",
    }
    for text, message in pairs(refused) do
      local parts, err = url.parse(text)
      assert.is_nil(parts)
      assert.equal("url", err.kind)
      assert.is_truthy(err.message:find(message, 1, true), ("%q: %s"):format(text, err.message))
    end
  end)

  it("raises when it is not given a string", function()
    assert.equal("bad argument #1 to 'url.parse' (string expected, got nil)", raised(url.parse))
  end)
end)

describe("url.join", function()
  it("resolves the examples of RFC 3986, section 5.4", function()
    local base = "http://a/b/c/d;p?q"
    local resolved = {
      ["g:h"] = "g:h", ["g"] = "http://a/b/c/g", ["./g"] = "http://a/b/c/g", ["g/"] = "http://a/b/c/g/",
      ["/g"] = "http://a/g", ["//g"] = "http://g", ["?y"] = "http://a/b/c/d;p?y",
      ["g?y"] = "http://a/b/c/g?y",
      ["#s"] = "http://a/b/c/d;p?q#s", ["g#s"] = "http://a/b/c/g#s", ["g?y#s"] = "http://a/b/c/g?y#s",
      [";x"] = "http://a/b/c/;x", ["g;x"] = "http://a/b/c/g;x", ["g;x?y#s"] = "http://a/b/c/g;x?y#s",
      [""] = "http://a/b/c/d;p?q", ["."] = "http://a/b/c/", ["./"] = "http://a/b/c/", [".."] = "http://a/b/",
      ["../"] = "http://a/b/", ["../g"] = "http://a/b/g", ["../.."] = "http://a/", ["../../"] = "http://a/",
      ["../../g"] = "http://a/g", ["../../../g"] = "http://a/g", ["../../../../g"] = "http://a/g",
      ["/./g"] = "http://a/g", ["/../g"] = "http://a/g", ["g."] = "http://a/b/c/g.",
      [".g"] = "http://a/b/c/.g",
      ["g.."] = "http://a/b/c/g..", ["..g"] = "http://a/b/c/..g", ["./../g"] = "http://a/b/g",
      ["./g/."] = "http://a/b/c/g/", ["g/./h"] = "http://a/b/c/g/h", ["g/../h"] = "http://a/b/c/h",
      ["g;x=1/./y"] = "http://a/b/c/g;x=1/y", ["g;x=1/../y"] = "http://a/b/c/y",
      ["g?y/./x"] = "http://a/b/c/g?y/./x", ["g?y/../x"] = "http://a/b/c/g?y/../x",
      ["g#s/./x"] = "http://a/b/c/g#s/./x", ["g#s/../x"] = "http://a/b/c/g#s/../x",
    }
    for reference, expected in pairs(resolved) do assert.equal(expected, url.join(base, reference)) end
  end)

  it("gives no path to a URL without one", function()
    assert.equal("http://h?y", url.join("http://h", "?y"))
    assert.equal("http://h", url.join("http://h", ""))
    assert.equal("http://h#f", url.join("http://h", "#f"))
    assert.equal("https://g?x/y", url.join("http://a/b", "https://g?x/y"))
    assert.equal("http://g/", url.join("http://a/b", "//g/"))
    assert.equal("http://h/x", url.join("http://h", "x"))
  end)

  it("does not append as base_url does", function()
    assert.equal("https://h/items", url.join("https://h/v1", "items"))
    assert.equal("https://h/v1/items", url.join("https://h/v1/", "items"))
    assert.equal("https://h/items", url.join("https://h/v1/", "/items"))
  end)

  it("returns an error of kind url for a base or a result that is none", function()
    for _, case in ipairs {
      { "foo", "bar" }, { "", "http://h/" }, { "http://h/", "http://" }, { "http://h/", "a\nb" },
    } do
      local text, err = url.join(case[1], case[2])
      assert.is_nil(text)
      assert.equal("url", err.kind)
    end
  end)

  it("raises when it is not given strings", function()
    assert.matches("bad argument #1 to 'url.join'", raised(url.join, nil, "x"))
    assert.matches("bad argument #2 to 'url.join'", raised(url.join, "http://h/"))
  end)
end)

describe("url.build", function()
  it("is the inverse of url.parse", function()
    for _, text in ipairs {
      "https://us%40er:pass%3Aword@example.com:8443/a/b?x=1&y=2#top", "http://h/", "http://h/?#",
      "http://h/?a?b/c",
      "http://:@h/", "http://user@h/", "http://[::1]:8080/x", "mailto:a@b", "file:///etc",
      "http://h:1/%2F%41", "urn:a:b", "http://h/a;b=c,d", "foo:/.//x", "http://[fe80::1%25eth0]/",
      "http://xn--tda/", "http://h/a//b//",
      "https://h/#a#b",
    } do
      local parts = assert(url.parse(text))
      assert.equal(text:gsub("#a#b", "#a%%23b"), url.build(parts))
      assert.same(parts, url.parse(url.build(parts)))
    end
  end)

  it("encodes what would end a part", function()
    assert.equal("http://a%40b%3A:c%2Fd%3A@h/x%3Fy%23z?q%23=1#f",
      url.build { scheme = "http", user = "a@b:", password = "c/d:", host = "h", path = "/x?y#z",
        query = "q#=1", fragment = "f" })
  end)

  it("keeps what is encoded already, and encodes what may not stand in a URL", function()
    assert.equal("http://h/%41%20b%C3%BC", url.build { scheme = "http", host = "h", path = "/%41 b\195\188" })
  end)

  it("takes an IPv6 address with or without brackets", function()
    assert.equal("http://[::1]/", url.build { scheme = "http", host = "::1" })
    assert.equal("http://[::1]:8080/", url.build { scheme = "http", host = "[::1]", port = 8080 })
  end)

  it("leaves the scheme's own port out", function()
    assert.equal("https://h/", url.build { scheme = "https", host = "h", port = 443 })
    assert.equal("https://h:80/", url.build { scheme = "https", host = "h", port = 80 })
  end)

  it("takes a table as query, and a path without a slash", function()
    assert.equal("http://h/a?n=1&tag=x&tag=y",
      url.build { scheme = "http", host = "h", path = "a", query = { tag = { "x", "y" }, n = 1 } })
  end)

  it("does not let a path turn into a host", function()
    assert.equal("foo:/.//evil/x", url.build { scheme = "foo", path = "//evil/x" })
  end)

  it("takes ports up to 65535", function()
    assert.equal("http://h:65535/", url.build { scheme = "http", host = "h", port = 65535 })
    assert.equal("http://h:0/", url.build { scheme = "http", host = "h", port = 0 })
    assert.matches("option 'port' must be a whole number up to 65535, got 65536",
      raised(url.build, { scheme = "http", host = "h", port = 65536 }))
  end)

  it("raises when the parts make no URL", function()
    local messages = {
      ["url.build: there is no scheme"] = { host = "h" },
      ["url.build: \"ht tp\" is no scheme"] = { scheme = "ht tp", host = "h" },
      ["url.build: \"a/b\" is no host"] = { scheme = "http", host = "a/b" },
      ["url.build: \"u@h\" is no host"] = { scheme = "http", host = "u@h" },
      ["url.build: there is no host"] = { scheme = "foo", user = "u" },
      ["no host"] = { scheme = "http", host = "" },
      ["carriage return"] = { scheme = "http", host = "h", path = "/\r\n" },
      ["option 'port' must be a whole number up to 65535"] = { scheme = "http", host = "h", port = 70000 },
      ["unknown option 'hots'; did you mean 'host'?"] = { scheme = "http", hots = "h" },
      ["option 'path' must be string"] = { scheme = "http", host = "h", path = 1 },
    }
    for message, parts in pairs(messages) do
      local got = raised(url.build, parts)
      assert.is_truthy(got:find(message, 1, true), message .. "\n  got: " .. got)
    end
    assert.matches("bad argument #1 to 'url.build'", raised(url.build, "http://h"))
  end)
end)

describe("url.encode and url.decode", function()
  it("encode all but letters, digits and -._~", function()
    assert.equal("AZaz09-._~%20%2F%3F%26%3D%2B%25%00%C3%BC", url.encode("AZaz09-._~ /?&=+%\0\195\188"))
    assert.equal("", url.encode(""))
  end)

  it("undo each other for all bytes", function()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    local text = table.concat(bytes)
    assert.equal(text, url.decode(url.encode(text)))
  end)

  it("leave a percent sign that encodes nothing", function()
    assert.equal("100%", url.decode("100%"))
    assert.equal("%zz%4", url.decode("%zz%4"))
    assert.equal("a b", url.decode("a%20b"))
  end)

  it("take a plus for a space only if asked", function()
    assert.equal("a+b", url.decode("a+b"))
    assert.equal("a b+", url.decode("a+b%2B", { plus = true }))
    assert.matches("unknown option 'pluss'", raised(url.decode, "a", { pluss = true }))
  end)

  it("raise when they are not given a string", function()
    assert.matches("bad argument #1 to 'url.encode' %(string expected, got 1%)", raised(url.encode, 1))
    assert.matches("bad argument #1 to 'url.decode'", raised(url.decode))
  end)

  it("take long texts", function()
    local long = (" "):rep(1000000)
    assert.equal(("%20"):rep(1000000), url.encode(long))
    assert.equal(long, url.decode(url.encode(long)))
  end)
end)

describe("url.query", function()
  it("sorts a map by key", function()
    assert.equal("B=2&a=1&b=3", url.query { b = 3, a = 1, B = 2 })
  end)

  it("keeps the order of a list of pairs", function()
    assert.equal("b=1&a=2&b=3", url.query { { "b", 1 }, { "a", 2 }, { "b", 3 } })
  end)

  it("repeats the key for a list", function()
    assert.equal("tag=a&tag=b", url.query { tag = { "a", "b" } })
    assert.equal("tag=a&tag=b&x=1", url.query { { "tag", { "a", "b" } }, { "x", 1 } })
    assert.equal("", url.query { tag = {} })
  end)

  it("writes numbers and booleans as text", function()
    assert.equal("a=1&b=2.5&c=true&d=false&e=1e%2B100",
      url.query { a = 1, b = 2.5, c = true, d = false, e = 1e100 })
    assert.equal("a=false&b=9007199254740991", url.query { { "a", false }, { "b", 2 ^ 53 - 1 } })
  end)

  it("encodes keys and values", function()
    assert.equal("a%20b=%C3%BC%26%3D%2B", url.query { ["a b"] = "\195\188&=+" })
    assert.equal("", url.query {})
  end)

  it("sends the text of a secret", function()
    assert.equal("key=s3cr3t-key", url.query { key = secret.new("s3cr3t-key") })
  end)

  it("raises on what is no parameter", function()
    assert.matches("'a' must be a string, a number, a boolean, or a list of these, got a table",
      raised(url.query, { a = { { 1 } } }))
    assert.matches("got a function", raised(url.query, { a = print }))
    assert.matches("'a' must be a finite number", raised(url.query, { a = 0 / 0 }))
    assert.matches("names must be strings, got 1", raised(url.query, { "a" }))
    assert.matches("bad argument #1 to 'url.query' %(table expected, got \"a=1\"%)", raised(url.query, "a=1"))
  end)

  it("leaves the table as it was", function()
    local t = { a = false, b = { 1 } }
    url.query(t)
    assert.same({ a = false, b = { 1 } }, t)
  end)
end)

describe("url errors", function()
  it("name the caller's line", function()
    local _, message = pcall(function() url.build {} end)
    assert.matches("url_spec.lua:%d+: url.build: there is no scheme$", message)
  end)
end)
