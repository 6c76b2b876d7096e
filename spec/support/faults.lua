-- Servers that misbehave byte by byte, clients for them, and what every error must carry.

local assert = require "luassert"
local ffi = require "ffi"
local http = require "lurcher.http"
local native = require "lurcher.native.task"
local serving = require "spec.support.serving"
local task = require "lurcher.task"

local faults = {}

---Calls `handler(conn, request)` for each connection once a request's head and body are there; the connection
---closes when it returns. Ends with the spec.
---@param handler fun(conn: table, request: table)
---@param opts? table for server.raw
function faults.server(handler, opts)
  return serving.raw(function(conn)
    local request = conn:read_request()
    if request then handler(conn, request) end
  end, opts)
end

---A server whose handler gets the bare connection.
faults.raw = serving.raw

---Which libcurl it is: 7.088 for 7.88.
function faults.libcurl_version()
  ffi.cdef "const char *curl_version(void);"
  local major, minor = ffi.string(ffi.load("libcurl.so.4").curl_version()):match "^libcurl/(%d+)%.(%d+)"
  return tonumber(major) + tonumber(minor) / 1000
end

---Answers each request on each connection with these bytes, then does the next thing: `finish(conn)` or
---nothing (FIN).
function faults.answering(bytes, finish, opts)
  return faults.server(function(conn)
    conn:write(bytes)
    if finish then finish(conn) end
  end, opts)
end

---A client without retries that is closed when the spec ends.
function faults.client(opts)
  opts = opts or {}
  if opts.retry == nil then opts.retry = false end
  local client = http.client(opts)
  task.defer(function() client:close() end)
  return client
end

---Checks that a call failed as wanted: kind, phase (nil: any), and all that an error must carry.
---@param wanted table kind, and where given phase, message (a pattern), host, attempts (1) and retryable
function faults.check(wanted, res, err)
  assert.is_nil(res, "got a response instead of kind '" .. wanted.kind .. "'")
  assert.is_table(err)
  local shown = tostring(err)
  assert.equal(wanted.kind, err.kind, shown)
  assert.is_true(err:is(wanted.kind))
  assert.is_true(#err.message > 0)
  if wanted.phase then assert.equal(wanted.phase, err.phase, shown) end
  if wanted.message then assert.truthy(err.message:find(wanted.message), shown) end
  if wanted.host then assert.truthy(err.message:find(wanted.host, 1, true), shown) end
  assert.equal(wanted.attempts or 1, err.attempts, shown)
  assert.is_number(err.elapsed)
  assert.is_boolean(err.retryable)
  if wanted.retryable ~= nil then assert.equal(wanted.retryable, err.retryable, shown) end
  assert.is_string(err.url)
  assert.is_string(err.method)
  assert.is_nil(shown:find "\n")
  return err
end

---"127.0.0.1:40123"
function faults.host(s) return s.url:match "//(.*)$" end

faults.eventually = require "spec.support.eventually"

---How many things of a kind ("task", "transfer", "stream", …) are open.
function faults.count(name) return native.counts()[name] or 0 end

---Waits until the client has no request left, and checks that nothing of it is open.
function faults.settled(client)
  faults.eventually(function()
    local stats = client:stats()
    return stats.in_flight == 0 and stats.waiting == 0
  end, "the end of all requests")
end

---How many descriptors this process has open.
function faults.descriptors()
  local count = 0
  for descriptor = 0, 4096 do
    local flags = io.open("/proc/self/fdinfo/" .. descriptor)
    if flags then
      flags:close()
      count = count + 1
    end
  end
  return count - 1 -- the one it was looked at by
end

---Whether this is the build with sanitizers: AddressSanitizer reserves terabytes of addresses.
function faults.sanitized()
  local status = assert(io.open "/proc/self/status")
  local text = status:read "*a"
  status:close()
  return tonumber(text:match "VmSize:%s*(%d+) kB") > 2 ^ 30
end

---What memory may grow by is multiplied with this: AddressSanitizer keeps freed memory back for a while (and
---finds what is not freed by itself).
function faults.memory_slack()
  return faults.sanitized() and 32 or 1
end

---Resident memory in KiB.
function faults.resident()
  collectgarbage()
  collectgarbage()
  for line in io.lines "/proc/self/status" do
    local value = line:match "^VmRSS:%s*(%d+)"
    if value then return tonumber(value) end
  end
end

-- Seconds in which this thread could have run, but others had the processor.
local function kept_waiting()
  local file = io.open "/proc/self/schedstat"
  if not file then return 0 end
  local _, waited = file:read("*n", "*n")
  file:close()
  return waited / 1e9
end

---The largest delay of a 5 ms timer while `fn` runs, in seconds, without what a busy machine adds; after it, fn's
---results.
function faults.loop_lag(fn)
  local worst, on = 0, true
  local watch = task.spawn(function()
    while on do
      local before, waited = task.now(), kept_waiting()
      task.sleep(0.005)
      worst = math.max(worst, task.now() - before - 0.005 - (kept_waiting() - waited))
    end
  end)
  local results = { fn() }
  on = false
  watch:join()
  return worst, unpack(results)
end

return faults
