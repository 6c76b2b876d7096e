-- A stream whose reader is slow is paused: what libcurl holds of it meanwhile comes when it goes on, and is freed
-- when it does not.

local assert = require "luassert"
local faults = require "spec.support.faults"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local MIB = 1024 * 1024
local GZIP = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s"

-- Lines of `size` bytes that compress to half of that.
local function hex_lines(count, size)
  local lines = {}
  for i = 1, count do
    local line = {}
    for k = 1, size / 8 do line[k] = ("%08x"):format(math.random(0, 2 ^ 32 - 1)) end
    lines[i] = '"' .. table.concat(line) .. '"'
  end
  return lines
end

describe("a paused stream", function()
  local nginx

  setup(function() nginx = servers.nginx() end)
  teardown(function() nginx:stop() end)

  for _, size in ipairs { 100000, 160000, 400000, 1000000 } do
    for _, protocol in ipairs { "http", "http2" } do
      it(("gives encoded lines of %d bytes over %s"):format(size, protocol), function()
        local lines = hex_lines(4, size)
        servers.write(nginx.directory .. "/www/lines", table.concat(lines, "\n") .. "\n")
        local client = faults.client { tls = { ca = nginx.ca }, timeout = { read = 5 } }
        local res = assert(client:get(nginx[protocol] .. "/lines", { stream = true }))
        assert.equal("gzip", res.headers["content-encoding"])
        local count = 0
        for line in res:lines() do
          count = count + 1
          assert.equal(lines[count], line)
        end
        assert.equal(4, count)
      end)
    end
  end

  for what, read in pairs {
    ["chunks"] = function(res) for _ in res:chunks() do error "a piece came" end end,
    ["read_all"] = function(res) assert.equal("", assert(res:read_all())) end,
    ["save"] = function(res)
      local path = os.tmpname()
      assert(res:save(path))
      os.remove(path)
    end,
  } do
    it("comes to its end by " .. what .. " where much input means nothing", function()
      local nothing = "\0\0\0\255\255" -- a stored block of no bytes
      local body = "\31\139\8\0\0\0\0\0\0\3" .. nothing:rep(200000) .. "\1\0\0\255\255" .. ("\0"):rep(8)
      local s = faults.answering(GZIP:format(#body, body))
      local res = assert(faults.client { timeout = { read = 5 } }:get(s.url, { stream = true }))
      task.sleep(0.05) -- until it is paused
      read(res)
    end)
  end

  it("ends with the error that it meets when it goes on", function()
    local head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2000000\r\n\r\n"
    local s = faults.answering(head .. "\31\139\8\0\0\0\0\0\0\3" .. ("\255"):rep(1999990))
    local res = assert(faults.client { timeout = { read = 5 } }:get(s.url, { stream = true }))
    task.sleep(0.05)
    local _, err = res:read_all()
    assert.equal("decode", err and err.kind)
  end)

  it("leaves nothing of an HTTP/2 stream behind that is given up", function()
    servers.write(nginx.directory .. "/www/large", ("x"):rep(4 * MIB))
    local client = faults.client { tls = { ca = nginx.ca } }
    local function give_up(times)
      for _ = 1, times do
        local res = assert(client:get(nginx.http2 .. "/large", { stream = true }))
        assert(res:read(1000))
        task.sleep(0.01)
        res:close()
      end
      faults.settled(client)
      return faults.resident()
    end
    local before = give_up(10)
    local grown = give_up(60) - before
    assert.is_true(grown < 8 * 1024 * faults.memory_slack(), "grew by " .. grown .. " KiB")
  end)
end)
