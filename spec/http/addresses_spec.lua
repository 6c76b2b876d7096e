-- A name with several addresses, some of which refuse or do not answer: each gets its turn.

local assert = require "luassert"
local faults = require "spec.support.faults"
local full_backlog = require "spec.support.full_backlog"
local http = require "lurcher.http"
local origin = require "spec.support.origin"
local preload = require "spec.support.preload"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood"

-- A server on 127.0.0.3 only; the other addresses of its port refuse.
local function third()
  local s = faults.raw(function(conn)
    while conn:read_head() do conn:write(OK) end
  end, { host = "127.0.0.3" })
  return s.url:match ":(%d+)$"
end

local function get(port, addresses, opts)
  opts = opts or {}
  opts.resolve = { ["name.test:" .. port] = addresses }
  return faults.client(opts):get("http://name.test:" .. port)
end

local function refusing(count)
  local list = {}
  for i = 1, count do list[i] = "127.0.1." .. i end
  return table.concat(list, ",")
end

describe("an address that refuses is followed by the next at once", function()
  -- Longer than the test may take: nothing waits for a timer.
  local opts = { timeout = { connect = 1000, total = 20 } }

  for count = 1, 6 do
    it("after " .. count, function()
      local port = third()
      assert.equal("good", assert(get(port, refusing(count) .. ",127.0.0.3", opts)).body)
    end)

    it("after " .. count .. " beside an IPv6 one", function()
      local port = third()
      assert.equal("good", assert(get(port, "::1," .. refusing(count) .. ",127.0.0.3", opts)).body)
    end)

    it("until all " .. count .. " have refused", function()
      local port = third()
      faults.check({ kind = "connect", phase = "connect", message = "refused" }, get(port, refusing(count), opts))
    end)
  end

  it("for each of many requests", function()
    local port = third()
    local client = faults.client {
      resolve = { ["name.test:" .. port] = refusing(3) .. ",127.0.0.3" },
      timeout = opts.timeout,
    }
    local numbers = {}
    for i = 1, 100 do numbers[i] = i end
    local bodies = assert(task.map(numbers, function()
      return assert(client:get("http://name.test:" .. port)).body
    end, { concurrency = 50 }))
    assert.equal(100, #bodies)
    faults.settled(client)
  end)
end)

it("an address that does not answer leaves time for the next", function()
  local url = full_backlog()
  local port = url:match ":(%d+)$"
  local s = faults.raw(function(conn)
    while conn:read_head() do conn:write(OK) end
  end, { host = "127.0.0.3", port = tonumber(port) })
  assert.truthy(s)
  local res = assert(get(port, "127.0.0.1,127.0.0.3", { timeout = { connect = 2 } }))
  assert.equal("good", res.body)
end)

it("a name whose address refuses is looked up again", function()
  local ended = preload.run("spec/support/moving_name.c", [[
    local http, server = require "lurcher.http", require "lurcher.server"
    local path = os.tmpname()
    local function moves_to(address)
      local file = assert(io.open(path, "w"))
      file:write(address)
      file:close()
    end
    require("ffi").cdef "int setenv(const char *, const char *, int)"
    require("ffi").C.setenv("NAME_FILE", path, 1)
    local function start(host, port)
      return assert(server.start(function() return { body = host, headers = { Connection = "close" } } end,
        { host = host, port = port }))
    end
    local old = start("127.0.0.2")
    local port = tonumber(old.url:match ":(%d+)$")
    local url = "http://name.test:" .. port
    moves_to "127.0.0.2"
    local client = http.client { retry = false }
    print(assert(client:get(url)).body)
    old:stop(0)
    local new = start("127.0.0.3", port)
    moves_to "127.0.0.3"
    print(select(2, client:get(url)).kind)
    print(assert(client:get(url)).body)
    new:stop(0)
    os.remove(path)
  ]])
  assert.equal("127.0.0.2\nconnect\n127.0.0.3\n", ended.out, ended.err)
end)

describe("an address that did not answer", function()
  it("is tried last for the next minute", function()
    local port = full_backlog():match ":(%d+)$"
    faults.raw(function(conn)
      while conn:read_head() do conn:write(OK) end
    end, { host = "127.0.0.3", port = tonumber(port) })
    -- The second one would wait for half of this.
    local opts = { timeout = { connect = 2 } }
    assert.equal("good", assert(get(port, "127.0.0.1,127.0.0.3", opts)).body)
    opts.timeout = { connect = 10000, total = 25 }
    for _ = 1, 3 do assert.equal("good", assert(get(port, "127.0.0.1,127.0.0.3", opts)).body) end
  end)

  it("is tried all the same when it is the only one", function()
    local port = third()
    local address = "127.0.1.9"
    faults.check({ kind = "connect", phase = "connect", message = "refused" }, get(port, address))
    faults.check({ kind = "connect", phase = "connect", message = "refused" }, get(port, address))
    faults.raw(function(conn)
      while conn:read_head() do conn:write(OK) end
    end, { host = address, port = tonumber(port) })
    assert.equal("good", assert(get(port, address)).body)
  end)
end)

describe("an address", function()
  it("is resolved as told", function()
    local site = origin.start()
    local url, resolve = site:called("name.example")
    local res = assert(http.client({ resolve = resolve }):get(url .. "/x"))
    assert.are.equal(url .. "/x", res.url)
    assert.are.equal(("name.example:%d"):format(site.port), site:last().headers.host)
    site:stop()
  end)

  it("may have an international name", function()
    local site = origin.start()
    local url, resolve = site:called("bücher.example")
    local res = assert(http.get(url .. "/ü", { resolve = resolve }))
    local ascii = ("xn--bcher-kva.example:%d"):format(site.port)
    assert.are.equal("http://" .. ascii .. "/%C3%BC", res.url)
    assert.are.equal(ascii, site:last().headers.host)
    site:stop()
  end)

  it("may be a Unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    serving.start(function(req) return req.path end, { unix_socket = path })
    local res = assert(http.get("http://localhost/x", { unix_socket = path }))
    assert.are.equal("/x", res.body)
    assert.are.equal(path, res.remote_address)
    task.defer(function() os.remove(path) end)
  end)

  it("may be given for this side", function()
    local site = origin.start()
    assert(http.get(site.url, { local_address = "127.0.0.1", ip = "4" }))
    site:stop()
  end)
end)
