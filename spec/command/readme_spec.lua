-- What the README shows of a terminal is what a terminal of 80 columns shows.

local fs = require "lurcher.fs"
local process = require "spec.support.process"
local prompting = require "spec.support.prompting"
local serving = require "spec.support.serving"

local BODY = '{ "id": 12345678901234567890, "name": "Ada Lovelace", "tags": [ "maths", "engines" ], "score": 1.50, \z
  "active": true }'

-- The lines behind "    $ command", without their indentation, up to the next command or what is not indented.
local function shown_for(command)
  local readme = assert(fs.read "README.md")
  local _, last = assert(readme:find("    $ " .. command .. "\n", 1, true))
  local lines = {}
  for line in readme:sub(last + 1):gmatch("([^\n]*)\n") do
    local rest = line:match("^    (.*)$")
    if not rest or rest:find("^%$") then break end
    lines[#lines + 1] = rest .. "\n"
  end
  return table.concat(lines)
end

local function comparable(text) return (text:gsub("\r", ""):gsub("%d[%d.]* ms", "N ms")) end

describe("the README", function()
  local function serve()
    return serving.start(function()
      return { headers = { ["Content-Type"] = "application/json" }, body = BODY }
    end)
  end

  local function on_terminal(...)
    return comparable(process.run({ "TERMINAL=dumb", "/usr/bin/python3", "spec/support/on_terminal.py", "80",
      process.lurcher, ... }, { command = "env" }).out)
  end

  it("shows what requests from the shell show", function()
    local site = serve()
    local get = on_terminal("get", site.url .. "/people/7")
    assert.are.equal(comparable(shown_for "lurcher get :8080/people/7"), get)
    local post = on_terminal("post", site.url .. "/people", "name=Ada", "age:=36x")
    assert.are.equal(shown_for "lurcher post :8080/people name=Ada 'age:=36x'", post)
  end)

  it("shows what the prompt shows", function()
    local site, prompt, session = serve(), prompting.start(), {}
    local shown = shown_for "lurcher"
    for line in shown:gmatch("> ([^\n]*)\n") do
      session[#session + 1] = ("> %s\n"):format(line)
      session[#session + 1] = prompt:enter((line:gsub("http://localhost:8080", site.url)))
    end
    assert.are.equal(shown, table.concat(session))
    prompt:finish()
  end)
end)
