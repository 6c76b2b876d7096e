--- `lurcher new PATH`: a script to begin with, a spec for it, and what an editor wants to know.

local fs = require "lurcher.fs"
local quote = require("lurcher.convert.shell_text").quote

local new = {}

local STREAMS = { out = io.stdout, err = io.stderr }

local SCRIPT = [[
-- What it does, in one line.
--   lurcher NAME.lua URL

local http = require "lurcher.http"

local url = assert((...), "usage: NAME.lua URL")
local api = http.client { base_url = url }

local res = assert(api:get("items", { expect = "2xx" }))
for _, item in ipairs(assert(res:json())) do print(item.name) end
]]

local SPEC = [[
-- Run by: lurcher test

local json = require "lurcher.json"
local server = require "lurcher.server"

local folder = debug.getinfo(1, "S").source:match("^@(.*)spec/[^/]*$") or ""

-- Runs the script against a server that answers so; gives what it printed, and what was requested.
local function run(answer)
  local printed = {}
  local script = assert(loadfile(folder .. "NAME.lua"))
  setfenv(script, setmetatable({ print = function(text) printed[#printed + 1] = text end }, { __index = _G }))
  local api = assert(server.start(function() return answer end))
  local ok, err = pcall(script, api.url)
  local requests = api:requests()
  api:stop()
  if not ok then error(err, 0) end
  return printed, requests
end

describe("NAME.lua", function()
  it("prints the names of all items", function()
    local printed, requests = run { body = json.encode { { name = "Ada" }, { name = "Grace" } } }
    assert.are.same({ "Ada", "Grace" }, printed)
    assert.are.equal("/items", requests[1].path)
  end)

  it("fails when the service has no items", function()
    local _, err = pcall(run, { status = 404 })
    assert.is_true(err:is "status")
  end)
end)
]]

local EDITOR = [[
{
  "runtime.version": "LuaJIT",
  "workspace.library": ["/usr/share/lurcher/types", "/usr/local/share/lurcher/types"],
  "diagnostics.globals": ["describe", "it", "before_each", "after_each", "finally"]
}
]]

-- Where the files go: the folder ("" or with a slash at its end), and the script's name without ".lua".
local function places_of(path)
  local folder, name = path:match("^(.*/)([^/]+)%.lua$")
  if not folder then folder, name = "", path:match("^([^/]+)%.lua$") end
  if name then return folder, name end
  path = path:gsub("/+$", "")
  name = path:match("[^/]+$")
  return path .. "/", name
end

-- A path as a shell reads it.
local function word_of(path)
  return path:find("^[%w_./][%w_./-]*$") and path or quote(path)
end

-- Writes the files that are not there yet; refuses when the script or its spec is.
local function write(folder, name)
  local script, spec = folder .. name .. ".lua", folder .. "spec/" .. name .. "_spec.lua"
  for _, path in ipairs { script, spec } do
    if fs.exists(path) then return nil, ("'%s' is there already: nothing was written"):format(path) end
  end
  local ok, err = fs.mkdir(folder .. "spec", { parents = true })
  if not ok then return nil, tostring(err) end
  local texts = { { script, SCRIPT }, { spec, SPEC }, { folder .. ".luarc.json", EDITOR } }
  if fs.exists(texts[3][1]) then texts[3] = nil end
  local written = {}
  for i, text in ipairs(texts) do
    ok, err = fs.write(text[1], (text[2]:gsub("NAME", (name:gsub("%%", "%%%%")))))
    if not ok then return nil, tostring(err) end
    written[i] = text[1]
  end
  return written
end

---@param list string[] the arguments behind the word
---@param streams? lurcher.command.Streams
---@return integer status
function new.perform(list, streams)
  streams = streams or STREAMS
  local path = list[1]
  if #list ~= 1 or path == "" or path:find("^%-") or path:find("[%c\"\\]") or not path:find("[^/.]") then
    streams.err:write("lurcher new: give a path: lurcher new fetch.lua, or a folder for it: lurcher new fetch\n")
    return 2
  end
  local folder, name = places_of(path)
  local written, problem = write(folder, name)
  if not written then
    streams.err:write("lurcher: ", problem, "\n")
    return 1
  end
  for _, file in ipairs(written) do streams.out:write(file, "\n") end
  local place = folder ~= "" and "cd " .. word_of(folder) .. " && " or ""
  streams.err:write(("next: lurcher %s URL, and its spec: %slurcher test\n"):format(word_of(folder .. name .. ".lua"),
    place))
  return 0
end

---@param _ string
---@param ... string
function new.run(_, ...)
  os.exit(new.perform { ... })
end

return new
