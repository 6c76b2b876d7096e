local http = require "lurcher.http"
local origin = require "spec.support.origin"

describe("TLS options", function()
  local site

  before_each(function() site = origin.start { tls = true } end)
  after_each(function() site:stop() end)

  it("trust a given certificate file", function()
    assert.are.equal("ok", assert(http.get(site.url, { tls = { ca = site.ca } })).body)
    assert.are.equal("ok", assert(http.client({ tls = { ca = site.ca } }):get(site.url)).body)
  end)

  it("merge by key", function()
    local client = http.client { tls = { ca = site.ca, min = "1.3" } }
    assert.are.equal("ok", assert(client:get(site.url, { tls = { min = "1.2" } })).body)
    local _, err = client:get(site.url, { tls = { ca = false }, retry = false })
    assert.are.equal("tls", err.kind)
  end)

  it("do without verification only where asked", function()
    local client = http.client()
    assert(client:get(site.url, { tls = { verify = false } }))
    local _, err = client:get(site.url, { retry = false })
    assert.are.equal("tls", err.kind)
  end)

  it("give another server name for the certificate", function()
    local named = origin.start { tls = { names = { "inner.example" } } }
    local res = assert(http.get(named.url, { tls = { ca = named.ca, server_name = "inner.example" } }))
    assert.are.equal("ok", res.body)
    named:stop()
  end)
end)
