-- Digest authentication (RFC 7616), against a server of the specs that checks what it gets.

local answer = require "lurcher.http.auth.digest_answer"
local challenges = require "lurcher.http.auth.challenges"
local crypto = require "lurcher.native.crypto"
local http = require "lurcher.http"
local message_of = require("spec.support.raising").message
local origin = require "spec.support.origin"
local process = require "lurcher.process"
local task = require "lurcher.task"

local HASHES = { MD5 = "MD5", ["SHA-256"] = "SHA256", ["SHA-512-256"] = "SHA512-256", ["SHA-512"] = "SHA512" }

local function hash(name, ...)
  local digest, text = crypto.digest(name), table.concat({ ... }, ":")
  digest:update(text, 1, #text)
  return crypto.hex(digest:finish())
end

local function parsed(line) return challenges.parse { line } end

describe("challenges", function()
  it("are read one by one and several in a line", function()
    local list = challenges.parse { 'Basic realm="a, b", Digest realm="c\\"d\\\\", qop="auth,auth-int" , nonce=n1,',
      "Negotiate, NTLM TlRMTVNTUAAC==, digest NONCE = \"x\"" }
    local names = {}
    for i, one in ipairs(list) do names[i] = one.scheme end
    assert.same({ "basic", "digest", "negotiate", "ntlm", "digest" }, names)
    assert.same({ realm = "a, b" }, list[1].values)
    assert.same({ realm = 'c"d\\', qop = "auth,auth-int", nonce = "n1" }, list[2].values)
    assert.equal('c\\"d\\\\', list[2].raw.realm)
    assert.same({ nonce = "x" }, list[5].values)
  end)

  it("that are broken end their line, and what came before counts", function()
    assert.same({ a = "1" }, parsed('Digest a=1, b="unbalanced, c=2')[1].values)
    assert.same({ a = "1" }, parsed('Digest a=1, b="x\\')[1].values)
    assert.same({ a = "1" }, parsed("Digest a=1, b=, c=2")[1].values)
    assert.same({ a = "1" }, parsed("Digest a=1, a=2")[1].values)
    assert.same({}, parsed('"Digest" a=1'))
    assert.same({}, parsed(""))
    assert.same({}, parsed(" , ,"))
  end)

  -- Work grows with the length, not with its square: 16 times the text may take 100 times as long at most.
  it("are read in linear time", function()
    local function seconds(fn, argument)
      local began = os.clock()
      fn(argument)
      return os.clock() - began
    end
    local hostile = {
      function(n) return 'Digest realm="' .. ("a"):rep(n) end,
      function(n) return 'Digest realm="' .. ("\\"):rep(n) end,
      function(n) return ("Digest "):rep(n / 7) end,
      function(n) return ("a="):rep(n / 2) end,
      function(n) return "Digest " .. ("a=b,"):rep(n / 4) end,
      function(n) return "Digest a" .. (" "):rep(n) end,
      function(n) return ('a="",'):rep(n / 5) end,
      function(n) return (","):rep(n) .. '"' end,
    }
    for i, make in ipairs(hostile) do
      local small = math.max(seconds(parsed, make(100000)), 0.002)
      local large = seconds(parsed, make(1600000))
      assert.is_true(large < 100 * small, ("%d: %g s, %g s"):format(i, small, large))
    end
    assert.is_true(#parsed(("Digest "):rep(100000)) <= 64)
  end)
end)

describe("the answer", function()
  -- RFC 7616, section 3.9.1.
  for algorithm, expected in pairs {
    MD5 = "8ca523f5e9506fed4657c9700eebdbec",
    ["SHA-256"] = "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
  } do
    it("is that of RFC 7616 for " .. algorithm, function()
      local terms = answer.best(parsed(('Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=%s, '
        .. 'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", '
        .. 'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'):format(algorithm)), true)
      terms.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"
      local header = answer.header(terms, "Mufasa", "Circle of Life", "GET", "/dir/index.html", "")
      assert.equal(expected, header:match 'response="(%x+)"')
      assert.matches('^Digest username="Mufasa", realm="http%-auth@example%.org", ', header)
      assert.matches("algorithm=" .. algorithm .. ", qop=auth, nc=00000001, ", header, 1, true)
    end)
  end

  -- Section 3.9.2 with the values of erratum 4897.
  it("is that of RFC 7616 for SHA-512-256 with userhash and UTF-8", function()
    local terms = answer.best(parsed('Digest realm="api@example.org", qop="auth", algorithm=SHA-512-256, '
      .. 'nonce="5TsQWLVdgBdmrQ0XsxbDODV+57QdFR34I9HAbC/RVvkK", opaque="HRPCssKJSGjCrkzDg8OhwpzCiGPChXYjwrI2QmXDnsOS", '
      .. "charset=UTF-8, userhash=true"), true)
    terms.cnonce = "NTg6RKcb9boFIAS3KrFK9BGeh+iDa/sm6jUMp2wds69v"
    local header = answer.header(terms, "Jäsøn Doe", "Secret, or not?", "GET", "/doe.json", "")
    assert.equal("793263caabb707a56211940d90411ea4a575adeccb7e360aeb624ed06ece9b0b", header:match 'username="(%x+)"')
    assert.equal("3798d4131c277846293534c3edc11bd8a5e4cdcbff78b05db9d95eeb1cec68a5", header:match 'response="(%x+)"')
    assert.matches("userhash=true", header, 1, true)
  end)

  it("is for the strongest digest, and of several such for the first", function()
    local function best(line, has_text)
      local terms = answer.best(parsed(line), has_text ~= false)
      return terms and (terms.values.algorithm or "") .. "/" .. tostring(terms.qop) .. "/" .. terms.nonce
    end
    assert.equal("SHA-512-256/auth/3", best("Digest nonce=1, qop=auth, Digest nonce=2, algorithm=SHA-256, "
      .. "qop=auth, Digest nonce=3, algorithm=SHA-512-256, qop=auth, Digest nonce=4, "
      .. "algorithm=SHA-512-256, qop=auth"))
    assert.equal("md5/auth/1", best "Digest nonce=1, algorithm=md5, qop=\"auth-int,AUTH\", Digest nonce=2, algorithm=X")
    assert.equal("/auth-int/1", best "Digest nonce=1, qop=auth-int")
    assert.equal("/false/2", best("Digest nonce=1, qop=auth-int, Digest nonce=2", false))
    assert.is_nil(best "Digest realm=r, qop=auth")
    assert.is_nil(best "Digest nonce=1, qop=confidential")
    assert.is_nil(best "Digest nonce=1, algorithm=MD5-other")
    assert.is_nil(best "Basic realm=x")
    assert.is_nil(best 'Digest nonce="a\1b"')
  end)

  it("spells names as they have to be", function()
    local function header(challenge, user)
      return answer.header(answer.best(parsed(challenge), true), user, "p", "GET", "/", "")
    end
    assert.matches('username="a\\"b\\\\c"', header("Digest nonce=1", 'a"b\\c'), 1, true)
    assert.matches("username*=UTF-8''J%C3%A4s, ", header("Digest nonce=1, charset=\"utf-8\"", "Jäs"), 1, true)
    assert.matches('username="Jäs", ', header("Digest nonce=1", "Jäs"), 1, true)
    assert.matches('realm="a\\"b", nonce="c\\d", ', header('Digest realm="a\\"b", nonce="c\\d"', "u"), 1, true)
    assert.is_nil(header("Digest nonce=1", "u"):find("cnonce", 1, true))
    assert.is_nil(header("Digest nonce=1", "u"):find("opaque", 1, true))
  end)
end)

describe("digest", function()
  local site, issued, spec

  -- What the server asks for: realm, algorithm, qop, more.
  local function challenge(more)
    issued = issued + 1
    return ('Digest realm="%s", nonce="n%d"%s%s%s'):format(spec.realm, issued,
      spec.algorithm and ", algorithm=" .. spec.algorithm or "",
      spec.qop and ', qop="' .. spec.qop .. '"' or "", more or "")
  end

  local function refuse(more)
    return { status = 401, headers = { ["WWW-Authenticate"] = challenge(more) } }
  end

  -- Whether the credentials are those of ann with s3cr3t.
  local function is_right(req, values)
    local algorithm = spec.algorithm or "MD5"
    local name = HASHES[algorithm:gsub("%-sess$", "")]
    local user = spec.userhash and hash(name, "ann", spec.realm) or "ann"
    if values.username ~= user or values.uri ~= req.target or values.realm ~= spec.realm then return false end
    local key = hash(name, "ann", spec.realm, "s3cr3t")
    if algorithm:find("-sess", 1, true) then key = hash(name, key, values.nonce, values.cnonce) end
    local message = values.qop == "auth-int" and hash(name, req.method, req.target, hash(name, req.body))
      or hash(name, req.method, req.target)
    if not values.qop then return values.response == hash(name, key, values.nonce, message) end
    return values.response == hash(name, key, values.nonce, values.nc, values.cnonce, values.qop, message)
  end

  local function values_of(req)
    local given = challenges.parse({ req.headers.authorization or "" })[1]
    return given and given.scheme == "digest" and given.values or nil
  end

  before_each(function()
    site, issued = origin.start(), 0
    spec = { realm = "r", qop = "auth" }
    site.answer = function(req)
      local values = values_of(req)
      if values and is_right(req, values) then return { status = 200, body = "in" } end
      return refuse(spec.userhash and ", userhash=true")
    end
  end)

  after_each(function() site:stop() end)

  local function count() return #site:requests() end

  for algorithm in pairs(HASHES) do
    for _, suffix in ipairs { "", "-sess" } do
      for _, qop in ipairs { "auth", "auth-int", "auth-int, auth", "" } do
        it(("with %s%s and qop %q lets in"):format(algorithm, suffix, qop), function()
          spec.algorithm, spec.qop, spec.userhash = algorithm .. suffix, qop ~= "" and qop, qop == "auth"
          local client = http.client { auth = http.digest("ann", "s3cr3t") }
          local res = assert(client:post(site.url .. "/a b?q=1", { body = "hello" }))
          assert.equal(200, res.status)
          assert.equal("in", res.body)
          assert.equal(1, res.attempts)
          assert.equal(200, assert(client:get(site.url)).status)
          assert.equal(3, count())
          client:close()
        end)
      end
    end
  end

  it("counts the uses of a nonce, and is there from the start after the first challenge", function()
    local client = http.client { auth = http.digest("ann", http.secret "s3cr3t") }
    for _ = 1, 5 do assert.equal(200, assert(client:get(site.url .. "/x")).status) end
    local counts = {}
    for i, request in ipairs(site:requests()) do
      counts[i] = (request.headers.authorization or ""):match "nc=(%x+)" or "none"
    end
    assert.same({ "none", "00000001", "00000002", "00000003", "00000004", "00000005" }, counts)
    client:close()
  end)

  it("gives each of many requests at once a number of its own", function()
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    assert(client:get(site.url))
    local numbers = {}
    for i = 1, 20 do numbers[i] = i end
    task.map(numbers, function() return assert(client:get(site.url)).status end, { concurrency = 20 })
    local seen = {}
    for _, request in ipairs(site:requests()) do
      local number = (request.headers.authorization or ""):match "nc=(%x+)"
      if number then
        assert.is_nil(seen[number])
        seen[number] = true
      end
    end
    assert.equal(22, count())
    client:close()
  end)

  it("ends with the 401 when the password is wrong", function()
    local client = http.client { auth = http.digest("ann", "wrong") }
    for calls = 1, 2 do
      local res = assert(client:get(site.url))
      assert.equal(401, res.status)
      assert.equal(2 * calls, count())
    end
    client:close()
  end)

  it("answers a nonce that was too old, once", function()
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    assert.equal(200, assert(client:get(site.url)).status)
    local usual, refused = site.answer, 0
    site.answer = function(req)
      refused = refused + 1
      return refused == 1 and refuse ", stale=TRUE" or usual(req)
    end
    assert.equal(200, assert(client:get(site.url)).status)
    assert.equal(4, count())
    assert.matches("nc=00000001", site:last().headers.authorization)
    site.answer = function() return refuse ", stale=true" end
    assert.equal(401, assert(client:get(site.url)).status)
    assert.equal(6, count())
    client:close()
  end)

  it("is challenged again for another realm, and by a server that forgot the nonce", function()
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    assert.equal(200, assert(client:get(site.url)).status)
    spec.realm = "other"
    assert.equal(200, assert(client:get(site.url)).status)
    assert.equal(4, count())
    client:close()
  end)

  it("counts the uses of one nonce together, whichever requests it was given to", function()
    local client, counts = http.client { auth = http.digest("ann", "s3cr3t") }, {}
    local here, all = 0, task.event()
    site.answer = function(req)
      local given = req.headers.authorization
      if not given then
        here = here + 1
        if here == 8 then all:set() end
        all:wait()
        return { status = 401, headers = { ["WWW-Authenticate"] = 'Digest realm="r", nonce="one", qop="auth"' } }
      end
      counts[#counts + 1] = given:match "nc=(%x+)"
      return "ok"
    end
    task.map({ 1, 2, 3, 4, 5, 6, 7, 8 }, function() return assert(client:get(site.url)) end)
    table.sort(counts)
    assert.equal(8, #counts)
    for i, n in ipairs(counts) do assert.equal(("%08x"):format(i), n) end
    client:close()
  end)

  -- RFC 7616, section 3.4.2: the key of a session is made once, with the nonce of the challenge.
  it("keeps the key of a session when the server announces another nonce", function()
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    local first
    site.answer = function(req)
      local values = values_of(req)
      if not values then
        return { status = 401, headers = { ["WWW-Authenticate"] = 'Digest realm="r", nonce="n1", qop="auth", '
          .. "algorithm=MD5-sess" } }
      end
      first = first or values.cnonce
      local key = hash("MD5", hash("MD5", "ann", "r", "s3cr3t"), "n1", first)
      local wanted = hash("MD5", key, values.nonce, values.nc, values.cnonce, "auth", hash("MD5", "GET", req.target))
      return { status = values.response == wanted and 200 or 403,
        headers = { ["Authentication-Info"] = 'nextnonce="n2"' } }
    end
    assert.equal(200, assert(client:get(site.url)).status)
    assert.equal(200, assert(client:get(site.url)).status)
    assert.equal("n2", values_of(site:last()).nonce)
    client:close()
  end)

  it("pays no heed to an announced nonce that is none", function()
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    local usual = site.answer
    site.answer = function(req)
      local res = usual(req)
      if res.status == 200 then res.headers = { ["Authentication-Info"] = 'nextnonce=""' } end
      return res
    end
    assert(client:get(site.url))
    local nonce = site:last().headers.authorization:match 'nonce="(.-)"'
    assert.equal(200, assert(client:get(site.url)).status)
    assert.equal(nonce, site:last().headers.authorization:match 'nonce="(.-)"')
    client:close()
  end)

  it("goes on with the nonce that the server announces", function()
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    local usual = site.answer
    site.answer = function(req)
      local res = usual(req)
      if res.status == 200 then res.headers = { ["Authentication-Info"] = 'qop=auth, nextnonce="later"' } end
      return res
    end
    assert(client:get(site.url))
    assert(client:get(site.url))
    assert.matches('nonce="later".*nc=00000001', site:last().headers.authorization)
    assert(client:get(site.url))
    assert.matches('nonce="later".*nc=00000002', site:last().headers.authorization)
    client:close()
  end)

  it("chooses among several challenges, in one header or more", function()
    site.answer = function(req)
      if req.headers.authorization then return { status = 200 } end
      return { status = 401, headers = { ["WWW-Authenticate"] = { 'Basic realm="b", Digest realm="r", nonce="m", '
        .. 'algorithm=MD5, qop="auth"', 'Digest realm="r", nonce="s", algorithm=SHA-256, qop="auth"', "Bearer" } } }
    end
    assert(http.get(site.url, { auth = http.digest("ann", "s3cr3t") }))
    assert.matches('nonce="s".*algorithm=SHA%-256', site:last().headers.authorization)
  end)

  it("returns the 401 of a server that speaks no Digest we know", function()
    for _, line in ipairs { "Basic realm=x", "Digest realm=x", "Digest nonce=1, algorithm=SHA-1", "",
      'Digest nonce="' .. ("x"):rep(100000) } do
      site.answer = { status = 401, headers = { ["WWW-Authenticate"] = line } }
      local before = count()
      assert.equal(401, assert(http.get(site.url, { auth = http.digest("ann", "x") })).status)
      assert.equal(before + 1, count())
    end
  end)

  it("works for streams, and within the time of the whole call", function()
    local res = assert(http.get(site.url, { auth = http.digest("ann", "s3cr3t"), stream = true }))
    assert.equal("in", res:read_all())
    site.answer = function(req)
      if req.headers.authorization then task.sleep(5) end
      return refuse()
    end
    local _, err = http.get(site.url, { auth = http.digest("ann", "s3cr3t"), timeout = 0.3, retry = false })
    assert.equal("timeout", err.kind)
  end)

  it("stays with its origin, from A to B and back to A", function()
    local other = origin.start()
    local usual = site.answer
    site.answer = function(req)
      local res = usual(req)
      if res.status == 200 and req.path == "/a" then
        return { status = 307, headers = { Location = other.url .. "/b" } }
      end
      return res
    end
    other.paths["/b"] = { status = 307, headers = { Location = site.url .. "/c" } }
    local client = http.client { auth = http.digest("ann", "s3cr3t") }
    assert.equal(401, assert(client:get(site.url .. "/a")).status)
    assert.is_nil(other:last().headers.authorization)
    assert.is_nil(site:last().headers.authorization)
    client:close()
    other:stop()
  end)

  it("never prints what is secret", function()
    local scheme = http.digest("ann", "s3cr3t")
    assert.equal("http.digest", tostring(scheme))
    assert.is_nil(next(scheme))
  end)

  it("raises for what cannot be sent", function()
    assert.equal("the user name must be a string, got nil", message_of(function() http.digest() end))
    assert.equal("the password must be a string, got nil", message_of(function() http.digest "ann" end))
    assert.equal("the password holds a control character", message_of(function() http.digest("ann", "a\r") end))
  end)

  it("answers as curl does", function()
    spec.algorithm, spec.qop, spec.realm = "SHA-256-sess", "auth", "a realm"
    local ended = assert(process.run("curl", { "-s", "--noproxy", "*", "--digest", "-u", "ann:s3cr3t",
      site.url .. "/x?q=1" }))
    assert.equal("in", ended.stdout)
    local theirs = assert(values_of(site:last()))
    assert.equal(200, assert(http.get(site.url .. "/x?q=1", { auth = http.digest("ann", "s3cr3t") })).status)
    local ours = assert(values_of(site:last()))
    for name in pairs { username = 1, realm = 1, uri = 1, algorithm = 1, qop = 1, nc = 1 } do
      assert.equal(theirs[name], ours[name])
    end
    for name in pairs(theirs) do assert.is_string(ours[name], name) end
  end)
end)
