local process = require "spec.support.process"
local progress = require "lurcher.progress"

-- What a script shows on a terminal: a list of what was written between returns of the carriage. Its clock is
-- virtual, so the figures are the same everywhere. `wrapper` is a shell command around it.
local function shown(script, columns, wrapper, terminal)
  local path = process.script(([[
    local clock, http, log = require "lurcher.clock", require "lurcher.http", require "lurcher.log"
    local pages, progress, task = require "lurcher.pages", require "lurcher.progress", require "lurcher.task"
    local server, json = require "lurcher.server", require "lurcher.json"
    clock.virtual(function()
      %s
    end)
  ]]):format(script))
  local command = wrapper or 'TERMINAL=%s /usr/bin/python3 spec/support/on_terminal.py %d "$1" "$2"'
  command = command:format(terminal or "xterm", columns or 80)
  local ended = process.run({ "-c", command, "sh", process.lurcher, path }, { command = "sh" })
  local lines = {}
  for line in (ended.out .. "\r"):gmatch("([^\r]*)\r") do
    line = line:gsub("\27%[K", "")
    if line ~= "" and line ~= "\n" then lines[#lines + 1] = line end
  end
  return lines, ended
end

describe("progress", function()
  it("is one line with share, bar, count, rate and the time left, and a last one that stays", function()
    assert.are.same({
      "load   0% [........................................] 0/100",
      "load  20% [########................................] 20/100 20/s ETA 0:04",
      "load  40% [################........................] 40/100 20/s ETA 0:03",
      "load  60% [########################................] 60/100 20/s ETA 0:02",
      "load  80% [################################........] 80/100 20/s ETA 0:01",
      "load 100% [########################################] 100/100 20/s ETA 0:00",
      "load 100% [########################################] 100/100 20/s 0:05",
    }, (shown [[
      local bar = progress.bar { total = 100, label = "load" }
      for _ = 1, 5 do
        task.sleep(1)
        bar:add(20)
      end
      bar:done()
    ]]))
  end)

  it("is redrawn at most ten times a second", function()
    local lines = shown [[
      local bar = progress.bar { total = 1000 }
      for _ = 1, 1000 do
        task.sleep(0.001)
        bar:add()
      end
    ]]
    assert.is_true(#lines >= 10 and #lines <= 12, "lines: " .. #lines)
  end)

  it("shows count, rate and time when there is no total, and the total once it is known", function()
    assert.are.same({
      "0 0:00",
      "30000 15.0k/s 0:02",
      " 75% [##############################..........] 60000/80000 15.0k/s ETA 0:01",
      " 75% [##############################..........] 60000/80000 15.0k/s 0:04",
    }, (shown [[
      local bar = progress.bar()
      task.sleep(2)
      bar:add(30000)
      bar.total = 80000
      task.sleep(2)
      bar:add(30000)
    ]]))
  end)

  it("follows a rate that changes", function()
    local lines = shown [[
      local bar = progress.bar { total = 1000 }
      for i = 1, 60 do
        task.sleep(1)
        bar:add(i <= 10 and 1 or 10)
      end
    ]]
    assert.matches(" 1%.0/s ", lines[11])
    assert.matches(" 10/s ", lines[61])
  end)

  it("fits into every width", function()
    for _, columns in ipairs { 200, 80, 50, 40, 30, 20 } do
      for _, line in ipairs((shown([[
        local bar = progress.bar { total = 100000, label = "a label that is much longer than it should be" }
        for _ = 1, 3 do
          task.sleep(1)
          bar:add(3000)
        end
      ]], columns))) do
        local wide = select(2, line:gsub("\n$", ""):gsub("[^\128-\191]", ""))
        assert.is_true(wide < columns, columns .. ": " .. line)
        assert.matches("%d+%%", line)
      end
    end
  end)

  it("shows no control character of a label", function()
    assert.are.equal("a b 0", (shown([[progress.bar { label = "a\27\nb" }]])[1]:match("^a b 0")))
  end)

  it("makes way for prints and log lines", function()
    local lines, ended = shown [[
      local bar = progress.bar { total = 2 }
      print "printed"
      log.warn "logged"
      bar:add(2)
    ]]
    assert.are.equal("printed", lines[2])
    assert.matches("^%S+ WARN  logged", lines[4])
    assert.are.equal(lines[1], lines[3])
    assert.are.equal(lines[1], lines[5])
    -- Each of them comes at the start of an erased line.
    assert.matches("\r\27%[Kprinted\r\n", ended.out)
    assert.matches("\r\27%[K%S+ WARN  logged[^\r]*\r\n", ended.out)
  end)

  it("leaves its last line when the task fails, before the report", function()
    local lines, ended = shown [[
      local bar = progress.bar { total = 2, label = "half" }
      bar:add()
      error "oh no"
    ]]
    assert.matches("^half  50%% .* 1/2", lines[2])
    assert.matches("lurcher: .*oh no", lines[3])
    assert.are.equal(1, ended.status)
  end)

  it("leaves nothing behind after os.exit", function()
    local _, ended = shown [[
      progress.bar { total = 2 }
      os.exit(0)
    ]]
    assert.matches("\r\27%[K$", ended.out)
  end)

  it("shows several with all that fits, where there is room", function()
    local lines = shown([[
      local one, two = progress.bar { total = 4, label = "one" }, progress.bar { total = 8, label = "two" }
      task.sleep(1)
      one:add()
      two:add()
    ]], 120)
    assert.matches("^one  25%% %[#+%.+%] 1/4 1%.0/s ETA 0:03 | two", lines[3])
    assert.matches(" | two   %d+%% %[#*%.+%] %d/8", lines[3])
    for _, line in ipairs(lines) do assert.is_true(#line < 120) end
  end)

  it("counts wide characters as the two columns they take", function()
    for _, line in ipairs(shown([[
      local bar = progress.bar { total = 100, label = "注文を取得しています🚀🚀" }
      task.sleep(1)
      bar:add(50)
    ]], 40)) do
      assert.is_true(require("lurcher.base.units").width(line:gsub("\n", "")) < 40, line)
    end
  end)

  it("tells of several on one line", function()
    local lines = shown [[
      local one, two = progress.bar { total = 4, label = "one" }, progress.bar { label = "two" }
      task.sleep(1)
      one:add()
      task.sleep(1)
      two:add(7)
      one:done()
      two:done()
    ]]
    assert.are.equal("one 0% | two 0", lines[2])
    assert.are.equal("one 25% | two 0", lines[3])
    assert.are.equal("one 25% | two 7", lines[4])
    assert.matches("^one  25%% .* 1/4", lines[5])
    assert.matches("^two 7 ", lines[6])
    assert.matches("^two 7 ", lines[7])
  end)

  describe("of", function()
    it("task.map is an option", function()
      local lines = shown [[
        task.map({ 1, 2, 3, 4 }, function() task.sleep(1) end, { concurrency = 1, progress = "items" })
        print "done"
      ]]
      assert.matches("^items   0%% .* 0/4$", lines[1])
      assert.matches("^items  50%% .* 2/4 1.0/s ETA 0:02$", lines[3])
      assert.matches("^items 100%% .* 4/4 1.0/s 0:04$", lines[6])
      assert.are.equal("\ndone", lines[7])
    end)

    it("task.map ends when it fails", function()
      local lines = shown [[
        local function work(i) task.sleep(i) assert(i == 1) end
        local fine = pcall(task.map, { 1, 2 }, work, { progress = true })
        print(fine)
      ]]
      assert.matches(" 50%% .* 1/2", lines[#lines - 1])
      assert.are.equal("\nfalse", lines[#lines])
    end)

    it("task.stream is an option", function()
      local lines = shown [[
        for _ in task.stream({ 1, 2 }, function(i) task.sleep(i) end, { progress = true }) do end
        print "done"
      ]]
      assert.matches("^100%% .* 2/2 1.0/s 0:02$", lines[#lines - 1])
      assert.are.equal("\ndone", lines[#lines])
    end)

    it("pages knows the total", function()
      local lines = shown [[
        local s = server.start(function(req)
          task.sleep(1)
          local list = {}
          for i = 1, 5 do list[i] = i end
          return { body = json.encode { items = list, total = 10, at = req.query.offset } }
        end)
        local by_offset = pages.offset { limit = 5, total = "total" }
        for _ in pages.items(http.client { base_url = s.url }, "x",
          { next = by_offset, items = "items", ahead = 0, progress = "orders" }) do end
        s:stop()
      ]]
      assert.are.equal("orders 0 0:00", lines[1])
      assert.matches("^orders 100%% .* 10/10 5.0/s 0:02$", lines[#lines])
    end)
  end)

  describe("is not shown", function()
    local SCRIPT = [[
      local bar = progress.bar { total = 2 }
      bar:add(2)
      bar:done()
      print "the end"
    ]]

    it("where standard error is no terminal", function()
      local lines, ended = shown(SCRIPT, 80, '"$1" "$2"')
      assert.are.same({ "the end\n" }, lines)
      assert.are.equal("", ended.err)
    end)

    it("on a terminal that cannot redraw a line", function()
      assert.are.same({ "the end" }, (shown(SCRIPT, 80, nil, "dumb")))
    end)
  end)

  it("refuses what cannot be, with the caller's line", function()
    local function fails(pattern, fn)
      local ok, err = pcall(fn)
      assert.is_false(ok)
      assert.matches("^[^:]*progress_spec.lua:%d+: " .. pattern, err)
    end
    fails("progress.bar: unknown option 'totl'; did you mean", function() progress.bar { totl = 1 } end)
    fails("progress.bar: option 'total' must be", function() progress.bar { total = "x" } end)
    fails("call it with a dot: progress.bar", function() progress:bar() end)
    fails("call it with a colon: bar:add", function() progress.bar().add(1) end)
    fails("bad argument #1 to 'bar:add'", function() progress.bar():add(-1) end)
  end)
end)
