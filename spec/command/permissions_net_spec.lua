-- What a sandboxed script cannot reach, however it asks: each way is one row, and all run in one process. What counts
-- is what the servers saw that nobody allowed.

local files = require "spec.support.files"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

-- `open` may be reached: 127.0.0.1 of any port. `secret` listens on 127.0.0.2 with the same port, so that nothing but
-- the address tells them apart.
local BEGIN = [[
local port, unix_path, here = ...
local http, ws, sse = require "lurcher.http", require "lurcher.ws", require "lurcher.sse"
local pages = require "lurcher.pages"
local server, fs, curl = require "lurcher.server", require "lurcher.fs", require "lurcher.curl"
local c = http.client { retry = false, timeout = { total = 20 } }
local secret, open = "127.0.0.2:" .. port, "http://127.0.0.1:" .. port
local function get(host, opts) return c:get("http://" .. host .. "/", opts) end
local function to(where, status)
  return c:get(open .. "/go", { headers = { ["X-To"] = where, ["X-Status"] = status or "302" } })
end
local function pinned(name, address) return { resolve = { [name .. ":" .. port] = address or "127.0.0.2" } } end
local function kind_of(err) return type(err) == "table" and err.kind or tostring(err) end
local function try(way, fn)
  local ok, res, err = pcall(fn)
  if not ok then res, err = nil, res end
  print(way .. ": " .. (res and "reached" or kind_of(err)))
end
]]

-- Each ends with kind "denied", unless another is named.
local WAYS = {
  plain = "get(secret)",
  decimal = "get('2130706434:' .. port)",
  ["in hexadecimal"] = "get('0x7f000002:' .. port)",
  ["in hexadecimal, in capitals"] = "get('0X7F.0.0.2:' .. port)",
  ["in octal"] = "get('0177.0.0.02:' .. port)",
  ["in two parts"] = "get('127.2:' .. port)",
  ["in three parts"] = "get('127.0.2:' .. port)",
  ["with a dot at its end"] = "get('127.0.0.2.:' .. port)",
  ["percent-encoded"] = "get('127%2e0.0%2E2:' .. port)",
  ["in full-width digits"] = "get('１２７.０.０.２:' .. port)",
  ["with ideographic dots"] = "get('127。0。0。2:' .. port)",
  ["behind userinfo that looks like a host"] = "get('127.0.0.1:80@' .. secret)",
  ["IPv4 in IPv6"] = "get('[::ffff:127.0.0.2]:' .. port)",
  ["IPv4 in IPv6, in hexadecimal"] = "get('[::ffff:7f00:2]:' .. port)",
  ["IPv4 in IPv6, in full"] = "get('[0:0:0:0:0:ffff:7f00:0002]:' .. port)",
  ["compatible IPv6"] = "get('[::127.0.0.2]:' .. port)",
  ["by NAT64"] = "get('[64:ff9b::7f00:2]:' .. port)",
  ["by 6to4"] = "get('[2002:7f00:2::]:' .. port)",
  ["loopback of IPv6"] = "get('[::1]:' .. port)",
  ["any address"] = "get('0.0.0.0:' .. port)",
  ["any address, as 0"] = "get('0:' .. port)",
  ["any address of IPv6"] = "get('[::]:' .. port)",
  ["link-local"] = "get('169.254.169.254')",
  ["another port of a name"] = "get('ported.test:' .. port, pinned 'ported.test')",
  ["a redirect"] = "to('http://' .. secret .. '/x')",
  ["a redirect that keeps the method"] = "to('http://' .. secret .. '/x', '307')",
  ["a redirect without scheme"] = "to('//' .. secret .. '/x', '301')",
  ["a redirect in another form"] = "to('http://0x7f.2:' .. port, '308')",
  ["a redirect of a POST"] = [[c:post(open .. '/go', { body = 'x',
    headers = { ['X-To'] = 'http://' .. secret, ['X-Status'] = '303' } })]],
  ["two redirects"] = "to('http://127.0.0.1:' .. port .. '/go?to=http://' .. secret .. '/')",
  ["resolve, of a public name"] = "get('any.test:' .. port, pinned 'any.test')",
  ["resolve, of a name below an allowed domain"] = "get('a.wild.test:' .. port, pinned 'a.wild.test')",
  ["resolve, of several addresses"] = "get('any.test:' .. port, pinned('any.test', '127.0.0.2,127.0.0.3'))",
  ["resolve, IPv6"] = "get('any.test:' .. port, pinned('any.test', '[::ffff:127.0.0.2]'))",
  ["the address of an allowed name that is denied"] = "get('named.test:' .. port, pinned('named.test', '127.0.0.3'))",
  ["a Unix socket"] = "c:get('http://x/', { unix_socket = unix_path })",
  ["a Unix socket, by a link"] = "c:get('http://127.0.0.1/', { unix_socket = here .. '/link' })",
  ["a Unix socket, by /proc"] = "c:get('http://127.0.0.1/', { unix_socket = '/proc/self/root' .. unix_path })",
  ["writing to a Unix socket"] = "fs.write(unix_path, 'GET / HTTP/1.0\\r\\n\\r\\n')",
  ["a proxy there"] = "c:get(open, { proxy = 'http://' .. secret })",
  ["a SOCKS proxy there"] = "c:get(open, { proxy = 'socks5h://' .. secret })",
  ["an HTTPS proxy there"] = "c:get(open, { proxy = { url = 'https://' .. secret, tls = { verify = false } } })",
  ["through an allowed proxy"] = "c:get('http://' .. secret, { proxy = open })",
  ["a name through an allowed proxy"] = "c:get('http://any.test/', { proxy = open })",
  ["a name below an allowed domain through a proxy"] = "c:get('http://a.wild.test/', { proxy = open })",
  ["a WebSocket"] = "ws.connect('ws://' .. secret)",
  ["a WebSocket, by name"] = "ws.connect('ws://any.test:' .. port, pinned 'any.test')",
  ["server-sent events"] = "(function() for _ in sse.connect(c, 'http://' .. secret) do return true end end)()",
  ["a stream"] = "c:stream('GET', 'http://' .. secret)",
  ["a download"] = "c:download('http://' .. secret, here .. '/file')",
  ["a list in pages"] = "pages.items(c, 'http://' .. secret, { next = pages.link() })()",
  ["the next page"] = "(function() for _ in pages.items(c, open .. '/page', { next = pages.link() }) do end end)()",
  ["HTTP/2"] = "get(secret, { http_version = '2-prior-knowledge' })",
  HTTPS = "c:get('https://' .. secret, { tls = { verify = false } })",
  ["another server's name"] = "c:get('https://' .. secret, { tls = { verify = false, server_name = '127.0.0.1' } })",
  ["a raw target"] = "get(secret, { raw_target = 'http://127.0.0.1/' })",
  ["a Host header"] = "get(secret, { headers = { Host = '127.0.0.1' } })",
  ["middleware that changes the URL"] = [[http.client { retry = false, middleware = { function(req, next)
    req.url = 'http://' .. secret .. '/' return next(req) end } }:get(open)]],
  ["a client's base URL"] = "http.client { retry = false, base_url = 'http://' .. secret }:get('x')",
  ["a retry"] = "get(secret, { retry = { attempts = 3, base = 0.001 } })",
  ["listening on any address"] = "server.start(print, { host = '0.0.0.0' })",
  ["listening on a Unix socket"] = "server.start(print, { unix_socket = here .. '/new.sock' })",
}

