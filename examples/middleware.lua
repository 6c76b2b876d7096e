-- Middleware: functions around every call, here one that signs requests and one that logs slow ones.
--   lurcher examples/middleware.lua URL

local http = require "lurcher.http"
local log = require "lurcher.log"
local task = require "lurcher.task"

local function sign(key)
  return function(request, next)
    request.headers["X-Request-Time"] = tostring(os.time())
    request.headers["X-Signature"] = ("%s:%s:%d"):format(key, request.method, #(request.body or ""))
    return next(request)
  end
end

local function log_slow(seconds)
  return function(request, next)
    local started = task.now()
    local res, err = next(request)
    local ms = math.floor((task.now() - started) * 1000)
    if ms >= seconds * 1000 then
      log.warn("slow request", { method = request.method, url = request.url, ms = ms, error = err })
    end
    return res, err
  end
end

local api = http.client {
  base_url = assert((...), "usage: middleware.lua URL"),
  middleware = { log_slow(0.2), sign("demo-key") }, -- the outermost first
}

local echo = assert(assert(api:post("echo", { body = "hello" })):json())
print("the server saw " .. echo.headers["x-signature"])
assert(api:get("slow?seconds=0.3"))
