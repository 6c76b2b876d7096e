-- lurcher.http against servers that others wrote: nginx and nghttpd.

local http = require "lurcher.http"
local task = require "lurcher.task"
local servers = require "spec.support.servers"

-- Runs fn(i) for i = 1..count together; the results in order.
local function together(count, fn)
  local numbers = {}
  for i = 1, count do numbers[i] = i end
  return task.map(numbers, fn, { concurrency = count })
end

local function distinct(list, field)
  local seen, count = {}, 0
  for _, item in ipairs(list) do
    local key = item[field]
    if not seen[key] then
      seen[key], count = true, count + 1
    end
  end
  return count
end

describe("nginx", function()
  local nginx, api

  setup(function()
    nginx = servers.nginx()
    servers.write(nginx.directory .. "/www/text", ("lorem ipsum\n"):rep(1000))
    servers.write(nginx.directory .. "/www/large", ("0123456789abcdef"):rep(512 * 1024))
  end)

  teardown(function() nginx:stop() end)

  before_each(function() api = http.client { tls = { ca = nginx.ca } } end)

  after_each(function() api:close() end)

  local function connection(url, options)
    local response = assert(api:get(url .. "/connection", options))
    return assert(response:json()), response
  end

  it("keeps one connection for requests one after the other", function()
    local first, response = connection(nginx.http)
    assert.is_false(response.reused)
    assert.equal("1.1", response.http_version)
    for n = 2, 10 do
      local again, later = connection(nginx.http)
      assert.equal(first.number, again.number)
      assert.equal(n, again.requests)
      assert.is_true(later.reused)
    end
  end)

  it("opens no more connections than per_origin allows", function()
    local narrow = http.client { limits = { per_origin = 4 } }
    local answers = together(40, function()
      return assert(assert(narrow:get(nginx.http .. "/connection")):json())
    end)
    assert.is_true(distinct(answers, "number") <= 4)
    narrow:close()
  end)

  it("goes on when the server closes a kept connection", function()
    local brief = servers.nginx { config = [[
      daemon off; pid @DIR@/nginx.pid; error_log @DIR@/error.log;
      events {}
      http {
        access_log off; keepalive_requests 5;
        client_body_temp_path @DIR@/client; proxy_temp_path @DIR@/proxy; fastcgi_temp_path @DIR@/fcgi;
        uwsgi_temp_path @DIR@/uwsgi; scgi_temp_path @DIR@/scgi;
        server { listen 127.0.0.1:@HTTP@; location / { return 200 "$connection"; } }
      }]] }
    local numbers = {}
    for n = 1, 20 do numbers[n] = { number = assert(api:get(brief.http, { retry = false })).body } end
    brief:stop()
    assert.equal(4, distinct(numbers, "number"))
  end)

  it("loses no request when the server reloads", function()
    for _, url in ipairs { nginx.http, nginx.http2 } do
      together(8, function(worker)
        for n = 1, 10 do
          if worker == 1 and n == 5 then assert.equal(0, os.execute("kill -HUP " .. nginx:pid())) end
          assert.equal(200, assert(api:get(url .. "/small")).status)
        end
        return true
      end)
    end
  end)

  it("is not blamed for the time that the script computed before the request", function()
    assert(api:get(nginx.http .. "/small"))
    local until_then = task.now() + 0.3
    while task.now() < until_then do end
    assert(api:get(nginx.http .. "/small", { timeout = { total = 0.25 }, retry = false }))
  end)

  it("speaks TLS with a given authority", function()
    local answer, response = connection(nginx.https)
    assert.equal("HTTP/1.1", answer.protocol)
    assert.equal("1.1", response.http_version)
  end)

  it("refuses a certificate of an unknown issuer", function()
    local response, err = http.get(nginx.https .. "/small", { retry = false })
    assert.is_nil(response)
    assert.equal("tls", err.kind)
    assert.is_truthy(err.message:lower():find("self%-signed") or err.message:lower():find("issuer"))
  end)

  it("refuses a certificate for another host", function()
    local port = nginx.https:match("%d+$")
    local response, err = api:get("https://wrong.test:" .. port .. "/small",
      { resolve = { ["wrong.test:" .. port] = "127.0.0.1" }, retry = false })
    assert.is_nil(response)
    assert.equal("tls", err.kind)
    assert.is_truthy(err.message:find("wrong.test", 1, true) or err.message:lower():find("host"))
  end)

  it("agrees on HTTP/2 by ALPN", function()
    local answer, response = connection(nginx.http2)
    assert.equal("HTTP/2.0", answer.protocol)
    assert.equal("2", response.http_version)
  end)

  it("stays with HTTP/1.1 when told so", function()
    local answer, response = connection(nginx.http2, { http_version = "1.1" })
    assert.equal("HTTP/1.1", answer.protocol)
    assert.equal("1.1", response.http_version)
  end)

  it("multiplexes HTTP/2 requests over one connection", function()
    local first = connection(nginx.http2)
    local answers = together(64, function() return (connection(nginx.http2)) end)
    assert.equal(1, distinct(answers, "number"))
    assert.equal(first.number, answers[1].number)
  end)

  it("cancels one HTTP/2 stream without harm to the others", function()
    local first = connection(nginx.http2)
    task.scope(function(scope)
      local stopped = scope:spawn(function() return api:get(nginx.http2 .. "/large") end)
      local kept = scope:spawn(function() return #assert(api:get(nginx.http2 .. "/large")).body end)
      task.yield()
      stopped:cancel()
      assert.equal(8 * 1024 * 1024, kept:join())
    end)
    assert.equal(first.number, connection(nginx.http2).number)
  end)

  for _, protocol in ipairs { "http", "https", "http2" } do
    it("streams a large file whole over " .. protocol, function()
      local bytes, largest = 0, 0
      local result = api:stream("GET", nginx[protocol] .. "/large", {}, function(response)
        for chunk in response:chunks() do
          bytes, largest = bytes + #chunk, math.max(largest, #chunk)
        end
        return "done"
      end)
      assert.equal("done", result)
      assert.equal(8 * 1024 * 1024, bytes)
      assert.is_true(largest <= 1024 * 1024)
    end)

    it("holds a fast server back for a slow reader over " .. protocol, function()
      local response = assert(api:get(nginx[protocol] .. "/large", { stream = true }))
      local bytes, count = 0, 0
      for chunk in response:chunks() do
        bytes, count = bytes + #chunk, count + 1
        if count % 10 == 0 then task.sleep(0.01) end
      end
      assert.equal(8 * 1024 * 1024, bytes)
    end)

    it("decodes what the server compresses on the way over " .. protocol, function()
      local response = assert(api:get(nginx[protocol] .. "/text"))
      assert.equal("gzip", response.headers["Content-Encoding"])
      assert.equal(("lorem ipsum\n"):rep(1000), response.body)
      assert.is_true(response.bytes_received < 12000)
    end)

    it("takes a HEAD answer without a body over " .. protocol, function()
      local response = assert(api:head(nginx[protocol] .. "/large"))
      assert.equal(200, response.status)
      assert.equal("", response.body or "")
    end)
  end

  it("returns other statuses as responses", function()
    assert.equal(404, assert(api:get(nginx.http .. "/absent")).status)
    assert.equal(405, assert(api:post(nginx.http .. "/text", { body = "x" })).status)
    local part = assert(api:get(nginx.http .. "/large", { headers = { Range = "bytes=16-31" } }))
    assert.equal(206, part.status)
    assert.equal("0123456789abcdef", part.body)
    local etag = assert(api:get(nginx.http .. "/large", { headers = { Range = "bytes=0-0" } })).headers.etag
    local same = assert(api:get(nginx.http .. "/large", { headers = { ["If-None-Match"] = etag } }))
    assert.equal(304, same.status)
    assert.equal("", same.body)
  end)

  it("tells a server that is gone by kind 'connect'", function()
    local gone = servers.nginx()
    gone:stop()
    local response, err = api:get(gone.http, { retry = false })
    assert.is_nil(response)
    assert.equal("connect", err.kind)
  end)
end)

describe("nghttpd", function()
  local api, server

  local function start(flags)
    server = servers.nghttpd(flags)
    api = http.client { tls = { ca = server.ca } }
    task.defer(function()
      api:close()
      server:stop()
    end)
  end

  it("serves files over HTTP/2", function()
    start()
    servers.write(server.directory .. "/www/file", "hello")
    local response = assert(api:get(server.http2 .. "/file"))
    assert.equal("2", response.http_version)
    assert.equal("hello", response.body)
    assert.equal(404, assert(api:get(server.http2 .. "/absent")).status)
  end)

  it("may allow one stream at a time", function()
    start("-m 1")
    servers.write(server.directory .. "/www/file", "hello")
    local answers = together(20, function() return assert(api:get(server.http2 .. "/file")).body end)
    assert.equal(20, #answers)
    for _, body in ipairs(answers) do assert.equal("hello", body) end
  end)

  it("gets a whole large body", function()
    start("--echo-upload")
    local body = ("0123456789abcdef"):rep(64 * 1024)
    assert.is_true(body == assert(api:post(server.http2 .. "/", { body = body })).body)
  end)

  it("may send trailers", function()
    start("--trailer 'checksum: 1'")
    servers.write(server.directory .. "/www/file", "hello")
    assert.equal("hello", assert(api:get(server.http2 .. "/file")).body)
  end)
end)
