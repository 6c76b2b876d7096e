local preload = require "spec.support.preload"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

-- What waits, and how long it should, in a process whose time of day is set a day forward and two back.
local SCRIPT = [[
  local ffi = require "ffi"
  ffi.cdef "void clock_jump(long)"
  local http, task = require "lurcher.http", require "lurcher.task"
  local url = ...
  local begun, wall = task.now(), os.time()
  local api = http.client { base_url = url, limits = { rate = 10, burst = 1 } }
  assert(http.get(url .. "/good"))
  local waits = {
    sleep = function() task.sleep(0.3) end,
    timeout = function() assert(select(2, task.timeout(0.3, task.sleep, 100)).phase == "task") end,
    read = function() assert(not http.get(url .. "/slow", { timeout = { read = 0.3 }, retry = false })) end,
    retry = function()
      local res = http.get(url .. "/busy", { retry = { attempts = 2, base = 0.3, jitter = "none" } })
      assert(res.attempts == 2)
    end,
    rate = function() for _ = 1, 4 do assert(api:get "good") end end,
  }
  local names = {}
  for name in pairs(waits) do names[#names + 1] = name end
  table.sort(names)
  local seconds, running = {}, {}
  for i, name in ipairs(names) do
    running[i] = task.spawn(function()
      waits[name]()
      seconds[name] = task.now() - begun
    end)
  end
  task.sleep(0.1)
  local jumped = {}
  for _, days in ipairs { 1, -2 } do
    ffi.C.clock_jump(days * 86400)
    jumped[#jumped + 1] = math.floor((os.time() - wall) / 86400 + 0.5)
    task.sleep(0.05)
  end
  for _, handle in ipairs(running) do handle:join() end
  for _, name in ipairs(names) do print(name, seconds[name]) end
  print("jumped", table.concat(jumped, " "), http.get(url .. "/good").reused)
]]

describe("a time of day that jumps a day forward and two back", function()
  it("changes no wait, time limit or rate, and closes no connection", function()
    local s = serving.start(function(req)
      if req.path == "/slow" then task.event():wait() end
      return { status = req.path == "/busy" and 503 or 200 }
    end)
    local ended = preload.run("spec/support/jumping_clock.c", SCRIPT, s.url)
    assert.equal("", ended.err)
    assert.matches("jumped\t1 %-1\ttrue\n$", ended.out)
    local seen = 0
    for name, seconds in ended.out:gmatch "(%l+)\t([%d.]+)\n" do
      seconds, seen = tonumber(seconds), seen + 1
      assert.is_true(seconds > 0.29 and seconds < 5, name .. " took " .. seconds .. " s")
    end
    assert.equal(5, seen)
  end)
end)
