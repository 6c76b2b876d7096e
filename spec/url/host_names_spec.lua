-- International host names: every way in leads to the same name.

local http = require "lurcher.http"
local origin = require "spec.support.origin"
local url = require "lurcher.url"

local ASCII = "xn--bcher-kva.example"
local SPELLINGS = {
  "b\195\188cher.example", -- composed
  "bu\204\136cher.example", -- decomposed, as macOS writes names
  "B\195\156CHER.example",
  "\239\189\130\195\188cher\239\188\142example", -- full-width b and dot
  "b\195\188\194\173cher.example", -- soft hyphen
  "b%C3%BCcher.example",
}
local REFUSED = {
  ["a right-to-left override"] = "look\226\128\174out.example",
  ["a joiner at the beginning"] = "\226\128\141a.example",
  ["the replacement character"] = "\239\191\189.example",
  ["what stands for a slash"] = "\226\132\128.example",
  ["what stands for a percent sign"] = "\239\188\133.example",
  ["what stands for a colon"] = "a\239\188\154.example",
  ["a label of 64 octets"] = ("a"):rep(64) .. ".example",
  ["an international label of 64 octets"] = "\195\188" .. ("a"):rep(57) .. ".example",
}

describe("an international host name", function()
  it("is the same in all its spellings", function()
    for _, name in ipairs(SPELLINGS) do
      assert.are.equal(ASCII, url.parse("http://" .. name .. "/").host, name)
      assert.are.equal("http://" .. ASCII .. "/", url.build { scheme = "http", host = name }, name)
      assert.are.equal("http://" .. ASCII .. "/x", url.join("http://h/", "//" .. name .. "/x"), name)
      assert.are.equal("http://" .. ASCII .. "/x", url.join("http://" .. name .. "/a", "x"), name)
    end
  end)

  it("keeps what only newer rules know, and takes symbols", function()
    assert.are.equal("xn--fa-hia.de", url.parse("http://fa\195\159.de/").host)
    assert.are.equal("xn--n3h.net", url.parse("http://\226\152\131.net/").host)
  end)

  for what, name in pairs(REFUSED) do
    it("with " .. what .. " is refused with kind url", function()
      for _, f in ipairs { url.parse, http.get, function(text) return url.join("http://h/", text) end } do
        local result, err = f("http://" .. name .. "/")
        assert.is_nil(result)
        assert.are.equal("url", err.kind)
        assert.matches("host", err.message)
      end
    end)
  end

  it("that is none is refused in the resolve option", function()
    assert.error_matches(function()
      http.client { resolve = { [REFUSED["what stands for a slash"] .. ":80"] = "127.0.0.1" } }
    end, "resolve: '[^']*': the URL's host")
  end)

  it("leads to the same server, pool and addresses", function()
    local site = origin.start()
    local resolve = { [("%s:%d"):format(SPELLINGS[2], site.port)] = "127.0.0.1" }
    local client = http.client { resolve = resolve, limits = { per_origin = 1 } }
    for _, name in ipairs(SPELLINGS) do
      local res = assert(client:get(("http://%s:%d/"):format(name, site.port)))
      assert.are.equal(("http://%s:%d/"):format(ASCII, site.port), res.url)
      assert.are.equal(("%s:%d"):format(ASCII, site.port), site:last().headers.host)
    end
    assert.is_true(assert(client:get(("http://%s:%d/"):format(ASCII, site.port))).reused)
    client:close()
    site:stop()
  end)

  it("may stand in base_url, Location and Link", function()
    local site = origin.start()
    local resolve = { [("%s:%d"):format(ASCII, site.port)] = "127.0.0.1" }
    local wanted = ("http://%s:%d/there"):format(ASCII, site.port)
    local there = ("http://%s:%d/there"):format(SPELLINGS[2], site.port)
    site.paths["/from"] = { status = 302, headers = { Location = there,
      Link = "<" .. there .. ">; rel=next" } }
    local base = ("http://%s:%d"):format(SPELLINGS[3], site.port)
    local client = http.client { resolve = resolve, base_url = base }
    local res = assert(client:get "from")
    assert.are.equal(wanted, res.url)
    assert.are.equal(wanted, res.history[1]:links().next.url)
    client:close()
    site:stop()
  end)

  it("that is none ends a redirect with kind redirect", function()
    local site = origin.start()
    local there = "http://" .. REFUSED["what stands for a slash"]
    site.paths["/from"] = { status = 302, headers = { Location = there } }
    local res, err = http.get(site.url .. "/from")
    assert.is_nil(res)
    assert.are.equal("redirect", err.kind)
    site:stop()
  end)
end)
