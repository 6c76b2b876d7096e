-- Where there are few file descriptors, what uploads and downloads open waits for the end of others.

local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

process.always_search_leaks = true

local COUNT = faults.sanitized() and 130 or 200 -- more than there are descriptors

-- What a script prints that runs with so many descriptors.
local function run(limit, text)
  local s = serving.start(function(req)
    return { headers = { ETag = '"1"' }, body = req.method == "GET" and ("x"):rep(100000) or tostring(#req.body) }
  end)
  local script = process.script(([[
    local http, task = require "lurcher.http", require "lurcher.task"
    local folder, url = ...
    local client, list = http.client { retry = false, limits = { per_origin = 64 } }, {}
    for i = 1, COUNT do list[i] = i end
    local function all(fn)
      local count = 0
      task.map(list, function(i)
        fn(i)
        count = count + 1
      end, { concurrency = #list })
      io.write(count)
    end
  ]]):gsub("COUNT", COUNT) .. text)
  local ended = process.run({ "-c", ('ulimit -n %d; exec "$0" "$@"'):format(limit), process.lurcher, script,
    files.path ".", s.url }, { command = "sh" })
  return ended.out .. ended.err
end

local CASES = {
  ["files as bodies"] = [[
    all(function() assert(assert(client:put(url, { body = http.file(folder .. "/a") })).body == "100000") end)
  ]],
  ["empty files as bodies"] = [[
    all(function() assert(assert(client:put(url, { body = http.file(folder .. "/empty") })).body == "0") end)
  ]],
  ["bodies of several files"] = [[
    all(function()
      local parts = {}
      for i = 1, 5 do parts[i] = { name = "file", file = folder .. "/a" } end
      assert(assert(client:post(url, { multipart = parts })).ok)
    end)
  ]],
  ["downloads"] = [[
    all(function(i) assert(assert(client:download(url, folder .. "/" .. i)).bytes == 100000) end)
  ]],
  ["downloads into a folder"] = [[
    all(function() assert(assert(client:download(url .. "/name", folder .. "/")).bytes == 100000) end)
  ]],
  ["downloads in parts"] = [[
    all(function(i) assert(assert(client:download(url, folder .. "/" .. i, { parts = 4 })).bytes == 100000) end)
  ]],
  ["saved responses"] = [[
    all(function(i)
      assert(assert(client:get(url, { stream = true })):save(folder .. "/" .. i) == 100000)
    end)
  ]],
}

describe("with 100 descriptors", function()
  before_each(function()
    files.begin()
    assert(fs.write(files.path "a", ("x"):rep(100000)))
    assert(fs.write(files.path "empty", ""))
  end)
  after_each(files.finish)

  for name, text in pairs(CASES) do
    it("many " .. name .. " at once all succeed, by waiting", function()
      assert.equal(tostring(COUNT), run(100, text))
    end)
  end

  it("a body of 200 files is sent, one after the other", function()
    assert.equal("200", run(100, [[
      local parts = {}
      for i = 1, 200 do parts[i] = { name = "file", file = folder .. "/a" } end
      io.write(assert(client:post(url, { multipart = parts, timeout = { total = 60 } })).status)
    ]]))
  end)
end)

-- With `left` descriptors, and others taken by the script itself.
local function run_with(left, text)
  return run(40, ([[
    local function take()
      local taken = {}
      repeat
        local file = io.open "/dev/null"
        taken[#taken + 1] = file
      until not file
      for _ = 1, %d do table.remove(taken):close() end
      return taken
    end
    assert(client:get(url))
    local calls, failed = {}, 0
    local function begin(opts)
      for i = 1, 200 do
        calls[i] = task.spawn(function()
          local res, err = client:get(url, opts)
          if not res then failed = failed + 1 end
          assert(res or err.kind == "connect" and err.limit == 40, err)
        end)
      end
    end
  ]]):format(left) .. text)
end

describe("with no descriptor that comes free by itself", function()
  before_each(files.begin)
  after_each(files.finish)

  it("requests that have waited for timeout.connect in the queue fail together", function()
    assert.equal("200 in time", run_with(0, [[
      client:close()
      client = http.client { retry = false }
      local taken = take()
      local from = task.now()
      begin { timeout = { connect = 1 } }
      for _, call in ipairs(calls) do call:join() end
      for _, file in ipairs(taken) do file:close() end
      io.write(failed, " ", task.now() - from < 12 and "in time" or "late")
    ]]))
  end)

  it("nothing is done while they wait", function()
    assert.equal("0 idle", run_with(0, [[
      client:close()
      client = http.client { retry = false }
      local taken = take()
      begin { timeout = { connect = 60 } }
      task.sleep(0.5)
      local from = os.clock()
      task.sleep(1)
      local spent = os.clock() - from
      for _, file in ipairs(taken) do file:close() end
      for _, call in ipairs(calls) do call:join() end
      io.write(failed, " ", spent < 0.1 and "idle" or "busy")
    ]]))
  end)
end)
