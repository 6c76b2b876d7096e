-- Where there are few file descriptors, what uploads and downloads open waits for the end of others.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

-- What a script prints that runs with so many descriptors.
local function run(limit, text)
  local s = serving.start(function(req)
    return { headers = { ETag = '"1"' }, body = req.method == "GET" and ("x"):rep(100000) or tostring(#req.body) }
  end)
  local script = process.script([[
    local http, task = require "lurcher.http", require "lurcher.task"
    local folder, url = ...
    local client, list = http.client { retry = false, limits = { per_origin = 64 } }, {}
    for i = 1, 200 do list[i] = i end
    local function all(fn)
      local count = 0
      task.map(list, function(i)
        fn(i)
        count = count + 1
      end, { concurrency = #list })
      io.write(count)
    end
  ]] .. text)
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
    it("200 " .. name .. " at once all succeed, by waiting", function()
      assert.equal("200", run(100, text))
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