-- Without public addresses no other name may be looked up.
local LOOKED_UP = {
  name = "get('any.test')",
  localhost = "get('localhost:' .. port)",
  ["a name that leads to an allowed address"] = "get('any.test:' .. port, pinned('any.test', '127.0.0.1'))",
  ["an own address to send from"] = "get('127.0.0.1:' .. port, { local_address = 'leak.test' })",
  ["a domain itself"] = "get('wild.test')",
  ["another domain"] = "get('awild.test')",
  ["a proxy by name"] = "c:get(open, { proxy = 'http://any.test:80' })",
  ["a public address"] = "get('1.1.1.1')",
  redirect = "to('http://any.test')",
}

local REACHED = {
  address = "c:get(open)",
  ["address in another form"] = "get('0x7f.1:' .. port)",
  ["address with a dot at its end"] = "get('127.0.0.1.:' .. port)",
  ["exact name of a private address"] = "get('named.test:' .. port, pinned('named.test', '127.0.0.4'))",
  ["redirect to it"] = [[c:get(open .. '/go', { headers = { ['X-To'] = 'http://named.test:' .. port },
    resolve = pinned('named.test', '127.0.0.4').resolve })]],
  ["Unix socket that is named"] = "c:get('http://x/', { unix_socket = here .. '/open.sock' })",
}

