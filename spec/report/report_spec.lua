-- The page of --report: as a browser sees it, as a file, and with what would be too much for it.

local browser = require "spec.support.browser"
local faults = require "spec.support.faults"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local report = require "lurcher.report.html"
local stage = require "spec.support.stage"
local task = require "lurcher.task"

-- A path for a page, removed at the spec's end.
local function new_path()
  local name = os.tmpname()
  local path = name .. ".html"
  task.defer(function()
    os.remove(name)
    os.remove(path)
  end)
  return path
end

local function read(path) return assert(fs.read(path)) end

local function count(text, wanted) return select(2, text:gsub(wanted, "")) end

local function attempt(result, began, ended)
  return { what = "attempt", attempt = 1, result = result, began = began, ended = ended, method = "GET",
    url = "http://h/", phases = { slot = 0, rate = 0, dns = 0, connect = 0, tls = 0,
      first_byte = ended - began, body = 0 } }
end

-- A recording with one call.
local function recording_with(call)
  local defaults = { number = 1, method = "GET", url = "http://h/", name = false, began = 0, ended = 1,
    result = "200", failed = false, attempts = 1, rows = { attempt("200", 0, 1) }, more = 0 }
  for key, value in pairs(call) do defaults[key] = value end
  return { calls = { defaults }, total = 1, failed = 0, open = 0, began = 0, ended = 1 }
end

local VARIOUS = [[
  assert(api:get("away?token=abc"))
  assert(api:get("busy", { name = "busy one" }))
  assert(api:get("slow"))
  http.get("http://127.0.0.1:1/", { retry = false })
  print "done"]]

