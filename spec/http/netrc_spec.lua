-- Netrc files, and which of several credentials is sent.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local netrc_file = require "lurcher.http.auth.netrc_file"
local origin = require "spec.support.origin"
local process = require "spec.support.process"

local function found(text, host, user)
  local entry = netrc_file.find(assert(netrc_file.parse(text)), host or "h", user)
  return entry and entry.login .. ":" .. entry.password
end

describe("a netrc file", function()
  it("is words, whatever line they are in", function()
    assert.equal("ann:pw", found "machine h login ann password pw")
    assert.equal("ann:pw", found "machine\nh\r\n\tlogin ann\naccount x\npassword\npw")
    assert.is_nil(found("machine h login ann password pw", "g"))
    assert.equal("ann:pw", found "\239\187\191machine h login ann password pw")
    assert.is_nil(found "")
  end)

  it("has its first entry for a host taken, default among them", function()
    assert.equal("a:1", found "machine h login a password 1 machine h login b password 2")
    assert.equal("d:0", found "default login d password 0\nmachine h login a password 1")
    assert.equal("d:0", found "machine g login a password 1\ndefault login d password 0")
  end)

  it("has an entry chosen by a user name", function()
    local text = "machine h login a password 1\nmachine h login b password 2\ndefault login c password 3"
    assert.equal("b:2", found(text, "h", "b"))
    assert.equal("c:3", found(text, "h", "c"))
    assert.is_nil(found(text, "h", "x"))
  end)

  it("has incomplete entries passed over", function()
    assert.is_nil(found "machine h login a")
    assert.is_nil(found("machine h password p", "h", "a"))
    assert.equal("b:2", found "machine h login a\nmachine h password p\nmachine h login b password 2")
    assert.equal("d:0", found "machine h\ndefault login d password 0")
  end)

  it("has quotes, escapes in them, and comments", function()
    assert.equal('a b:"q"\\\n', found 'machine "h" login "a b" password "\\"q\\"\\\\\\n"')
    assert.equal(":", found 'machine h login "" password ""')
    assert.equal("corp\\ann:p#w", found "# machine h login x password y\nmachine h login corp\\ann password p#w # note")
    assert.equal("a:#p", found "machine h login a password #p")
  end)

  it("has its macros skipped", function()
    assert.equal("a:1", found "macdef init\ncd /pub\nmachine h login x password y\n\nmachine h login a password 1")
    assert.is_nil(found "macdef init\nmachine h login x password y")
  end)

  it("has hosts compared in any case, and without ports", function()
    assert.equal("a:1", found "machine H login a password 1")
    assert.is_nil(found "machine h:80 login a password 1")
  end)

  it("that is broken says where, without what", function()
    for text, problem in pairs {
      ['machine h\nlogin "s3cr3t\npassword x'] = "line 2: there is nothing behind 'login'",
      ['machine h login a password "s3cr3t\\'] = "line 1: there is nothing behind 'password'",
      ["\n\n\nmachine"] = "line 4: there is nothing behind 'machine'",
      ["machine h user s3cr3t"] = "line 1: unknown word",
      ['machine h "x'] = "line 1: a quote does not end",
    } do
      local entries, said = netrc_file.parse(text)
      assert.is_nil(entries)
      assert.equal(problem, said)
    end
  end)
end)

