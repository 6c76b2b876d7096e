-- Files of TLS and Unix sockets in the sandbox: what is opened is what was asked for.

local files = require "spec.support.files"
local process = require "spec.support.process"

local BEGIN = [[
local root = ...
local fs, http, server = require "lurcher.fs", require "lurcher.http", require "lurcher.server"
local task = require "lurcher.task"
local inside = root .. "/in"
local cert, key = inside .. "/cert", inside .. "/key"
local function answer() return "ok" end
local function said(res, err) return res and res.body or err.kind .. ": " .. err.message end
]]

describe("lurcher --sandbox", function()
  local folder
  before_each(function()
    folder = files.begin()
    local output, status = process.shell([[cd "$1" && mkdir in out in/ca && cd in &&
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key -out cert 2>&1 &&
      cat key cert >both && cp cert "ca/$(openssl x509 -hash -noout -in cert).0" && cp cert copy &&
      cp cert ../out/cert && ln -s ../out/cert link && echo x >broken]], folder)
    assert(status == 0, output)
  end)
  after_each(files.finish)

  local function run(text)
    local ended = process.run { "--log=error", "--sandbox", "--allow-net=127.0.0.1", "--allow-read=" .. folder .. "/in",
      "--allow-write=" .. folder .. "/in", process.script(BEGIN .. text), folder }
    assert.equal("", ended.err)
    return ended.out
  end

  it("takes the files of TLS that were allowed, on both sides", function()
    local out = run [[
      local s = assert(server.start(answer, { tls = { cert = cert, key = key, client_ca = cert } }))
      local function try(tls) print(said(http.get(s.url, { tls = tls, retry = false }))) end
      try { ca = cert, cert = cert, key = key }
      try { ca = inside .. "/both", cert = inside .. "/both" }
      try { ca = inside .. "/ca", cert = cert, key = key }
      print((said(http.get(s.url, { tls = { ca = inside .. "/none" }, retry = false })):gsub("%b''", "…")))
      print(said(http.get(s.url, { tls = { ca = inside .. "/broken" }, retry = false })):match "^%w+")]]
    assert.equal("ok\nok\nok\ntls: cannot read …: No such file or directory (ENOENT)\ntls\n", out)
  end)

  it("keeps connections while the files are the same, and reads them again when they have changed", function()
    local out = run [[
      local s = assert(server.start(function() return "ok" end, { tls = { cert = cert, key = key } }))
      local c = http.client { tls = { ca = inside .. "/copy" }, retry = false }
      for _ = 1, 3 do assert(c:get(s.url)) end
      print(c:get(s.url).reused)
      assert(fs.write(inside .. "/copy", "nothing"))
      print(said(c:get(s.url)):match "^%w+")]]
    assert.equal("true\ntls\n", out)
  end)

  it("opens no link that takes the place of a file between question and connection", function()
    local out = run [[
      local free = task.event()
      local s = assert(server.start(function() free:wait() return "ok" end, { tls = { cert = cert, key = key } }))
      local c = http.client { limits = { inflight = 1 }, retry = false, tls = { ca = cert } }
      local first = task.spawn(function() return said(c:get(s.url)) end)
      local second = task.spawn(function() return said(c:get(s.url, { tls = { ca = inside .. "/copy" } })) end)
      task.sleep(0)
      assert(fs.rename(inside .. "/link", inside .. "/copy"))
      free:set()
      print(first:join())
      print((second:join():gsub("%b''", "…")))]]
    assert.equal("ok\ntls: cannot read …: Too many levels of symbolic links (ELOOP)\n", out)
  end)
end)
