-- Netscape cookie files: read, written, shared with other processes and other programs.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local jars = require "lurcher.http.cookies.jar"
local message_of = require("spec.support.raising").message
local origin = require "spec.support.origin"
local process = require "spec.support.process"

local LATER = 4102444800 -- 2100
local HEADER = "# Netscape HTTP Cookie File\n"

describe("a cookie file", function()
  local directory, path, site

  before_each(function()
    directory = files.begin()
    path = directory .. "/cookies.txt"
    site = origin.start()
  end)

  after_each(function()
    site:stop()
    files.finish()
  end)

  local function write(text) assert(fs.write(path, text)) end
  local function read() return (assert(fs.read(path))) end
  local function mode(of) return (process.shell('stat -c %a "$1"', of or path):gsub("%s", "")) end

  local function loaded(text)
    write(text)
    local jar = jars.new()
    assert(jar:load(path))
    return jar
  end

  local function line(...) return table.concat({ ... }, "\t") .. "\n" end

  it("is read as curl reads it", function()
    local jar = loaded(HEADER .. "# a comment\n\n" .. line(".example.com", "TRUE", "/", "FALSE", LATER, "a", "1")
      .. line("www.example.com", "FALSE", "/dir", "TRUE", 0, "b", "2")
      .. line("#HttpOnly_www.example.com", "false", "/", "false", LATER, "c", "3"):gsub("\n", "\r\n")
      .. "www.example.com\tFALSE\t/\tFALSE\t0\tempty\n"
      .. line("www.example.com", "FALSE", "/", "FALSE", "", "d", "4=5"))
    local list = jar:list()
    assert.equal(5, #list)
    assert.same({ name = "a", value = "1", domain = "example.com", path = "/", expires = LATER, secure = false,
      http_only = false, host_only = false }, list[1])
    assert.same({ name = "b", value = "2", domain = "www.example.com", path = "/dir", secure = true, http_only = false,
      host_only = true }, list[2])
    assert.is_true(list[3].http_only)
    assert.equal("a=1; c=3; empty=; d=4=5", jar:header("http://www.example.com/"))
    assert.equal("a=1", jar:header("http://other.example.com/"))
    assert.equal("b=2; a=1; c=3; empty=; d=4=5", jar:header("https://www.example.com/dir/x"))
  end)

  it("gives nothing that is expired, damaged, unsafe, or for strangers", function()
    local jar = loaded(line("h.example.com", "FALSE", "/", "FALSE", 1, "old", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", -5, "old", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "two", "a=b;c")
      .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "n;m", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "x", "a\1b")
      .. line("h.example.com", "YES", "/", "FALSE", LATER, "x", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", "soon", "x", "1")
      .. line(".co.uk", "TRUE", "/", "FALSE", LATER, "x", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "x", ("1"):rep(5000))
      .. "h.example.com FALSE / FALSE 0 x 1\n" .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "__Host-a", "1")
      .. line("h.example.com", "FALSE", "/", "FALSE", LATER, "a", "b", "c")
      .. line("h.example.com.", "FALSE", "/", "FALSE", LATER, "x", "1")
      .. line("", "FALSE", "/", "FALSE", LATER, "x", "1")
      .. "h.example.com\tFALSE\t/\tFALSE\t0\n" .. "Set-Cookie: a=b\n\0\n" .. ("x"):rep(100000))
    assert.same({}, jar:list())
  end)

  it("keeps addresses to themselves", function()
    local jar = loaded(line(".127.0.0.1", "TRUE", "/", "FALSE", 0, "a", "1"))
    assert.equal("a=1", jar:header("http://127.0.0.1/"))
    assert.is_nil(jar:header("http://1.127.0.0.1/"))
  end)

  it("is written for its owner only, and reads back", function()
    local jar = jars.new()
    jar:set { name = "a", value = "1", domain = "example.com", expires = LATER }
    jar:set { name = "b", value = "", url = "https://h.example.com/", secure = true, http_only = true }
    jar:set { name = "tab", value = "x", url = "https://h.example.com/", path = "/a\tb" }
    assert(jar:save(path))
    assert.equal("600", mode())
    assert.equal(HEADER .. "\n" .. line(".example.com", "TRUE", "/", "FALSE", LATER, "a", "1")
      .. line("#HttpOnly_h.example.com", "FALSE", "/", "TRUE", 0, "b", ""), read())
    local again = jars.new()
    assert(again:load(path))
    assert.equal("1", again:get("a", "http://x.example.com/"))
    assert.equal("", again:get("b", "https://h.example.com/"))
    assert.is_false(fs.exists(path .. ".lock"))
  end)

  it("keeps lines that are not its own, and a mode that was too wide is narrowed", function()
    local foreign = "# mine\n\nnonsense\nSet-Cookie: x=y\n"
    write(foreign .. line("a.example.com", "FALSE", "/", "FALSE", LATER, "a", "1") .. "# end"
      .. "\n" .. line("a.example.com", "FALSE", "/", "FALSE", 5, "old", "1"))
    os.execute("chmod 644 " .. path)
    local jar = jars.new()
    assert(jar:load(path))
    jar:set { name = "a", value = "2", url = "http://a.example.com/", expires = LATER }
    jar:set { name = "b", value = "3", url = "http://a.example.com/" }
    assert(jar:save(path))
    assert.equal(foreign .. line("a.example.com", "FALSE", "/", "FALSE", LATER, "a", "2") .. "# end\n"
      .. line("a.example.com", "FALSE", "/", "FALSE", 0, "b", "3"), read())
    assert.equal("600", mode())
  end)

  it("is merged with what others wrote meanwhile: each change counts, none is undone", function()
    local function cookie(name, value) return line("h.example.com", "FALSE", "/", "FALSE", LATER, name, value) end
    local jar = loaded(cookie("kept", 1) .. cookie("ours", 1) .. cookie("gone", 1) .. cookie("theirs", 1))
    write(cookie("kept", 1) .. cookie("ours", 1) .. cookie("gone", 1) .. cookie("theirs", 2) .. cookie("new", 1))
    jar:set { name = "ours", value = "2", url = "http://h.example.com/", expires = LATER }
    jar:set { name = "gone", value = "", url = "http://h.example.com/", expires = 1 }
    assert(jar:save(path))
    assert.equal(cookie("kept", 1) .. cookie("ours", 2) .. cookie("theirs", 2) .. cookie("new", 1), read())
    jar:clear()
    assert(jar:save(path))
    assert.equal(cookie("new", 1), read())
  end)

  it("is the option of a client: read at the start, written when it closes", function()
    site.answer = { status = 200, headers = { ["Set-Cookie"] = "b=2; Max-Age=3600; SameSite=lax" } }
    local client = assert(http.client { cookies = path })
    assert(client:get(site.url))
    assert.equal("Lax", client.cookies:list()[1].same_site)
    assert(client:close())
    assert.equal("600", mode())
    client = assert(http.client { cookies = path })
    assert(client:get(site.url))
    assert.equal("b=2", site:last().headers.cookie)
    assert(client:close())
  end)

  it("is written when the script ends without close, however it ends", function()
    site.answer = function(req)
      return { status = 200, headers = { ["Set-Cookie"] = "c" .. req.path:sub(2) .. "=1" } }
    end
    for n, ending in ipairs { "", "error 'x'", "os.exit(0)", 'require("lurcher.task").spawn(function()'
      .. ' require("lurcher.task").sleep(0.05) assert(c:get(url .. "/late")) end)' } do
      local own = path .. n
      local ended = process.run { "-e", 'url = ... c = assert(http.client{cookies = "' .. own .. '"})'
        .. "assert(c:get(url .. '/a'))" .. ending, site.url }
      assert.equal(n == 2 and 1 or 0, ended.status, ended.err)
      local text = assert(fs.read(own))
      assert.matches("\tca\t1\n", text, 1, true)
      if n == 4 then assert.matches("\tclate\t1\n", text, 1, true) end
    end
  end)

  it("is shared by several processes, which lose nothing", function()
    site.answer = function(req) return { status = 200, headers = { ["Set-Cookie"] = req.path:sub(2) .. "=1" } } end
    local children = {}
    for i = 1, 4 do
      children[i] = process.start { "-e", "local url, n, path = ... for i = 1, 5 do"
        .. " local c = assert(http.client{cookies = path})"
        .. 'assert(c:get(("%s/c%d-%d"):format(url, n, i))) assert(c:close()) end', site.url, tostring(i), path }
    end
    for _, child in ipairs(children) do
      local ended = child:wait()
      assert.equal(0, ended.status, ended.err)
    end
    local jar = jars.new()
    assert(jar:load(path))
    assert.equal(20, #jar:list())
  end)

  it("that cannot be read or written is kind 'file'", function()
    local jar = jars.new()
    local _, err = jar:load(path)
    assert.equal("file", err.kind)
    assert.equal("ENOENT", err.code)
    assert.matches(path, err.message, 1, true)
    for _, bad in ipairs { directory, directory .. "/none/x", "/dev/null/x" } do
      _, err = jar:save(bad)
      assert.equal("file", err and err.kind, bad)
      assert.matches(bad, err.message, 1, true)
    end
    local client
    client, err = http.client { cookies = directory }
    assert.is_nil(client)
    assert.equal("file", err.kind)
    client = assert(http.client { cookies = directory .. "/none/x" })
    _, err = client:close()
    assert.equal("file", err.kind)
    assert(fs.mkdir(directory .. "/none"))
    assert(client:close())
  end)

  it("of very many cookies fills the jar, and loses none", function()
    local lines = {}
    for i = 1, 50000 do
      lines[i] = line(("h%d.example.com"):format(i % 5000), "FALSE", "/", "FALSE", LATER, "c" .. i, "1")
    end
    local jar = loaded(table.concat(lines))
    assert.equal(3000, #jar:list())
    jar:set { name = "one", value = "more", url = "http://new.example.com/" }
    assert(jar:save(path))
    local _, count = read():gsub("\n", "")
    assert.is_true(count >= 50000)
  end)

  it("belongs to an extended client of its own path, and is shared else", function()
    local client = assert(http.client { cookies = path })
    assert.equal(client.cookies, client:extend({ timeout = 5 }).cookies)
    assert.equal(client.cookies, client:extend({ cookies = true }).cookies)
    local own = assert(client:extend { cookies = path .. "2" })
    assert.are_not.equal(client.cookies, own.cookies)
    assert.equal("http.client: option 'cookies' must be true, false, or the path of a cookie file "
      .. '(headers = { Cookie = "a=b" } sends one), got ""',
      message_of(function() http.client { cookies = "" } end))
    assert(own:close())
    assert(client:close())
  end)

  it("goes from and to curl", function()
    site.answer = function(req)
      return { status = 200, body = req.headers.cookie or "", headers = { ["Set-Cookie"] = {
        "plain=1", "kept=2; Max-Age=1000; Path=/; HttpOnly", "deep=3; Path=/a" } } }
    end
    local client = assert(http.client { cookies = path })
    assert(client:get(site.url .. "/a/b"))
    assert(client:close())
    assert.equal("plain=1; deep=3; kept=2", (process.shell('curl -s -b "$1" "$2"', path, site.url .. "/a/b")))
    local theirs = directory .. "/curl.txt"
    process.shell('curl -s -c "$1" "$2"', theirs, site.url .. "/a/b")
    client = assert(http.client { cookies = theirs })
    assert.equal("plain=1; deep=3; kept=2", assert(client:get(site.url .. "/a/b")).body)
    for _, cookie in ipairs(client.cookies:list()) do assert.equal(cookie.name == "kept", cookie.http_only) end
    assert(client:close())
    assert.equal("plain=1; deep=3; kept=2", (process.shell('curl -s -b "$1" "$2"', theirs, site.url .. "/a/b")))
  end)

  it("goes from and to Python's MozillaCookieJar", function()
    local jar = jars.new()
    jar:set { name = "a", value = "1", domain = "example.com", expires = LATER }
    jar:set { name = "b", value = "2", url = "https://www.example.com/x", expires = LATER, http_only = true }
    assert(jar:save(path))
    local out, status = process.shell([[/usr/bin/python3 -c '
import http.cookiejar as c, sys
j = c.MozillaCookieJar(sys.argv[1])
j.load()
print(sorted((x.domain, x.name, x.value, x.path, x.expires) for x in j))
j.set_cookie(c.Cookie(0, "p", "y", None, False, ".example.com", True, True, "/", True, False, 4102444800, False,
  None, None, {}))
j.save()' "$1" 2>&1]], path)
    assert.equal(0, status, out)
    assert.equal("[('.example.com', 'a', '1', '/', 4102444800), ('www.example.com', 'b', '2', '/', 4102444800)]\n", out)
    local again = jars.new()
    assert(again:load(path))
    assert.equal("y", again:get("p", "http://example.com/"))
    assert.equal("2", again:get("b", "https://www.example.com/"))
  end)
end)
