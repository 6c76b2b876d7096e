-- Under a limit of few open files the command ends with a message, and so does a request.

local assert = require "luassert"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

process.always_search_leaks = true

local function run(limit, code, ...)
  return process.run({ "-c", 'ulimit -n $0; exec "$@"', tostring(limit), process.lurcher, "-e", code, ... },
    { command = "sh" })
end

describe("under a limit of open files", function()
  for limit = 4, 16 do
    it(("a request ends by itself: %d files"):format(limit), function()
      local ended = run(limit, [[
        local http = require "lurcher.http"
        local res, err = http.get("http://127.0.0.1:9/", { timeout = 0.5, retry = false })
        print(res or err.kind)
      ]])
      assert.is_true(ended.status == 0 or #ended.err > 0, "it said nothing")
      if ended.status == 0 then assert.equal("connect\n", ended.out) end
      assert.is_true(ended.status <= 2 or ended.status == 127, "status " .. tostring(ended.status))
    end)
  end

  local HOLD = [[
    local http, task = require "lurcher.http", require "lurcher.task"
    local url = ...
    local held = {}
    while true do
      local file = io.open "/dev/null"
      if not file then break end
      held[#held + 1] = file
    end
  ]]

  for _, case in ipairs { { "total", "0.3" }, { "connect", "{ connect = 0.3 }" } } do
    it("a request that gets no file descriptor ends after timeout." .. case[1], function()
      local ended = run(64, HOLD .. ([[
        local res, err = http.get(url, { timeout = %s, retry = false })
        held[1]:close() held[2]:close() -- the message needs none
        print(res, err.kind, err.phase, err.limit, err.message:match "limit: 64 open files" ~= nil)
      ]]):format(case[2]), "http://127.0.0.1:9/")
      assert.equal("nil\tconnect\tconnect\t64\ttrue\n", ended.out, ended.err)
    end)
  end

  it("a request goes on once the script has closed files", function()
    local s = serving.start(function() return { body = "good" } end)
    local ended = run(64, HOLD .. [[
      local asked = task.spawn(function() return assert(http.get(url, { timeout = 20 })).body end)
      task.sleep(0.2)
      for i = 1, 5 do held[i]:close() end
      print(asked:join())
    ]], s.url)
    assert.equal("good\n", ended.out, ended.err)
  end)
end)