local function script_of(ways)
  local lines, names = { BEGIN }, {}
  for way, code in pairs(ways) do
    names[#names + 1] = way
    lines[#lines + 1] = ("try(%q, function() return %s end)"):format(way, code)
  end
  return table.concat(lines, "\n"), names
end

describe("lurcher --sandbox", function()
  local folder
  before_each(function() folder = files.begin() end)
  after_each(files.finish)

  -- Runs the ways with these flags. `counts.secret` is how often what is denied was reached.
  local function run(ways, ...)
    local counts = { secret = 0, open = 0 }
    local function secret()
      counts.secret = counts.secret + 1
      return "SECRET"
    end
    local port
    local open = serving.start(function(req)
      counts.open = counts.open + 1
      if req.path == "/go" then
        local where = req.query.to or req.headers["X-To"]
        return { status = tonumber(req.headers["X-Status"] or 302), headers = { Location = where } }
      elseif req.path == "/page" then
        return { headers = { Link = ('<http://127.0.0.2:%d/>; rel="next"'):format(port) }, body = "[1]" }
      end
      return "open"
    end)
    port = open.port
    serving.start(secret, { host = "127.0.0.2", port = port })
    serving.start(secret, { host = "127.0.0.3", port = port })
    serving.start(function() return "named" end, { host = "127.0.0.4", port = port })
    serving.start(function() return "named" end, { unix_socket = folder .. "/open.sock" })
    local path = folder .. "/secret.sock"
    serving.start(secret, { unix_socket = path })
    process.shell('ln -s secret.sock "$1/link"', folder)
    local text, names = script_of(ways)
    local arguments = { "--log=error", "--sandbox", ... }
    for _, argument in ipairs { process.script(text), tostring(port), path, folder } do
      arguments[#arguments + 1] = argument
    end
    local ended = process.run(arguments)
    assert.equal("", ended.err)
    local got = {}
    for way, kind in ended.out:gmatch "([^\n]*): ([^\n:]*)\n" do got[way] = kind end
    return got, names, counts
  end

  local function check(kind, ways, ...)
    local got, names, counts = run(ways, ...)
    local wrong = {}
    for _, way in ipairs(names) do
      if got[way] ~= kind then wrong[#wrong + 1] = ("%s: %s"):format(way, got[way]) end
    end
    table.sort(wrong)
    assert.same({}, wrong)
    assert.equal(0, counts.secret)
    return #names
  end

  it("lets no request reach what was not allowed, however it is written", function()
    local count = check("denied", WAYS, "--allow-net", "--allow-net=127.0.0.1,*.wild.test,ported.test:80,named.test",
      "--deny-net=127.0.0.3")
    assert.is_true(count >= 40)
  end)

  it("looks up no name that was not allowed", function()
    check("denied", LOOKED_UP, "--allow-net=127.0.0.1,*.wild.test")
  end)

  it("names flags that help: with each refusal's added, all is reached", function()
    local ways = {
      address = "c:get(open)",
      ["Unix socket"] = "c:get(open, { unix_socket = here .. '/open.sock' })",
      ["Unix socket by another path"] = "c:get('http://x/', { unix_socket = here .. '/../' .. \z
        here:match '[^/]+$' .. '/open.sock' })",
      ["address that stands for another"] = "get('127.0.0.5:' .. port, pinned('127.0.0.5', '127.0.0.4'))",
      name = "get('any.test:' .. port, pinned('any.test', '127.0.0.4'))",
      redirect = "to('http://127.0.0.4:' .. port .. '/')",
    }
    local text, flags = BEGIN:gsub("local function kind_of.-\n", ""), {}
    text = text:gsub('print%(way.*', 'print(way .. ": " .. (res and "reached" or tostring(err))) end\n')
    for way, code in pairs(ways) do text = text .. ("try(%q, function() return %s end)\n"):format(way, code) end
    local port = serving.start(function(req)
      return req.path == "/go" and { status = 302, headers = { Location = req.headers["X-To"] } } or "open"
    end).port
    serving.start(function() return "named" end, { host = "127.0.0.4", port = port })
    serving.start(function() return "named" end, { unix_socket = folder .. "/open.sock" })
    local script, ended = process.script(text), nil
    local function run_again()
      local arguments, count = { "--log=error", "--sandbox", unpack(flags) }, #flags
      for _, argument in ipairs { script, tostring(port), "", folder } do arguments[#arguments + 1] = argument end
      ended = process.run(arguments)
      for flag in ended.out:gmatch "is not permitted: (%S+)" do
        assert((flags[flag] or math.huge) > count, flag .. " did not help: " .. ended.out)
        if not flags[flag] then
          flags[#flags + 1] = flag
          flags[flag] = #flags
        end
      end
      return #flags > count
    end
    while run_again() do end
    assert.equal("", ended.err)
    for way in pairs(ways) do assert.matches(way .. ": reached", ended.out, 1, true) end
  end)

  it("reaches what was allowed, also a private address of an exact name", function()
    check("reached", REACHED, "--allow-net=127.0.0.1,named.test", "--allow-net=" .. folder .. "/open.sock")
  end)
end)