describe("lurcher --report", function()
  it("writes a page that a browser shows: calls, histogram and tables, without any other file", function()
    local path, site = new_path(), stage.site()
    local ended = stage.run({ "--report=" .. path }, VARIOUS, site)
    assert.equal("", ended.err)
    assert.equal("done\n", ended.out)
    assert.equal(0, ended.status)
    local page = browser.document(path)
    assert.equal(4, count(page, '<details class="call"'))
    assert.matches("4 of 4 shown", page) -- its script has run
    assert.matches('<div class="tools">', page)
    assert.is_truthy(page:find(site.url .. "/away?token=***", 1, true))
    assert.is_truthy(page:find("busy one", 1, true))
    assert.equal(1, count(page, "<svg "))
    assert.is_true(count(page, '<rect class="bar"') >= 2)
    assert.equal(2, count(page, "<table>"))
    assert.matches('<td class="g list">connect 1</td>', page)
    assert.is_true(count(page, 'class="p%-retry"') >= 2 + 2 * 2) -- legend, the call's bar and a row for each
    for _, outside in ipairs { "<link", "<img", " src=", "@import", "url%(", "<iframe", "<object" } do
      assert.equal(0, count(page, outside), outside)
    end
  end)

  it("writes a page for a run without requests, one that failed, and one that was interrupted", function()
    local path = new_path()
    stage.run({ "--report=" .. path }, "")
    assert.matches("No requests were made", read(path))
    assert.equal(1, stage.run({ "--report=" .. path }, "api:get 'ok' error 'broken'").status)
    assert.equal(1, count(read(path), '<details class="call"'))
    local site = stage.site()
    site.paths["/never"] = function() task.sleep(60) end
    local child = stage.start({ "--report=" .. path }, "print 'now' io.flush() api:get 'never'", site)
    child:wait_for "now"
    child:kill "INT"
    assert.equal(130, child:wait().status)
    assert.matches('data%-failed="1"', read(path))
  end)

  it("ends with status 2 before the script starts when the page cannot be written", function()
    for _, path in ipairs { "/nonexistent/out.html", "/proc/out.html", "/tmp" } do
      local ended = stage.run({ "--report=" .. path }, "print 'started'")
      assert.equal(2, ended.status)
      assert.equal("", ended.out)
      assert.matches("^lurcher: cannot write the report " .. path:gsub("%p", "%%%0") .. ": E%u+: ", ended.err)
    end
    assert.matches("cannot write the report /nonexistent/\\x1b[31m: ENOENT: ",
      stage.run({ "--report=/nonexistent/\27[31m" }, "").err, 1, true)
    assert.equal(2, stage.run({ "--report=" }, "").status)
    assert.matches("needs a value: %-%-report=FILE", stage.run({ "--report" }, "").err)
  end)

  it("puts the whole page in place of the old one at once, and leaves nothing else behind", function()
    local name = os.tmpname()
    os.remove(name)
    assert(fs.mkdir(name))
    task.defer(function() os.execute("rm -rf " .. name) end)
    local path = name .. "/out.html"
    assert(fs.write(path, "old"))
    local old = assert(io.open(path))
    stage.run({ "--report=" .. path }, "api:get 'ok'")
    assert.equal("old", old:read "*a") -- another file, not this one overwritten
    old:close()
    assert.matches("</html>\n$", read(path))
    assert.same({ "out.html" }, fs.list(name))
  end)

  it("writes to what is no regular file as it is", function()
    local ended = process.run({ "--report=/dev/stdout", "-e", "print 'first'" })
    assert.matches("^first\n<!DOCTYPE html>", ended.out)
    local full = process.run({ "--report=/dev/full", "-e", "" })
    assert.equal(1, full.status)
    assert.matches("cannot write the report /dev/full: ENOSPC", full.err)
  end)

  it("stays small with many calls, and says what it leaves out", function()
    local path, calls, shown = new_path(), 20000, "20,000"
    if faults.sanitized() then calls, shown = 2000, "2,000" end -- the same for memory
    local ended = stage.run({ "--report=" .. path },
      "local n = 0 "
      .. "local function numbers() n = n + 1 if n <= " .. calls .. " then return n end end "
      .. "task.map(numbers, function(i) api:get('missing?' .. i) end)")
    assert.equal(0, ended.status, ended.err)
    local page = read(path)
    assert.is_true(#page < 1.5e6, #page)
    assert.equal(400, count(page, '<details class="call"'))
    assert.matches("400 of " .. shown .. " calls are shown", page)
    assert.matches("<td class=\"g list\">404 " .. shown .. "</td>", page)
  end)
end)

describe("the page", function()
  local HOSTILE = "</script><img src=x onerror=alert(1)>\"'&\0\27\255"

  it("escapes whatever servers and scripts gave", function()
    local row = attempt(HOSTILE, 0, 1)
    row.url, row.method, row.address, row.why = HOSTILE, HOSTILE, HOSTILE, HOSTILE
    local html = report.html(recording_with { url = HOSTILE, method = HOSTILE, result = HOSTILE,
      name = HOSTILE, rows = { row, { what = HOSTILE, began = 0, ended = 1, url = HOSTILE } } })
    assert.equal(0, count(html, "<img"))
    assert.equal(1, count(html, "</script>"))
    assert.equal(0, count(html, "[%z\1-\9\11-\31\255]"))
    local escaped = [[&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;&quot;&#39;&amp;\x00\x1b\xff]]
    assert.is_truthy(html:find(escaped, 1, true))
  end)

  it("is taken by a browser as text, too", function()
    local path = new_path()
    assert(fs.write(path, report.html(recording_with { url = HOSTILE, name = HOSTILE })))
    local page = browser.document(path)
    assert.equal(0, count(page, "<img"))
    assert.matches("1 of 1 shown", page)
  end)

  it("keeps secrets out", function()
    local token = require("lurcher.base.secret").new "hunter-22"
    local html = report.html(recording_with { url = "http://h/hunter-22", name = "of hunter-22" })
    assert.equal(0, count(html, "hunter"))
    assert.is_truthy(token)
  end)

  it("holds long texts and many rows back", function()
    local rows = {}
    for i = 1, 60 do rows[i] = attempt("503", i / 100, i / 100) end
    local recording = recording_with {}
    for i = 1, 400 do
      recording.calls[i] = { number = i, method = "GET", url = "http://h/" .. ("x"):rep(10000), name = false,
        began = 0, ended = 1, result = "503", failed = true, attempts = 60, rows = rows, more = 40 }
    end
    recording.total = 400
    local html = report.html(recording)
    assert.is_true(#html < 5e6, #html)
    assert.matches("… and 40 rows more", html)
    assert.matches("… and 99 rows more", html)
  end)

  it("shows a call that goes on", function()
    local recording = recording_with { ended = false, result = false }
    recording.open = 1
    local html = report.html(recording)
    assert.matches(">goes on<", html)
    assert.matches("<b class=\"bad\">1</b><span>not over</span>", html)
  end)
end)
