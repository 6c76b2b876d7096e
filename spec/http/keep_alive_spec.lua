-- "Keep-Alive: timeout=" tells how long the server keeps an idle connection: it is not used after that.

local assert = require "luassert"
local faults = require "spec.support.faults"
local serving = require "spec.support.serving"

local function server(value)
  return faults.raw(function(conn)
    while conn:read_head() do
      conn:write("HTTP/1.1 200 OK\r\nKeep-Alive: " .. value .. "\r\nContent-Length: 2\r\n\r\nok")
    end
  end)
end

describe("a connection", function()
  for _, value in ipairs { "timeout=1", "max=100, timeout=1", "Timeout=1, max=3", "timeout=0", 'timeout="1"',
    "timeout = 1" } do
    it("ends when the server said so: " .. value, function()
      local s = server(value)
      local client = faults.client { limits = { idle_timeout = false } }
      assert(client:get(s.url))
      serving.eventually(function() return client:stats().connections == 0 end)
      assert.is_false(assert(client:get(s.url)).reused)
    end)
  end

  it("is used again until then, each time anew", function()
    local s = server "timeout=1000"
    local client = faults.client { limits = { idle_timeout = false } }
    for i = 1, 5 do assert.equal(i > 1, assert(client:get(s.url)).reused) end
    assert.equal(1, client:stats().connections)
  end)

  for _, value in ipairs { "timeout=", "timeout=x", "timeout", 'timeout="', "timeouts=1", "max=5",
    "timeout=99999999999999999999", ",;=" } do
    it("stays when the server says nothing of use: " .. value, function()
      local s = server(value)
      local client = faults.client()
      assert(client:get(s.url))
      assert.is_true(assert(client:get(s.url)).reused)
    end)
  end
end)
