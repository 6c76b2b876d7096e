-- The waterfalls of --explain: what is kept of calls, and how it is drawn.

local explain = require "lurcher.report.explain"
local process = require "spec.support.process"
local stage = require "spec.support.stage"
local units = require "lurcher.base.units"

-- A recording of calls, each { url, seconds, rows… }, one after the other.
local function recording_of(list)
  local calls, at, failed = {}, 0, 0
  for i, entry in ipairs(list) do
    local call = { number = i, method = "GET", url = entry[1], name = entry.name or false, began = at,
      ended = at + entry[2], result = entry.result or "200", failed = entry.failed or false, attempts = 0,
      rows = {}, more = entry.more or 0 }
    for _, row in ipairs(entry.rows or {}) do
      row.began, row.ended = row.began + at, row.ended + at
      call.attempts = call.attempts + (row.what == "attempt" and 1 or 0)
      call.rows[#call.rows + 1] = row
    end
    calls[i], at = call, call.ended
    failed = failed + (call.failed and 1 or 0)
  end
  return { calls = calls, total = list.total or #calls, failed = failed, open = 0, began = 0, ended = at }
end

-- An attempt row from `began` on, with these phases.
local function attempt(number, result, began, phases)
  local ended = began
  for _, phase in ipairs { "slot", "rate", "dns", "connect", "tls", "first_byte", "body" } do
    phases[phase] = phases[phase] or 0
    ended = ended + phases[phase]
  end
  return { what = "attempt", attempt = number, result = result, began = began, ended = ended,
    phases = phases, method = "GET", url = "http://h/" }
end

-- `count` characters of a line from the one at `from` on.
local function cells(line, from, count)
  local characters = {}
  for character in line:gmatch("[^\128-\191][\128-\191]*") do characters[#characters + 1] = character end
  return table.concat(characters, "", from, from + count - 1)
end

local function retried()
  return recording_of { { "http://h/x", 1, rows = {
    attempt(1, "503", 0, { slot = 0.1, dns = 0.1, connect = 0.1, tls = 0.1, first_byte = 0.1 }),
    { what = "retry", began = 0.5, ended = 0.7, why = "status 503" },
    attempt(2, "200", 0.7, { rate = 0.1, first_byte = 0.1, body = 0.1 }),
  } } }
end

describe("a waterfall", function()
  it("has a row for each attempt and wait, each phase in its place", function()
    local text = explain.text(retried(), 80, false)
    assert.matches("\nGET http://h/x  200  1.00 s  at 0  2 attempts\n", text)
    local bars = {} -- the 51 cells of each row
    for line in text:gmatch("[^\n]+") do
      if line:find("^  %d  ") or line:find("^     wait") then bars[#bars + 1] = cells(line, 19, 51) end
    end
    assert.same({ "░░░░░dddddcccccttttt━━━━━━                         ",
      "                         ┈┈┈┈┈┈┈┈┈┈┈               ",
      "                                   ▒▒▒▒▒▒━━━━━█████" }, bars)
  end)

  it("says in figures what it draws, and why was waited", function()
    local text = explain.text(retried(), 80, false)
    assert.matches("\n +slot 100 ms, dns 100 ms, connect 100 ms, tls 100 ms,\n +first byte 100 ms\n", text)
    assert.matches("\n +status 503\n", text)
    assert.matches("\n +rate 100 ms, first byte 100 ms, body 100 ms\n", text)
  end)

  it("has its figures beside the bars where there is room", function()
    local text = explain.text(retried(), 160, false)
    assert.matches("300 ms  rate 100 ms, first byte 100 ms, body 100 ms\n", text)
  end)

  it("fits into 60, 80, 120 and 200 columns, whatever the URL", function()
    local list = { { "http://h/" .. ("x"):rep(500), 1, name = ("näme"):rep(20), result = "timeout/connect",
      failed = true, rows = { attempt(1, "timeout/connect", 0, { connect = 1 }) } } }
    list[1].rows[1].why = ("because "):rep(50)
    for _, columns in ipairs { 60, 80, 120, 200 } do
      local text = explain.text(recording_of(list), columns, false)
      for line in text:gmatch("[^\n]+") do assert.is_true(units.width(line) <= columns, line) end
    end
  end)

  it("marks what is too short to be drawn", function()
    local text = explain.text(recording_of { { "http://h/", 1, rows = {
      { what = "redirect", began = 0.5, ended = 0.5, url = "http://h/y" } } } }, 80, false)
    assert.matches("redirect +╵ +0\n +to http://h/y\n", text)
  end)

  it("draws a call that took no time", function()
    assert.matches("GET http://h/  200  0", explain.text(recording_of { { "http://h/", 0,
      rows = { attempt(1, "200", 0, {}) } } }, 80, false))
  end)

  it("shows the first ten calls and the slowest thirty, and counts all", function()
    local list = { total = 100000 }
    for i = 1, 300 do list[i] = { "http://h/" .. i, i / 1000, rows = {} } end
    local text = explain.text(recording_of(list), 80, false)
    assert.equal(40, select(2, text:gsub("GET http", "")))
    for _, number in ipairs { 1, 10, 271, 300 } do
      assert.matches("http://h/" .. number .. "  200", text)
    end
    assert.not_matches("http://h/270 ", text)
    assert.matches("\n100,000 calls, 0 failed, in 45.15 s; shown are the first 10 and the slowest", text)
  end)

  it("says how many rows were left out", function()
    local recording = recording_of { { "http://h/", 1, more = 1234 } }
    assert.matches("… and 1,234 rows more\n", explain.text(recording, 80, false))
  end)

  it("has colours only when asked for, and none for the terminal from elsewhere", function()
    local recording = recording_of { { "http://h/\27[31m", 1, name = "\27]0;x\7",
      rows = { attempt(1, "200", 0, { body = 1 }) } } }
    assert.is_nil(explain.text(recording, 80, false):find("\27", 1, true))
    local coloured = explain.text(recording, 80, true)
    assert.is_truthy(coloured:find("\27[32m█\27[0m", 1, true))
    assert.is_truthy(coloured:find("http://h/\\x1b[31m", 1, true))
  end)
end)

describe("lurcher --explain", function()
  local function explained(script, site)
    return stage.run({ "--explain" }, script, site)
  end

  it("shows each call with its attempts, waits and hops on standard error", function()
    local site = stage.site()
    local ended = explained([[
      assert(api:get("away?token=abc"))
      assert(api:get("busy", { name = "busy one" }))
      print "done"]], site)
    assert.equal("done\n", ended.out)
    assert.equal(0, ended.status)
    local text = ended.err
    assert.is_truthy(text:find("GET " .. site.url .. "/away?token=***  200  ", 1, true), text)
    assert.matches("\n  1  302 .-\n     redirect .-\n  1  200 ", text)
    assert.matches("3 attempts  busy one\n  1  503 .-\n     wait .-\n  2  503 .-\n     wait .-\n  3  200 ",
      text)
    assert.matches("\n2 calls, 0 failed, in ", text)
    assert.is_nil(text:find("\27", 1, true)) -- it is no terminal
  end)

  it("counts the time a stream is read to its body", function()
    local site = stage.site()
    site.paths["/drip"] = function()
      local pieces = 0
      return { body = function()
        pieces = pieces + 1
        if pieces == 2 then require("lurcher.task").sleep(0.05) end
        return pieces <= 2 and "piece" or nil
      end }
    end
    local ended = explained([[
      local res = assert(api:get("drip", { stream = true }))
      res:read_all()]], site)
    local took, body = ended.err:match("/drip  200  ([%d.]+) ms.*body ([%d.]+) ms")
    assert.is_true(tonumber(took) >= 45 and tonumber(body) >= 40, ended.err)
  end)

  it("shows calls that failed, and where they were", function()
    local ended = explained([[http.get("http://127.0.0.1:1/", { retry = { attempts = 2, base = 0.001 } })]])
    assert.matches("\nGET http://127.0.0.1:1/  connect  .-  2 attempts\n  1  connect +d*c", ended.err)
    assert.matches("\n1 call, 1 failed", ended.err)
  end)

  it("tells waits for the rate from waits for a slot", function()
    local ended = explained([[
      local steady = http.client { base_url = url, limits = { rate = 5, burst = 1 } }
      for _ = 1, 2 do steady:get "ok" end
      local narrow = http.client { base_url = url, limits = { per_origin = 1 } }
      task.map({ 1, 2 }, function() narrow:get("slow") end)]])
    assert.matches("/ok  200  .-\n  1  200 +▒.-\n +rate [%d.]+ ms, ", ended.err)
    assert.matches("/slow  200  .-\n  1  200 +░.-\n +slot [%d.]+ ms, ", ended.err)
  end)

  it("shows what a circuit breaker did", function()
    local site = stage.site()
    site.paths["/broken"] = { status = 500 }
    local ended = explained([[
      local careful = http.client { base_url = url, retry = false, breaker = { failures = 1, cooldown = 50 } }
      careful:get "broken"
      careful:get "broken"
      local patient = http.client { base_url = url, retry = false,
        breaker = { failures = 1, cooldown = 0.05, wait = true } }
      patient:get "broken"
      patient:get "ok"]], site)
    assert.matches("/broken  500  .-\n     breaker .-closed to open", ended.err)
    assert.matches("/broken  circuit_open  .-\n     refused ", ended.err)
    assert.matches("/ok  200  .-\n     wait +╌.-was open\n", ended.err)
  end)

  it("shows what was interrupted", function()
    local site = stage.site()
    site.paths["/never"] = function() require("lurcher.task").sleep(60) end
    local child = stage.start({ "--explain" }, [[
      api:get "ok"
      task.spawn(function() task.sleep(0.05) print "now" io.flush() end)
      api:get "never"]], site)
    child:wait_for "now"
    child:kill "INT"
    local ended = child:wait()
    assert.equal(130, ended.status)
    assert.matches("/never  canceled  .-\n     unfinished +%?+", ended.err)
    assert.matches("\n2 calls, 1 failed", ended.err)
  end)

  it("keeps bounded memory, with thousands of calls", function()
    local site = stage.site()
    local ended = explained([[
      local function collected() collectgarbage() collectgarbage() return collectgarbage("count") end
      for _ = 1, 1000 do api:get "ok" end
      local before = collected()
      for _ = 1, 5000 do api:get "ok" end
      print(collected() - before < 200)]], site)
    assert.equal("true\n", ended.out)
    assert.matches("\n6,000 calls, 0 failed", ended.err)
  end)

  it("shows what the specs of several files asked for", function()
    local url = stage.site().url
    local file = ([[it("asks", function() assert(require("lurcher.http").get("%s")) end)]]):format(url)
    local ended = process.run { "--explain", "test", process.script(file), process.script(file) }
    assert.equal(0, ended.status, ended.out)
    assert.matches("\n2 calls, 0 failed", ended.err)
  end)

  it("does not exist without the option", function()
    local ended = stage.run({}, [[
      api:get "ok"
      local loaded = package.loaded
      print(loaded["lurcher.report.recorder"], loaded["lurcher.http.observe"].enabled)]])
    assert.equal("nil\tfalse\n", ended.out)
  end)
end)
