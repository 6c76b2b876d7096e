local crypto = require "lurcher.crypto"
local faults = require "spec.support.faults"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local process = require "spec.support.process"
local proxying = require "spec.support.proxying"
local serving = require "spec.support.serving"
local task = require "lurcher.task"
local websocket_peer = require "spec.support.websocket_peer"

-- How many entries the demo's API has: each release of Debian knows more of them.
local function known(standard)
  local text = assert(fs.read("/usr/share/iso-codes/json/iso_" .. standard .. ".json"))
  return #assert(json.decode(text))[standard]
end

local LANGUAGES = known "639-3"

-- Every example is run as a user runs it, against the API of the demo.
describe("example", function()
  local directory, api, url

  setup(function()
    directory = process.directory()
    -- It must not outlive the specs, however they end.
    api = process.start({ "--pdeathsig", "TERM", process.lurcher, "examples/demo/api.lua" }, { command = "setpriv" })
    api:wait_for "\n"
    url = assert(api.out:match("^(http://[%d.:]+)\n"), api.out)
  end)

  teardown(function()
    api:kill "TERM"
    api:wait()
    assert(fs.remove(directory, { recursive = true }))
  end)

  local tested = {}

  -- Output, stderr included, and exit status.
  local function run(name, ...)
    tested[name .. ".lua"] = true
    local path = "examples/" .. name .. ".lua"
    return process.shell('exec "$@" 2>&1', process.lurcher, path, url, ...)
  end

  local function prints(expected, name, ...)
    local output, status = run(name, ...)
    assert.are.equal(expected, output)
    assert.are.equal(0, status)
  end

  local function count_lines(path)
    local count = 0
    for line in fs.lines(path) do
      assert(json.decode(line))
      count = count + 1
    end
    return count
  end

  it("first_fetch prints a few fields", function()
    prints("Genève is a canton in Switzerland\nstatus 200 over HTTP/1.1, application/json\n", "first_fetch")
  end)

  it("recorded_session asks once, and replays what it recorded", function()
    local tape = directory .. "/session.json"
    local report = known "3166-1" .. " countries; Genève is in Switzerland"
    local first = run("recorded_session", tape)
    local count = tonumber(first:match "%((%d+) exchanges recorded, 0 replayed%)\n$")
    assert.matches(report, first, 1, true)
    prints(("%s (0 exchanges recorded, %d replayed)\n"):format(report, count), "recorded_session", tape)
    assert.is_nil(assert(fs.read(tape)):find "demo-token")
  end)

  it("through_a_proxy takes the one of the environment", function()
    tested["through_a_proxy.lua"] = true
    local proxy = proxying.start()
    local function through(address)
      return process.shell('exec env "http_proxy=$1" "$2" examples/through_a_proxy.lua "$3" 2>&1', address,
        process.lurcher, url)
    end
    assert.are.equal("Genève, by way of " .. proxy.name .. "\n", (through("http://user:password@" .. proxy.name)))
    assert.matches("^the proxy: cannot connect .-\nbecause: connect\n$", (through "http://127.0.0.1:1"))
  end)

  it("pagination walks through all pages", function()
    prints("249 countries; the longest name is South Georgia and the South Sandwich Islands\n", "pagination")
  end)

  it("metrics serves and prints what it counted", function()
    local output, status = run "metrics"
    assert.matches("^metrics are at http://127%.0%.0%.1:%d+/metrics\n", output)
    assert.matches("\nsubdivision: 5 answers with status 200, of %d+ requests\n$", output)
    assert.are.equal(0, status)
  end)

  it("fan_out counts what it fetched", function()
    local output, status = run "fan_out"
    assert.matches("^ *%d+  %u%a+\n *%d+  %u%a+\n *%d+  %u%a+\n$", output)
    assert.are.equal(0, status)
  end)

  it("events follows a stream over reconnections, and from run to run", function()
    local path = directory .. "/last-id"
    local output, status = run("events", path)
    assert.matches("^price 1: %u+ is at 1.01\nprice 2: %u+ is at 1.02\nprice 3: ", output)
    assert.matches("\n12 events over [34] connections\n$", output)
    assert.are.equal(0, status)
    prints("0 events over 1 connections\n", "events", path)
  end)

  it("chat says its lines, and connects again", function()
    local connections = 0
    local chat = websocket_peer.start(function(p)
      connections = connections + 1
      p:accept "Sec-WebSocket-Protocol: chat\r\n"
      if connections == 1 then return p:send("text", p:frame().payload) end
      p:send("text", '{"from":"bob","text":"welcome back"}')
      p:send("close", websocket_peer.closing(1000))
      p:frame()
    end)
    tested["chat.lua"] = true
    local ended = process.run { "examples/chat.lua", chat, "ada", "one", "two", "three" }
    assert.are.equal("ada joined\n<ada> one\nada joined\n<bob> welcome back\nada left\n", ended.out)
  end)

  it("oauth2 asks a person once", function()
    local path = directory .. "/tokens.json"
    tested["oauth2.lua"] = true
    local output, status = process.shell('exec "$@" 2>&1', process.lurcher, "examples/oauth2.lua", path)
    assert.equal("open https://example.com/device and enter WXYZ-1234\nhello ada\nhello ada\nhello ada\n"
      .. "asked for tokens 2 times, got 1\n", output)
    assert.are.equal(0, status)
    assert.equal("600\n", (process.shell('stat -c %a "$1"', path)))
  end)

  it("stream_to_file keeps some lines", function()
    local path = directory .. "/languages.ndjson"
    local output, status = run("stream_to_file", path)
    local kept = tonumber(output:match("^(%d+) of " .. LANGUAGES .. " languages are in "))
    assert.are.equal(0, status)
    assert.are.equal(kept, count_lines(path))
  end)

  it("upload sends a file", function()
    local path = directory .. "/big.bin"
    assert(fs.write(path, ("x"):rep(3000000)))
    local output, status = run("upload", path)
    assert.are.equal("big.bin: 3000000 bytes are there, sha256 "
      .. crypto.sha256(("x"):rep(3000000)) .. "\n", output)
    assert.are.equal(0, status)
  end)

  it("timeouts_and_errors prints each kind", function()
    prints([[
no byte for 0.1 s: kind timeout, phase read
not done in 0.1 s: kind timeout, phase total
nobody listens: kind connect, phase connect
an unusable URL: kind url
not there: status 404
not as expected: kind status
all of this in 0.2 s: kind timeout, phase task
]], "timeouts_and_errors")
  end)

  it("race_mirrors takes the fastest", function()
    prints("mirror 2 was first\n", "race_mirrors")
  end)

  it("middleware signs and logs", function()
    local output, status = run "middleware"
    assert.matches("the server saw demo%-key:POST:5\n", output)
    assert.matches("WARN  slow request method=GET ms=%d+ url=http://", output)
    assert.are.equal(0, status)
  end)

  it("login keeps the session", function()
    prints("before: 401 log in first\nafter: logged in as ada\ncookie: session\n", "login")
  end)

  it("workers do all the work", function()
    local output, status = run "workers"
    assert.matches("^300 looked at, %d+ named after a saint\n$", output)
    assert.are.equal(0, status)
  end)

  it("collect_errors tells which failed", function()
    prints([[
DE-BE   Berlin
FR-QQ   failed: status 404
IT-25   Lombardia
JP-13   Tokyo
ZZ-01   failed: status 404
US-CA   California
]], "collect_errors")
  end)

  it("health_check tells what is up, and exits with 1 when something is down", function()
    tested["health_check.lua"] = true
    local function check(...)
      local command = 'lurcher=$1; shift; printf "%s\n" "$@" | "$lurcher" examples/health_check.lua 2>&1'
      return process.shell(command, process.lurcher, ...)
    end
    local output, status = check(url .. "/currencies", url .. "/nowhere")
    assert.matches("^up    200 +%d+ ms  http:%S+/currencies\nDOWN  404 +%d+ ms  http:%S+/nowhere\n$", output)
    assert.are.equal(1, status)
    output, status = check(url .. "/currencies")
    assert.matches("^up ", output)
    assert.are.equal(0, status)
  end)

  it("webhook receives the events", function()
    prints("country.changed: AW\ncountry.changed: AF\ncountry.changed: AO\n", "webhook")
  end)

  it("demo/collect fetches every subdivision once, through 429 and 503", function()
    local path = directory .. "/subdivisions.ndjson"
    local output, status = run("demo/collect", path)
    local subdivisions = known "3166-2"
    assert.matches(("^%d subdivisions, %d countries, %d languages\n"):format(subdivisions, known "3166-1",
      LANGUAGES), output)
    assert.matches("\nnothing lost, nothing doubled: ", output)
    -- With sanitizers it makes fewer than the 1,000 requests a second that the API takes.
    if not faults.sanitized() then assert.are_not.equal("0", output:match("retries: (%d+) after 429")) end
    assert.are_not.equal("0", output:match("(%d+) after 503"))
    assert.are.equal(0, status)
    assert.are.equal(subdivisions, count_lines(path))
  end)

  -- The same without blocking this process, for examples that talk to a server of the spec.
  local function begin(name, ...)
    tested[name .. ".lua"] = true
    return process.start { "examples/" .. name .. ".lua", ... }
  end

  it("polite_crawl keeps below the rate limit, and waits when the server asks for it", function()
    local asked, window = 0, {}
    local s = serving.start(function(req)
      asked = asked + 1
      if req.path == "/subdivisions" then
        local data = {}
        for i = 1, 50 do data[i] = { code = ("%s-%d"):format(req.query.cursor or "A", i) } end
        return { body = json.encode { data = data, next_cursor = req.query.cursor and json.null or "B" } }
      end
      window[#window + 1] = task.now()
      if #window == 20 then return { status = 429, headers = { ["Retry-After"] = "1" } } end
      return { body = '{"type":"canton"}' }
    end)
    local ended = begin("polite_crawl", s.url, 200):wait()
    assert.same({ "", 0 }, { ended.err, ended.status })
    assert.equal("100 places crawled; the server had to say 'too many requests' 1 times\n", ended.out)
    assert.equal(103, asked)
    assert.is_true(window[101] - window[1] > 1 + 76 / 200) -- the second asked for, and the rate
    for _, req in ipairs(s:requests()) do
      assert.matches("^polite%-crawl/1%.0", req.headers["User-Agent"])
    end
  end)

  it("polite_crawl ends with 3 when its budget is used up", function()
    tested["polite_crawl.lua"] = true
    local ended = process.run { "--max-requests=40", "examples/polite_crawl.lua", url, "1000" }
    assert.matches("^lurcher: the run's budget of 40 requests is used up\n\trequests made: 40, ", ended.err)
    assert.equal(3, ended.status)
  end)

  it("resumable_export loses nothing when it is killed, and goes on where it was", function()
    local path = directory .. "/export.ndjson"
    local function lines()
      local _, count = (fs.read(path) or ""):gsub("\n", "")
      return count
    end
    local kills = 0
    for _, least in ipairs { 700, 2500 } do
      local child = begin("resumable_export", url, path)
      serving.eventually(function() return lines() >= least end)
      child:kill "KILL"
      assert.equal(9, child:wait().signal)
      kills = kills + 1
    end
    local ended = begin("resumable_export", url, path):wait()
    assert.matches("^%d+ languages were left; all are in ", ended.out)
    assert.same({ "", 0 }, { ended.err, ended.status })
    local seen, different, all = {}, 0, 0
    for line in fs.lines(path) do
      local code = assert(json.decode(line)).alpha_3
      all = all + 1
      if not seen[code] then seen[code], different = true, different + 1 end
    end
    assert.equal(LANGUAGES, different)
    assert.is_true(all - different <= kills) -- the item in hand
    assert.is_false(fs.exists(path .. ".checkpoint"))
  end)

  it("resumable_export keeps its checkpoint when a budget ends it", function()
    local path = directory .. "/budgeted.ndjson"
    local ended = process.run { "--max-requests=4", "examples/resumable_export.lua", url, path }
    assert.equal(3, ended.status)
    local first = count_lines(path)
    assert.is_true(first > 0 and first < LANGUAGES)
    ended = process.run { "examples/resumable_export.lua", url, path }
    assert.equal(0, ended.status)
    assert.equal(LANGUAGES, count_lines(path))
  end)

  it("breaker_fallback leaves the failed service alone", function()
    local output, status = run "breaker_fallback"
    local failed, spared = output:match(
      "^http://127.0.0.1:1 is open: 3 failures in a row\n100 places; the service failed (%d+) times " ..
      "and was left alone (%d+) times\n$")
    assert(failed, output)
    assert.equal(100, failed + spared)
    assert.is_true(tonumber(failed) <= 8) -- those that were on their way together
    assert.equal(0, status)
  end)

  it("breaker_fallback uses the service while it answers", function()
    local s = serving.start(function() return { body = "{}" } end)
    local ended = begin("breaker_fallback", url, s.url):wait()
    assert.equal("100 places; the service failed 0 times and was left alone 0 times\n", ended.out)
    assert.equal(0, ended.status)
    assert.equal(100, #s:requests())
  end)

  it("hedged_request asks a second server only when the first is slow or fails", function()
    prints("mirror 2 answered; 1 asked\nmirror 2 answered; 2 asked\nmirror 2 answered; 2 asked\n",
      "hedged_request")
  end)

  it("sync_apis writes what differs, through passing failures", function()
    local stored = { DE = "Deutschland", ZZ = "Nowhere" }
    local failures = 0
    local s = serving.start(function(req)
      local code = req.path:match "^/countries/(%u%u)$"
      if not code then
        local list = json.array {}
        for alpha_2, name in pairs(stored) do list[#list + 1] = { alpha_2 = alpha_2, name = name } end
        return { body = json.encode(list) }
      end
      if code:find "^A" and failures < 10 then
        failures = failures + 1
        return { status = 503, headers = { ["Retry-After"] = "0" } }
      end
      stored[code] = req.method == "PUT" and json.decode(req.body).name or nil
      return { status = 204 }
    end)
    local ended = begin("sync_apis", url, s.url):wait()
    assert.same({ "249 written, 1 deleted\n", "", 0 }, { ended.out, ended.err, ended.status })
    assert.same({ "Germany", 10 }, { stored.DE, failures })
    assert.is_nil(stored.ZZ)
    assert.equal("0 written, 0 deleted\n", begin("sync_apis", url, s.url):wait().out)
  end)

  it("download goes on where the last run broke off, and verifies", function()
    local ranged = require "spec.support.ranged"
    local origin = ranged.start { etag = '"1"', cut = 30000 }
    origin.before = function(self) if #self.asked > 1 then self.cut = 0 end end
    local path = directory .. "/image"
    local ended = begin("download", origin.url, path):wait()
    assert.same({ "not complete: truncated\nrun it again to go on\n", 1 }, { ended.out, ended.status })
    origin.cut, origin.before = nil, nil
    ended = begin("download", origin.url, path, crypto.sha256(origin.body)):wait()
    assert.same({ path .. ": 100000 bytes, 30000 of them from an earlier run\n", 0 }, { ended.out, ended.status })
    ended = begin("download", origin.url, path, ("0"):rep(64)):wait()
    assert.same({ "not complete: checksum\nit was another file\n", 1 }, { ended.out, ended.status })
  end)

  it("in the directory is run by these specs", function()
    for _, entry in ipairs(assert(fs.list("examples", { details = true }))) do
      if entry.name:find "%.lua$" then assert.is_true(tested[entry.name], entry.name) end
    end
  end)
end)
