-- What is done many times leaves nothing behind: no memory, no descriptor, nothing that counts as open.

local breaker = require "lurcher.breaker"
local clock = require "lurcher.clock"
local errors = require "lurcher.base.errors"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local native = require "lurcher.native.task"
local server = require "lurcher.server"
local task = require "lurcher.task"

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

local function lua_bytes()
  for _ = 1, 3 do collectgarbage() end
  return collectgarbage "count" * 1024
end

local function open_things()
  local list = {}
  for name, count in pairs(native.counts()) do list[#list + 1] = name .. "=" .. count end
  table.sort(list)
  return table.concat(list, " ")
end

local function times(count, fn)
  for i = 1, count do fn(i) end
end

-- Does it so many times; no time leaves more than `most` bytes of Lua behind. What is more is looked at once more:
-- the table of all strings is doubled now and then, which is 64 KiB at once here.
local function leaves_bytes(count, most, fn)
  local each
  for _ = 1, 2 do
    local before = lua_bytes()
    local open = open_things()
    times(count, fn)
    faults.eventually(function()
      collectgarbage()
      return open == open_things()
    end, "the end of all that was begun")
    each = (lua_bytes() - before) / count
    if each < most then return end
  end
  assert(false, ("%.1f bytes of Lua each stay behind"):format(each))
end

-- Lua's memory after the second thousand of times is what it was after the first.
local function keeps_memory(count, fn)
  times(count, fn)
  local open = open_things()
  leaves_bytes(count, 8, fn)
  assert.equal(open, open_things())
end

-- The same for what is slower, and has memory of C and descriptors, too: `kib` is what each may leave behind
-- of the process' memory, which allocators round up.
local function keeps_all(count, kib, fn)
  times(count, fn)
  local resident, descriptors = faults.resident(), faults.descriptors()
  leaves_bytes(count, 128, fn)
  local grown = faults.resident() - resident
  assert.is_true(grown < (4096 + kib * count) * faults.memory_slack(), ("%d KiB stay behind"):format(grown))
  faults.eventually(function() return faults.descriptors() <= descriptors + 8 end, "closing all descriptors")
end

-- Each time in a task of its own, which closes what was left open.
local function in_a_task(fn)
  return function(i) task.spawn(fn, i):join() end
end

describe("waits that time out leave nothing behind:", function()
  local function holder(semaphore)
    semaphore:acquire()
    return function() semaphore:acquire() end
  end

  local function full_queue()
    local queue = task.queue(1)
    queue:put(1)
    return function() queue:put(2) end
  end

  local function slow_limiter()
    local limiter = task.limiter { rate = 1e-9 }
    limiter:wait()
    return function() limiter:wait() end
  end

  local function waiting_circuit()
    local b = breaker.new { failures = 1, cooldown = 1e9, wait = true }
    b:call(function() return nil, errors.new { kind = "connect", message = "refused" } end)
    return function() b:call(function() end) end
  end

  local function endless(fn)
    local handle = task.spawn(fn)
    task.defer(function() handle:cancel() end)
    return handle
  end

  local waits = {
    ["for an event"] = function()
      local event = task.event()
      return function() event:wait() end
    end,
    ["for a semaphore"] = function() return holder(task.semaphore(1)) end,
    ["for a value of a queue"] = function()
      local queue = task.queue()
      return function() queue:get() end
    end,
    ["for room in a queue"] = full_queue,
    ["for a limiter"] = slow_limiter,
    ["for a circuit"] = waiting_circuit,
    ["for another task"] = function()
      local handle = endless(function() task.sleep(1e9) end)
      return function() handle:join() end
    end,
    ["in a sleep"] = function() return function() task.sleep(1e9) end end,
    ["for the next of a stream of tasks"] = function()
      return function()
        for _ in task.stream({ 1, 2, 3 }, function() task.sleep(1e9) end, { concurrency = 2 }) do end
      end
    end,
    ["for the first of several"] = function()
      local function long() task.sleep(1e9) end
      return function() task.race { long, long } end
    end,
    ["for a module that another task loads"] = function()
      package.preload["spec_slow_module"] = function() task.sleep(1e9) end
      task.defer(function() package.preload["spec_slow_module"] = nil end)
      endless(function() require "spec_slow_module" end)
      task.yield()
      return function() require "spec_slow_module" end
    end,
  }

  for what, prepare in pairs(waits) do
    it(what, function()
      clock.virtual(function()
        local wait = prepare()
        endless(function() pcall(wait) end) -- it stays in front of all others
        keeps_memory(2000, function()
          local _, err = task.timeout(1, wait)
          assert.equal("timeout", err.kind)
        end)
      end)
    end)

    it(what .. ", with another that comes before the one goes", function()
      clock.virtual(function()
        local wait = prepare()
        endless(function() pcall(wait) end)
        local last
        keeps_memory(1000, function()
          local previous = last
          last = task.spawn(function() pcall(task.timeout, 2, wait) end)
          task.sleep(1)
          if previous then previous:join() end
        end)
      end)
    end)
  end

  for what, limits in pairs { ["for a slot"] = { inflight = 1 },
    ["for the rate"] = { rate = 1e-6, burst = 1 } } do
    it(what .. " of a client", function()
      local go = task.event()
      local site = faults.server(function(conn)
        go:wait()
        conn:write(OK)
      end)
      local client = faults.client { limits = limits, timeout = false }
      local first = task.spawn(client.get, client, site.url)
      faults.eventually(function() return client:stats().in_flight == 1 end)
      keeps_all(300, 4, function()
        local _, err = client:get(site.url, { timeout = { queue = 0.001 } })
        assert.equal("timeout", err.kind)
      end)
      go:set()
      assert(first:join())
    end)
  end
end)

describe("opened and closed many times, nothing stays of", function()
  local site

  before_each(function()
    site = assert(server.start(function(req)
      return { body = req.path == "/large" and ("x"):rep(300000) or "ok" }
    end, { record = 1 }))
  end)

  after_each(function() site:stop(0) end)

  it("clients", function()
    keeps_all(100, 40, function()
      local client = http.client { retry = false }
      assert(client:get(site.url))
      client:close()
    end)
  end)

  it("clients that nobody closes", function()
    keeps_all(100, 40, function(i)
      assert(http.client { retry = false }:get(site.url))
      if i % 10 == 0 then collectgarbage() end
    end)
  end)

  it("requests, answered and refused", function()
    local client = faults.client()
    local gone = assert(server.start(function() end))
    gone:stop(0)
    keeps_all(500, 4, function(i)
      assert(client:get(site.url .. "/" .. i % 7))
      local _, err = client:get(gone.url)
      assert.equal("connect", err.kind)
    end)
  end)

  it("streams that are left after their first piece", function()
    local client = faults.client()
    keeps_all(200, 16, in_a_task(function(i)
      local res = assert(client:get(site.url .. "/large", { stream = true }))
      assert(res:read())
      if i % 2 == 0 then res:close() end -- the others are closed with their task
    end))
  end)

  it("requests that time out while they are answered", function()
    local slow = faults.server(function(conn)
      conn:write "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n1234"
      while conn:read() do end
    end, { record = 1 })
    local client = faults.client()
    keeps_all(100, 16, function()
      local _, err = client:get(slow.url, { timeout = { total = 0.01 } })
      assert.equal("timeout", err.kind)
    end)
  end)

  it("servers", function()
    local client = faults.client()
    keeps_all(100, 40, function()
      local s = assert(server.start(function() return "ok" end))
      assert(client:get(s.url, { headers = { Connection = "close" } }))
      s:stop(0)
    end)
  end)

  it("files", function()
    files.begin()
    local name = files.path "file"
    keeps_all(300, 4, in_a_task(function(i)
      assert(fs.write(name, ("line\n"):rep(10)))
      local next_line = fs.lines(name)
      assert.equal("line", next_line())
      if i % 2 == 0 then for _ in next_line do end end
      local writer = assert(fs.writer(name))
      assert(writer:write "other")
      if i % 2 == 0 then assert(writer:close()) end
    end))
    files.finish()
  end)

  it("tasks and scopes, done, failed and cancelled", function()
    keeps_memory(1000, function(i)
      task.spawn(function() return 1 end):join()
      pcall(task.scope, function() error("on purpose", 0) end)
      pcall(task.scope, function(scope)
        scope:spawn(function() error("on purpose", 0) end)
        task.sleep(1)
      end)
      pcall(task.map, { 1, 2, 3 }, function() error(("on purpose, %d"):format(i)) end)
      pcall(function()
        for _ in task.stream({ 1, 2, 3 }, error) do end
      end)
      local handle = task.spawn(task.scope, function() task.sleep(3600) end)
      task.yield()
      handle:cancel()
      pcall(handle.join, handle)
    end)
  end)
end)
