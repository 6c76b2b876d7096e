local fs = require "lurcher.fs"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

-- What a script printed that is run by a process of its own.
local function output(script)
  local ended = process.run { "-e", script }
  assert.equal("", ended.err)
  assert.equal(0, ended.status)
  return ended.out
end

describe("a module", function()
  for _, name in ipairs { "retry", "breaker", "task", "progress", "log", "json", "fs", "url" } do
    it(("lurcher.%s loads without HTTP and libcurl"):format(name), function()
      local loaded = output(([[
        require "lurcher.%s"
        for name in pairs(package.loaded) do
          if name:find("^lurcher%%.http") or name:find("^lurcher%%.native%%.http") then print(name) end
        end
      ]]):format(name))
      assert.equal("", loaded)
    end)
  end

  -- Each costs about 30,000 instructions when a script starts: what few scripts need is required where it is used.
  local WITH_HTTP = "base.late base.lazy http http.plain http.response_class "
  local WITH_A_CALL = WITH_HTTP .. "http.status_set "
  local WITH_A_CLIENT = WITH_A_CALL .. [[
    base.cache base.rolling base.secret base.tables
    http.auth.compile http.client http.cookies.jar_class http.headers http.layer.transport http.observe http.options
    http.options.compiled http.request http.retry_budget http.retry_policy http.settings task.script ]]
  local WITH_OPTIONS = WITH_A_CLIENT .. "base.check http.options.checks "

  for script, expected in pairs {
    [""] = "", ["require 'lurcher.http'"] = WITH_HTTP, ["require('lurcher.http').get(URL)"] = WITH_A_CALL,
    ["require('lurcher.http').client()"] = WITH_A_CLIENT,
    ["require('lurcher.http').client { timeout = 5 }:post(URL, { body = '', headers = { A = 'b' } })"] = WITH_OPTIONS,
  } do
    it(("of a script with %q loads no more than it needs"):format(script), function()
      local s = serving.start(function() return { body = "fine" } end)
      local loaded = output(("local URL = %q %s for name in pairs(package.loaded) do print(name) end")
        :format(s.url, script))
      local further = {}
      for name in loaded:gmatch("lurcher%.(%S+)") do
        local is_known = (" " .. expected:gsub("%s+", " ")):find(" " .. name .. " ", 1, true)
        if not (is_known or name:find "^native%." or name == "command.prepare") then further[#further + 1] = name end
      end
      table.sort(further)
      assert.same({}, further)
    end)
  end
end)

describe("require", function()
  local function message(script)
    local ended = process.run { "-e", script }
    assert.equal(1, ended.status)
    return ended.err:match("^[^\n]*")
  end

  local ALL = "lurcher.breaker, lurcher.cassette, lurcher.clock, "

  for _, name in ipairs { "lurcher", "lurcher.xml", "lurcher.clint", "lurcher.", "lurcher.helper.x" } do
    it(("of %q says what there is"):format(name), function()
      local said = message(("require %q"):format(name))
      local start = ("(command line):1: module '%s' not found: there are %s"):format(name, ALL)
      assert.truthy(said:find(start, 1, true), said)
      assert.matches(", lurcher.url, lurcher.ws$", said)
      assert.is_nil(said:match("there are (.*)"):find "lurcher%.%w+%.")
    end)
  end

  for near, name in pairs { htpp = "http", tasks = "task", breakers = "breaker" } do
    it(("of lurcher.%s offers lurcher.%s"):format(near, name), function()
      local said = message(("require 'lurcher.%s'"):format(near))
      assert.truthy(said:find(("did you mean 'lurcher.%s'?"):format(name), 1, true), said)
    end)
  end

  for name, public in pairs {
    ["lurcher.http.client"] = "'lurcher.http'", ["lurcher.task.scope"] = "'lurcher.task'",
    ["lurcher.native.fs"] = "'lurcher.fs'", ["lurcher.http.auth.basic"] = "'lurcher.http'",
    ["lurcher.base.check"] = ALL, ["lurcher.native.version"] = ALL, ["lurcher.report.html"] = ALL,
  } do
    local said = ("module '%s' is internal; scripts use %s"):format(name, public)
    for how, script in pairs {
      ["by a script"] = "require %q", ["that is loaded"] = "require 'lurcher.http' require %q",
      ["through pcall"] = "local ok, message = pcall(require, %q) error(message, 0)",
      ["in a coroutine"] = "coroutine.wrap(function() require(%q) end)()",
      ["in a task"] = "require('lurcher.task').spawn(function() require(%q) end)",
    } do
      it(("of %s %s names the public one"):format(name, how), function()
        assert.truthy(message(script:format(name)):find("(command line):1: " .. said, 1, true))
      end)
    end
  end

  it("of a file of the script's own in a folder 'lurcher' finds it", function()
    local place = os.tmpname()
    os.remove(place)
    assert(fs.mkdir(place .. "/lurcher/own", { parents = true }))
    assert(fs.write(place .. "/lurcher/own/part.lua", "return 'mine'"))
    local script = "package.path = %q print(require 'lurcher.own.part')"
    assert.equal("mine\n", output(script:format(place .. "/?.lua")))
    assert(fs.remove(place, { recursive = true }))
  end)
end)
