-- The tables of --stats, and what is common to the summaries at the end of a run.

local stage = require "spec.support.stage"
local stats = require "lurcher.report.stats"
local units = require "lurcher.base.units"

local function lines_of(text)
  local lines = {}
  for line in text:gmatch("[^\n]+") do lines[#lines + 1] = line end
  return lines
end

-- The cells of the nth line (by default the first) whose key begins with `key`; the rest may be shortened.
local function row(text, key, nth)
  local found = 0
  for _, line in ipairs(lines_of(text)) do
    if line:sub(1, #key + 1) == key .. " " then
      found = found + 1
      if found == (nth or 1) then return (line:match("^.-  +(.*)$"):gsub("  +", " | ")) end
    end
  end
end

local VARIOUS = [[
  for i = 1, 3 do assert(api:get "ok") end
  assert(api:get("slow", { name = "slow ones" }))
  assert(api:get("busy", { name = "busy" }))
  assert(api:get "missing")
  http.get("http://127.0.0.1:1/", { retry = false })]]

describe("lurcher --stats", function()
  it("shows requests, errors, retries and bytes by name and origin on standard error", function()
    local site = stage.site()
    local ended = stage.run({ "--stats" }, VARIOUS .. "print 'done'", site)
    assert.equal(0, ended.status)
    assert.equal("done\n", ended.out)
    assert.matches("^4 | 0 | 0 | %d+ B | %d+ B$", row(ended.err, site.url))
    assert.matches("^1 | 0 | 0 | ", row(ended.err, "slow ones"))
    assert.matches("^3 | 0 | 2 | ", row(ended.err, "busy"))
    assert.matches("^1 | 1 | 0 | ", row(ended.err, "http://127.0.0.1:1"))
    assert.matches("^9 | 1 | 2 | ", row(ended.err, "all"))
  end)

  it("shows the quantiles of attempts and first bytes", function()
    local site = stage.site()
    local ended = stage.run({ "--stats" }, VARIOUS, site)
    for quantile in row(ended.err, "slow ones", 2):gmatch("[^|]+") do
      local ms = tonumber(quantile:match("^ ?([%d.]+) ms ?$"))
      assert.is_true(ms ~= nil and ms >= 29, quantile .. ended.err)
    end
    assert.matches("| %- | %- | %-$", row(ended.err, "http://127.0.0.1:1", 2))
  end)

  it("shows the reuse of connections and what was waited for", function()
    local site = stage.site()
    local ended = stage.run({ "--stats" }, VARIOUS .. [[
      local narrow = http.client { base_url = url, limits = { per_origin = 1 } }
      task.map({ 1, 2 }, function() narrow:get("slow", { name = "queued" }) end)]], site)
    assert.matches("^75 %% | %- | %- | %- | %-$", row(ended.err, site.url, 3))
    assert.matches("^100 %% | %- | %- | [%d.]+ %S+ | %-$", row(ended.err, "busy", 3))
    assert.matches("^50 %% | [%d.]+ m?s | %- | %- | %-$", row(ended.err, "queued", 3))
  end)

  it("lists statuses and errors", function()
    local site = stage.site()
    local ended = stage.run({ "--stats" }, VARIOUS, site)
    assert.equal("200 3, 404 1", row(ended.err, site.url, 4))
    assert.equal("503 2, 200 1", row(ended.err, "busy", 4))
    assert.equal("connect 1", row(ended.err, "http://127.0.0.1:1", 4))
  end)

  it("says so when there were no requests", function()
    assert.equal("\nno requests were made\n", stage.run({ "--stats" }, "").err)
  end)

  it("comes after the report of a script that failed", function()
    local ended = stage.run({ "--stats" }, "api:get 'ok' error 'broken'")
    assert.equal(1, ended.status)
    assert.matches("broken\nstack traceback:.- requests .*\nhttp://127", ended.err)
  end)

  it("comes after os.exit, with its status", function()
    local ended = stage.run({ "--stats" }, "api:get 'ok' task.spawn(function() os.exit(7) end):join()")
    assert.equal(7, ended.status)
    assert.matches("requests.-\nhttp://127", ended.err)
  end)

  it("comes after SIGINT, with the requests that were cancelled", function()
    local site = stage.site()
    site.paths["/never"] = function() require("lurcher.task").sleep(60) end
    local child = stage.start({ "--stats" }, "api:get 'ok' print 'now' io.flush() api:get 'never'", site)
    child:wait_for "now"
    child:kill "INT"
    local ended = child:wait()
    assert.equal(130, ended.status)
    assert.matches("^2 | 1 | 0 | ", row(ended.err, site.url))
    assert.equal("canceled 1", row(ended.err, site.url, 5))
  end)

  it("comes after a budget was used up", function()
    local site = stage.site()
    local ended = stage.run({ "--stats", "--max-requests=2" }, "for _ = 1, 5 do api:get 'ok' end", site)
    assert.equal(3, ended.status)
    assert.matches("budget.*requests  ", ended.err)
    assert.matches("^5 | 3 | ", row(ended.err, site.url))
    assert.equal("limit 3", row(ended.err, site.url, 5))
  end)

  it("is not shown for a script that does not compile", function()
    local ended = stage.run({ "--stats" }, "= =")
    assert.equal(1, ended.status)
    assert.not_matches("no requests", ended.err)
  end)

  it("keeps hostile names from steering the terminal, and secrets out", function()
    local ended = stage.run({ "--stats" }, [[
      local token = http.secret "hunter-22"
      api:get("ok", { name = "a\27[2Jb\nc hunter-22" })
      print(tostring(token))]])
    assert.is_truthy(ended.err:find([[a\x1b[2Jb\nc ***]], 1, true), ended.err)
    assert.is_nil(ended.err:find("\27", 1, true))
  end)

  it("adds up what is beyond 40 names", function()
    local ended = stage.run({ "--stats" }, "for i = 1, 60 do api:get('ok', { name = 'n' .. i }) end")
    assert.matches("\nand 20 more names and origins, which count in \"all\"\n$", ended.err)
    assert.matches("^60 | 0 | 0", row(ended.err, "all"))
  end)
end)

describe("the tables", function()
  it("fit into 60, 80, 120 and 200 columns", function()
    require("lurcher.http").get("http://127.0.0.1:1/", { retry = false, name = ("long name "):rep(12) })
    require("lurcher.http").get("http://127.0.0.1:1/", { retry = false, name = "ünïcödé" })
    for _, columns in ipairs { 60, 80, 120, 200 } do
      local text = stats.text(columns)
      for _, line in ipairs(lines_of(text)) do assert.is_true(units.width(line) <= columns, line) end
      assert.is_nil(text:find("[^\n] \n"))
    end
    assert.is_true(#lines_of(stats.text(200)) < #lines_of(stats.text(80)))
  end)
end)
