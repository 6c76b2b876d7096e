-- AWS Signature Version 4. The vectors are those of AWS's own suite: spec/data/sigv4.

local crypto = require "lurcher.crypto"
local date = require "lurcher.date"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local origin = require "spec.support.origin"
local task = require "lurcher.task"

local vectors = assert(json.decode(assert(fs.read "spec/data/sigv4/vectors.json")))

local function scheme_of(context)
  return http.aws_sigv4 { access_key = context.credentials.access_key_id,
    secret_key = context.credentials.secret_access_key, region = context.region, service = context.service,
    normalize = context.normalize,
    session_token = not context.omit_session_token and context.credentials.token or nil }
end

-- Method, target, headers and body of a request as the suite writes it; a line that begins with a blank goes on
-- with the one before.
local function request_of(text)
  local head, body = text:match("^(.-)\n\n(.*)$")
  head = (head or text):gsub("\n[ \t]+", " ")
  local method, target = head:match("^(%S+) (.-) HTTP/1.1")
  local headers = {}
  for name, value in head:gmatch("\n([^:\n]+):([^\n]*)") do
    if headers[name] then table.insert(headers[name], value) else headers[name] = { value } end
  end
  return { method = method, url = "https://" .. headers.Host[1] .. target, headers = headers,
    body = body ~= "" and body or nil }
end

-- A Date header of so many seconds from now.
local function http_date(seconds)
  return os.date("!%a, %d %b %Y %H:%M:%S GMT", os.time() + seconds)
end

local function moment_of(context) return assert(date.parse(context.timestamp)) end

describe("aws_sigv4 signs as AWS does", function()
  local count = 0
  for name, vector in pairs(vectors) do
    count = count + 1
    it("in a header: " .. name, function()
      local request = request_of(vector.request)
      assert.equal(request, scheme_of(vector.context):sign(request, { time = moment_of(vector.context) }))
      assert.equal(vector.header.signed_request:match("Authorization:([^\n]*)"), request.headers.Authorization)
      assert.equal(vector.header.signed_request:match("X%-Amz%-Date:([^\n]*)"), request.headers["X-Amz-Date"])
    end)

    it("in a query: " .. name, function()
      local request = request_of(vector.request)
      local signed = scheme_of(vector.context):presign(request.url, { method = request.method,
        time = moment_of(vector.context), expires = vector.context.expiration_in_seconds,
        headers = request.headers, body = request.body })
      assert.equal(vector.query.signature, signed:match("&X%-Amz%-Signature=(%x+)$"))
      assert.equal(request.url:match("^[^?]*"), signed:match("^[^?]*"))
    end)
  end

  it("in all of the suite's 38 requests", function() assert.equal(38, count) end)
end)