describe("netrc", function()
  local site

  before_each(function()
    files.begin()
    site = origin.start()
  end)

  after_each(function()
    site:stop()
    files.finish()
  end)

  local function write(text, mode)
    fs.remove(files.path "netrc") -- one without write permission is not written again
    assert(fs.write(files.path "netrc", text))
    assert.equal(0, os.execute("chmod " .. (mode or "600") .. " " .. files.path "netrc"))
    return files.path "netrc"
  end

  local function pair_of(req)
    local given = req.headers.authorization
    return given and require("lurcher.crypto").base64_decode((given:gsub("^Basic ", "")))
  end

  local function url_with(userinfo) return (site.url:gsub("//", "//" .. userinfo .. "@")) end

  it("sends what the file has for the host, and nothing to others", function()
    local client = http.client { auth = http.netrc(write "machine 127.0.0.1 login ann password s3cr3t") }
    assert(client:get(site.url))
    assert.equal("ann:s3cr3t", pair_of(site:last()))
    local url, resolve = site:called "other.test"
    assert(client:get(url, { resolve = resolve }))
    assert.is_nil(pair_of(site:last()))
    client:close()
  end)

  it("gives way to userinfo in the URL, of which a user name selects the entry", function()
    local path = write "machine 127.0.0.1 login ann password 1 machine 127.0.0.1 login bob password 2"
    local client = http.client { auth = http.netrc(path) }
    for userinfo, expected in pairs { ["x:y"] = "x:y", bob = "bob:2", ["carl"] = "carl:" } do
      assert(client:get(url_with(userinfo)))
      assert.equal(expected, pair_of(site:last()))
      assert(http.get(url_with(userinfo), { auth = http.netrc(path) }))
      assert.equal(expected, pair_of(site:last()))
    end
    client:close()
  end)

  it("that is named has to be there, and be right", function()
    local _, err = http.get(site.url, { auth = http.netrc(files.path "missing") })
    assert.equal("file", err.kind)
    assert.equal("ENOENT", err.code)
    assert.matches("missing", err.message, 1, true)
    _, err = http.get(site.url, { auth = http.netrc(write "machine h login 's3cr3t word") })
    assert.equal("file", err.kind)
    assert.matches("netrc': line 1: unknown word", err.message, 1, true)
    assert.is_nil(tostring(err):find("s3cr3t", 1, true))
    _, err = http.get(site.url, { auth = http.netrc(write 'machine 127.0.0.1 login "a\\nb" password c') })
    assert.equal("file", err.kind)
    assert.matches("hold a character that cannot be sent", err.message, 1, true)
    assert.equal(0, #site:requests())
  end)

  it("is read from the usual place when none is named, which may be missing", function()
    local script = [[
      local http = require "lurcher.http"
      print(http.get(..., { auth = http.netrc() }).status)]]
    local arguments = { "-u", "NETRC", "HOME=" .. files.path "", process.lurcher, "-e", script, site.url }
    write "machine 127.0.0.1 login ann password s3cr3t"
    assert(fs.rename(files.path "netrc", files.path ".netrc"))
    local ended = process.run(arguments, { command = "env" })
    assert.equal("200\n", ended.out, ended.err)
    assert.equal("ann:s3cr3t", pair_of(site:last()))
    assert(fs.remove(files.path ".netrc"))
    ended = process.run(arguments, { command = "env" })
    assert.equal("200\n", ended.out, ended.err)
    assert.is_nil(pair_of(site:last()))
  end)

  it("warns of a file that others may read", function()
    local script = [[
      local http = require "lurcher.http"
      local client = http.client { auth = http.netrc(arg[2]) }
      for _ = 1, 2 do client:get(arg[1]) end]]
    for mode, warned in pairs { ["600"] = 0, ["400"] = 0, ["640"] = 1, ["604"] = 1 } do
      local path = write("machine 127.0.0.1 login ann password s3cr3t", mode)
      local ended = process.run { "-e", script, site.url, path }
      local _, count = ended.err:gsub("chmod 600", "")
      assert.equal(warned, count, ended.err)
      assert.is_nil(ended.err:find("s3cr3t", 1, true))
    end
  end)

  it("is asked only when it is given", function()
    assert(http.get(site.url))
    assert.is_nil(pair_of(site:last()))
  end)

  it("raises for what is no path", function()
    assert.equal("bad argument #1 to 'http.netrc' (string expected, got a table)",
      message_of(function() http.netrc {} end))
  end)
end)

describe("credentials", function()
  local site

  before_each(function() site = origin.start() end)
  after_each(function() site:stop() end)

  local function sent() return site:last().headers.authorization end

  it("of the request come before the client's, and these before the URL's", function()
    local url = site.url:gsub("//", "//url:x@")
    local client = http.client { auth = http.bearer "client" }
    assert(client:get(url))
    assert.equal("Bearer client", sent())
    assert(client:get(url, { auth = http.bearer "request" }))
    assert.equal("Bearer request", sent())
    assert(client:get(url, { auth = false }))
    assert.is_nil(sent())
    assert(client:get(url, { headers = { Authorization = "header" } }))
    assert.equal("header", sent())
    assert(http.get(url))
    assert.equal("Basic dXJsOng=", sent())
    assert(http.client({ auth = false }):get(url))
    assert.equal("Basic dXJsOng=", sent())
    assert(http.client({ base_url = url, auth = function(request, next)
      request.headers.Authorization = "function"
      return next(request)
    end }):get "/")
    assert.equal("function", sent())
    client:close()
  end)

  it("of a URL that a middleware sets count as those of the first one", function()
    local function through(userinfo, opts)
      opts.middleware = { function(request, next)
        request.url = request.url:gsub("//", "//" .. userinfo .. "@")
        return next(request)
      end }
      return http.client(opts)
    end
    assert(through("url:x", {}):get((site.url:gsub("//", "//first:y@"))))
    assert.equal("Basic dXJsOng=", sent())
    assert(through("url:x", { auth = http.bearer "client" }):get(site.url))
    assert.equal("Bearer client", sent())
    assert(through("url:x", {}):get(site.url, { auth = false }))
    assert.is_nil(sent())
  end)

  it("stay away after a redirect from A to B and back to A", function()
    local other = origin.start()
    site.paths["/a"] = { status = 307, headers = { Location = other.url .. "/b" } }
    other.paths["/b"] = { status = 307, headers = { Location = site.url .. "/c" } }
    for _, auth in ipairs { { "u", "p" }, http.bearer "t", http.digest("u", "p"), http.netrc(),
      http.aws_sigv4 { access_key = "a", secret_key = "b", region = "c", service = "d" },
      function(request, next)
        request.headers.Authorization = "function"
        return next(request)
      end } do
      local res = assert(http.get(site.url .. "/a", { auth = auth }))
      assert.equal(2, #res.history)
      assert.is_nil(other:last().headers.authorization, json.encode(other:last().headers))
      assert.is_nil(sent())
    end
    other:stop()
  end)
end)
