-- Downloads from real servers, over TLS and HTTP/2, many at once, and where the system gives out.

local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local ranged = require "spec.support.ranged"
local servers = require "spec.support.servers"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

describe("a download from nginx", function()
  local SIZE = 1500000
  local nginx, body

  setup(function()
    nginx, body = servers.nginx(), ranged.bytes(SIZE)
    servers.write(nginx.directory .. "/www/file.bin", body)
  end)
  teardown(function() nginx:stop() end)
  before_each(files.begin)
  after_each(files.finish)

  for _, protocol in ipairs { "http", "https", "http2" } do
    local function client() return faults.client { tls = { ca = nginx.ca } } end

    it("goes on over " .. protocol, function()
      local url, api = nginx[protocol] .. "/file.bin", client()
      assert(api:download(url, files.path "a"))
      assert.equal(body, files.read "a")
      -- as a run leaves it that was killed
      local etag = assert(api:head(url, { headers = { ["Accept-Encoding"] = "identity" } })):header "ETag"
      local info = ('{"lurcher_download":1,"url":"%s","validator":%q,"size":%d}'):format(
        require("lurcher.crypto").sha256(url), etag, SIZE)
      assert(fs.write(files.path "b.part", body:sub(1, 1000000)))
      assert(fs.write(files.path "b.part.info", info))
      assert.equal(1000000, assert(api:download(url, files.path "b")).resumed)
      assert.equal(body, files.read "b")
      -- the file changed meanwhile
      assert(fs.write(files.path "c.part", body:sub(1, 1000000)))
      assert(fs.write(files.path "c.part.info", (info:gsub('\\"', '\\"x', 1))))
      assert.equal(0, assert(api:download(url, files.path "c")).resumed)
      assert.equal(body, files.read "c")
    end)

    it("comes in parts over " .. protocol, function()
      local result = assert(client():download(nginx[protocol] .. "/file.bin", files.path "a", { parts = 4 }))
      assert.equal(SIZE, result.bytes)
      assert.equal(body, files.read "a")
    end)

    it("comes many times at once over " .. protocol, function()
      local api, numbers = client(), {}
      for i = 1, 30 do numbers[i] = i end
      task.map(numbers, function(i)
        assert(api:download(nginx[protocol] .. "/file.bin", files.path(tostring(i))))
      end, { concurrency = 30 })
      for i = 1, 30 do assert.is_true(body == files.read(tostring(i))) end
    end)
  end

  it("leaves its connection to the next one", function()
    local api = faults.client {}
    for i = 1, 3 do assert(api:download(nginx.http .. "/file.bin", files.path(tostring(i)))) end
    assert.equal(1, api:stats().connections)
  end)

  it("is counted in the metrics", function()
    local metrics = require "lurcher.metrics"
    local api = faults.client { name = "counted download" }
    assert(api:download(nginx.http .. "/file.bin", files.path "a"))
    assert.matches('counted download', metrics.prometheus(), 1, true)
  end)
end)

describe("a download from a server without ranges", function()
  before_each(files.begin)
  after_each(files.finish)

  it("is one stream, with parts, too", function()
    local body, port = ranged.bytes(500000), servers.free_port()
    assert(fs.mkdir(files.path "www"))
    assert(fs.write(files.path "www/file.bin", body))
    local child = process.start({ "-m", "http.server", "--bind", "127.0.0.1", "--directory", files.path "www",
      tostring(port) }, { command = "/usr/bin/python3" })
    task.defer(function()
      child:kill "KILL"
      child:wait()
    end)
    local url, api = ("http://127.0.0.1:%d/file.bin"):format(port), faults.client {}
    serving.eventually(function() return api:head(url) end)
    assert.equal(500000, assert(api:download(url, files.path "a", { parts = 4 })).bytes)
    assert.equal(body, files.read "a")
  end)
end)

describe("a download in a process with", function()
  before_each(files.begin)
  after_each(files.finish)

  local SCRIPT = [[
    local result, err = require("lurcher.http").download(...)
    print(err and err.kind, err and err.code, result and result.resumed)
  ]]

  local function run(limit, url)
    return process.run({ limit, process.lurcher, "-e", SCRIPT, url, files.path "a" }, { command = "prlimit" })
  end

  it("no room for more is kind file, and goes on once there is", function()
    local origin = ranged.start { etag = '"a"', body = ranged.bytes(500000) }
    assert.equal("file\tEFBIG\tnil\n", run("--fsize=200000", origin.url).out)
    assert.equal(200000, #files.read "a.part")
    assert.equal("nil\tnil\t200000\n", run("--fsize=unlimited", origin.url).out)
    assert.equal(origin.body, files.read "a")
  end)

  it("few descriptors ends, and is whole or an error", function()
    local origin = ranged.start { etag = '"a"' }
    for limit = 12, 30, 2 do
      local ended = run("--nofile=" .. limit, origin.url)
      if ended.out == "nil\tnil\t0\n" then
        assert.equal(origin.body, files.read "a")
        assert(fs.remove(files.path "a"))
      else
        assert.is_true(ended.status ~= 0 or ended.out:find "^file\t" ~= nil or ended.out:find "^connect\t" ~= nil,
          ("%d: %s%s"):format(limit, ended.out, ended.err))
        assert.is_nil(ended.signal)
      end
    end
    assert.equal(origin.body, assert(run("--nofile=64", origin.url)) and files.read "a")
  end)
end)
