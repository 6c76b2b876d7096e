local fs = require "lurcher.fs"
local json = require "lurcher.json"
local sandbox = require "spec.support.sandbox"
local task = require "lurcher.task"

-- Every example is run as a user runs it, against the API of the demo.
describe("example", function()
  local directory, url, stop

  setup(function()
    directory = sandbox.directory()
    local output = directory .. "/api"
    stop = sandbox.background(output, '"$1" examples/demo/api.lua', sandbox.lurcher())
    local limit = task.now() + 60
    repeat
      task.sleep(0.01)
      local text = fs.read(output) or ""
      url = text:match("^(http://[%d.:]+)\n")
      assert(url or task.now() < limit, "the API does not start: " .. text)
    until url
  end)

  teardown(function()
    stop()
    assert(fs.remove(directory, { recursive = true }))
  end)

  local tested = {}

  -- Output, stderr included, and exit status.
  local function run(name, ...)
    tested[name .. ".lua"] = true
    local path = "examples/" .. name .. ".lua"
    return sandbox.run('exec "$@" 2>&1', sandbox.lurcher(), path, url, ...)
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

  it("stream_to_file keeps some lines", function()
    local path = directory .. "/languages.ndjson"
    local output, status = run("stream_to_file", path)
    local kept = tonumber(output:match("^(%d+) of 7910 languages are in "))
    assert.are.equal(0, status)
    assert.are.equal(kept, count_lines(path))
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
      return sandbox.run(command, sandbox.lurcher(), ...)
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
    assert.matches("^5127 subdivisions, 249 countries, 7910 languages\n", output)
    assert.matches("\nnothing lost, nothing doubled: ", output)
    assert.are_not.equal("0", output:match("retries: (%d+) after 429"))
    assert.are_not.equal("0", output:match("(%d+) after 503"))
    assert.are.equal(0, status)
    assert.are.equal(5127, count_lines(path))
  end)

  it("in the directory is run by these specs", function()
    for _, entry in ipairs(assert(fs.list("examples", { details = true }))) do
      if entry.type == "file" then assert.is_true(tested[entry.name], entry.name) end
    end
  end)
end)
