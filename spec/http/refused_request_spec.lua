-- A request that was refused before it was sent leaves nothing behind for the next one of its client.

local assert = require "luassert"
local faults = require "spec.support.faults"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

-- libcurl has no room for this zone.
local REFUSED = "http://[fe80::1%25" .. ("a"):rep(24) .. "]/"

local function echo()
  return serving.start(function(request)
    if request.target == "/away" then return { status = 307, headers = { Location = REFUSED } } end
    return { body = ("%s %s"):format(request.method, request.headers["content-length"] or "no length") }
  end)
end

local function next_is_a_get(client, s)
  for _ = 1, 3 do
    local res = assert(client:get(s.url .. "/"))
    assert.equal(200, res.status)
    assert.equal("GET no length", res.body)
  end
end

for _, method in ipairs { "DELETE", "HEAD", "POST", "PUT", "PATCH", "OPTIONS", "PURGE" } do
  describe("a " .. method .. " that is refused", function()
    it("for its URL is followed by a GET", function()
      local s, client = echo(), faults.client()
      assert(client:get(s.url .. "/"))
      local wanted = { kind = "url", message = "a zone of more than 15 bytes", attempts = 0 }
      faults.check(wanted, client:request(method, REFUSED))
      next_is_a_get(client, s)
    end)

    it("for the URL it was led to is followed by a GET", function()
      local s, client = echo(), nil
      -- The hook stands for whatever else the client does meanwhile: its spare handle is there again.
      client = faults.client { hooks = { redirect = { function() assert(client:get(s.url .. "/")) end } } }
      local _, err = client:request(method, s.url .. "/away")
      assert.truthy(err and (err.kind == "url" or err.kind == "redirect"), tostring(err))
      next_is_a_get(client, s)
    end)

    it("since it was cancelled while it waited is followed by a GET", function()
      local s = echo()
      local client = faults.client { limits = { per_origin = 1 } }
      assert(client:get(s.url .. "/"))
      local first = task.spawn(function() return client:get(s.url .. "/") end)
      local waiting = task.spawn(function() return client:request(method, s.url .. "/") end)
      waiting:cancel()
      assert(first:join())
      next_is_a_get(client, s)
    end)
  end)
end