describe("aws_sigv4", function()
  local site
  local NOW = 1440938160 -- 2015-08-30T12:36:00Z

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function scheme(opts)
    local all = { access_key = "AKIDEXAMPLE", secret_key = "s3cr3tkey", region = "eu-west-1", service = "service" }
    for key, value in pairs(opts or {}) do all[key] = value end
    return http.aws_sigv4(all)
  end

  local function names_of(request)
    return request.headers.authorization:match("SignedHeaders=([^,]*)")
  end

  -- Signs what came in, as a server does, and compares.
  local function assert_signed(request, opts)
    local headers = {}
    for name in names_of(request):gmatch("[^;]+") do headers[name] = request:header_list(name) end
    local stamp = request.headers["x-amz-date"]
    local iso = stamp:gsub("^(%d%d%d%d)(%d%d)(%d%d)T(%d%d)(%d%d)(%d%d)Z$", "%1-%2-%3T%4:%5:%6Z")
    local moment = assert(date.parse(iso))
    local again = scheme(opts):sign({ method = request.method, url = site.url .. request.target, headers = headers,
      body = request.body }, { time = moment })
    assert.equal(again.headers.Authorization, request.headers.authorization)
  end

  it("signs what is sent: parameters, headers and JSON", function()
    local client = http.client { auth = scheme(), headers = { ["X-Own"] = { "a", "b  c" } } }
    assert(client:post(site.url .. "/a b/(c)", { params = { q = "1 & 2", ["é"] = "" }, json = { 1 } }))
    local request = site:last()
    assert.equal("accept;content-type;host;x-amz-content-sha256;x-amz-date;x-own", names_of(request))
    assert.equal(crypto.sha256 "[1]", request.headers["x-amz-content-sha256"])
    assert_signed(request)
    client:close()
  end)

  it("signs no header that may change on the way", function()
    assert(http.get(site.url, { auth = scheme(), headers = { ["User-Agent"] = "x", Connection = "keep-alive",
      Via = "1.1 x", ["X-Forwarded-For"] = "::1", ["Cache-Control"] = "no-cache", Accept = false } }))
    assert.equal("host;x-amz-date", names_of(site:last()))
  end)

  it("encodes a path twice, but once for S3, whose path is not normalised", function()
    assert(http.get(site.url .. "/a//b/c%20d", { auth = scheme() }))
    assert_signed(site:last())
    local s3 = { service = "s3" }
    assert(http.get(site.url .. "/a//b/c%20d", { auth = scheme(s3) }))
    local request = site:last()
    assert_signed(request, s3)
    assert.equal(crypto.sha256 "", request.headers["x-amz-content-sha256"])
    assert.equal("accept;host;x-amz-content-sha256;x-amz-date", names_of(request))
    local function signature_of(path, opts)
      return scheme(opts):sign({ url = "https://h" .. path }, { time = NOW }).headers.Authorization:match("%x+$")
    end
    assert.are_not.equal(signature_of("/a//b", s3), signature_of("/a/b", s3))
    assert.equal(signature_of("/a//./b", nil), signature_of("/a/b", nil))
    assert.are_not.equal(signature_of("/a//b", { normalize = false }), signature_of("/a/b", { normalize = false }))
    assert.equal(signature_of("/a%28%21", s3), signature_of("/a(!", s3))
    assert.are_not.equal(signature_of("/a%28", nil), signature_of("/a(", nil))
  end)

  it("leaves a payload unsigned when the script says so", function()
    local headers = { ["X-Amz-Content-Sha256"] = "UNSIGNED-PAYLOAD" }
    local first = scheme { service = "s3" }:sign({ url = "https://h/", method = "PUT", body = "a", headers = headers },
      { time = NOW })
    assert.equal("UNSIGNED-PAYLOAD", first.headers["X-Amz-Content-Sha256"])
    local before = first.headers.Authorization
    first.body = "b"
    assert.equal(before, scheme { service = "s3" }:sign(first, { time = NOW }).headers.Authorization)
  end)

  it("reads files for their digest before they are sent, but for S3", function()
    local path = os.tmpname()
    assert(fs.write(path, "hello"))
    local function digest_sent(service, body)
      body.auth = scheme { service = service }
      assert(http.post(site.url, body))
      assert_signed(site:last(), { service = service })
      return site:last().headers["x-amz-content-sha256"]
    end
    assert.equal(crypto.sha256 "hello", digest_sent("execute-api", { body = http.file(path) }))
    assert.equal(crypto.sha256 "el", digest_sent("execute-api", { body = http.file(path, { offset = 1, length = 2 }) }))
    local form = { multipart = { { name = "a", file = path }, { name = "b", value = "c" } } }
    local digest = digest_sent("execute-api", form)
    assert.equal(crypto.sha256(site:last().body), digest)
    assert.equal("UNSIGNED-PAYLOAD", digest_sent("s3", { body = http.file(path) }))
    local pieces = { "a", "b" }
    assert.equal("UNSIGNED-PAYLOAD",
      digest_sent("execute-api", { body = function() return table.remove(pieces, 1) end }))
    assert.equal(crypto.sha256 "hello",
      scheme():sign({ url = "https://h/", body = http.file(path) }).headers["X-Amz-Content-Sha256"])
    os.remove(path)
    local res, err = scheme():sign { url = "https://h/", body = http.file(path) }
    assert.is_nil(res)
    assert.equal("file", err.kind)
  end)

  it("signs a request again after a change of it", function()
    local one = scheme { session_token = "t0ken" }
    local request = one:sign({ url = "https://h/", body = "a", headers = { authorization = "old" } }, { time = NOW })
    assert.is_nil(request.headers.authorization)
    local before = request.headers.Authorization
    request.body = "b"
    one:sign(request, { time = NOW })
    assert.are_not.equal(before, request.headers.Authorization)
    assert.equal(crypto.sha256 "b", request.headers["X-Amz-Content-Sha256"])
    request.body = "a"
    assert.equal(before, one:sign(request, { time = NOW }).headers.Authorization)
  end)

  it("signs each attempt anew, also as a middleware of one's own", function()
    site.answer = function() return { status = #site:requests() % 2 == 1 and 503 or 200 } end
    local res = assert(http.get(site.url, { auth = scheme(), retry = { base = 0 } }))
    assert.equal(2, res.attempts)
    for _, request in ipairs(site:requests()) do
      assert.equal(1, #request:header_list("x-amz-date"))
      assert_signed(request)
    end
    local one = scheme()
    local client = http.client { middleware = { function(request, next) return next(one:sign(request)) end } }
    assert(client:get(site.url .. "/m"))
    assert_signed(site:last())
    client:close()
  end)

  it("corrects its clock once by the server's", function()
    local hour = 3600
    site.answer = function()
      return { status = #site:requests() == 1 and 403 or 200,
        headers = { Date = http_date(hour) } }
    end
    local client = http.client { auth = scheme(), retry = false }
    assert.equal(200, assert(client:put(site.url, { body = "x" })).status)
    assert.equal(200, assert(client:get(site.url)).status)
    local all = site:requests()
    assert.equal(3, #all)
    local function hour_of(request) return tonumber(request.headers["x-amz-date"]:match("T(%d%d)")) end
    assert.equal((hour_of(all[1]) + 1) % 24, hour_of(all[2]))
    assert.equal(hour_of(all[2]), hour_of(all[3]))
    assert.equal("x", all[2].body)
    client:close()
  end)

  it("returns a refusal that no clock explains", function()
    site.answer = { status = 403 }
    assert.equal(403, assert(http.get(site.url, { auth = scheme() })).status)
    assert.equal(1, #site:requests())
    site.answer = function()
      return { status = 403, headers = { Date = http_date(1000 * #site:requests()) } }
    end
    assert.equal(403, assert(http.get(site.url, { auth = scheme() })).status)
    assert.equal(3, #site:requests())
  end)

  it("stays with its origin", function()
    local other = origin.start()
    site.paths["/a"] = { status = 307, headers = { Location = other.url .. "/b" } }
    local client = http.client { auth = scheme { session_token = "t0ken" } }
    assert(client:get(site.url .. "/a"))
    for _, name in ipairs { "authorization", "x-amz-date", "x-amz-security-token", "x-amz-content-sha256" } do
      assert.is_nil(other:last().headers[name])
    end
    client:close()
    other:stop()
  end)

  it("makes URLs that expire", function()
    local s3 = scheme { service = "s3", session_token = "t/k" }
    local signed = s3:presign("https://bucket.s3.amazonaws.com/a%20b?versionId=1#x", { expires = 60, time = NOW })
    local start = "https://bucket.s3.amazonaws.com/a%20b?versionId=1&X-Amz-Algorithm=AWS4-HMAC-SHA256&"
    assert.equal(start, signed:sub(1, #start))
    assert.matches("&X%-Amz%-Expires=60&", signed)
    assert.matches("&X%-Amz%-Security%-Token=t%%2Fk&", signed)
    assert.matches("&X%-Amz%-Signature=%x+$", signed)
    assert.are_not.equal(signed, s3:presign("https://bucket.s3.amazonaws.com/a%20b?versionId=1",
      { expires = 60, time = NOW, method = "PUT" }))
    assert.matches("X%-Amz%-Expires=3600", s3:presign "https://h")
    assert.matches("^https://h/%?", s3:presign "https://h")
  end)

  it("never prints what is secret", function()
    local one = scheme { session_token = "s3cr3ttoken" }
    assert.equal("http.aws_sigv4", tostring(one))
    assert.is_nil(next(one))
    local marked = scheme { secret_key = http.secret "s3cr3tmarked", session_token = http.secret "s3cr3tother" }
    assert.equal("***", tostring(marked:sign({ url = "https://h/" }).headers["X-Amz-Security-Token"]))
    assert(http.get(site.url, { auth = marked }))
    assert.equal("s3cr3tother", site:last().headers["x-amz-security-token"])
    local seen
    local client = http.client { auth = one, hooks = { request = { function(request)
      seen = tostring(request.headers["X-Amz-Security-Token"])
    end } } }
    assert(client:get(site.url))
    assert.equal("***", seen)
    assert.equal("s3cr3ttoken", site:last().headers["x-amz-security-token"])
    client:close()
  end)

  it("raises for what cannot be", function()
    assert.equal("http.aws_sigv4: option 'region' is missing",
      message_of(function() http.aws_sigv4 { access_key = "a", secret_key = "b", service = "c" } end))
    assert.equal("http.aws_sigv4: unknown option 'secret'; did you mean 'secret_key'?",
      message_of(function() scheme { secret = "x" } end))
    assert.equal("scheme:presign: option 'expires' must be whole seconds, at most 7 days, got 700000",
      message_of(function() scheme():presign("https://h/", { expires = 700000 }) end))
    assert.equal("scheme:sign: the request needs an absolute URL",
      message_of(function() scheme():sign { url = "/x" } end))
    assert.equal("scheme:presign: option 'time' must be seconds since 1970, got 1e+300",
      message_of(function() scheme():presign("https://h/", { time = 1e300 }) end))
    assert.equal("scheme:sign: the request's body must be a string, http.file(…) or an iterator, got 5",
      message_of(function() scheme():sign { url = "https://h/", body = 5 } end))
    assert.equal("the secret key holds a control character",
      message_of(function() scheme { secret_key = "a\n" } end))
  end)

  it("gives way while it digests a large body", function()
    local turns, done = 0, false
    task.scope(function(scope)
      scope:spawn(function()
        while not done do
          turns = turns + 1
          task.yield()
        end
      end)
      scheme():sign { url = "https://h/", body = ("x"):rep(20 * 1024 * 1024) }
      done = true
    end)
    assert.is_true(turns > 2)
  end)
end)
