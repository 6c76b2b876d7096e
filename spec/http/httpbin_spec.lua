-- Every route of httpbin, each by a function of its own in spec/http/httpbin, and none left out: what there is to
-- cover is asked of the package that is installed.

local fs = require "lurcher.fs"
local http = require "lurcher.http"
local process = require "spec.support.process"
local servers = require "spec.support.servers"

local GROUPS = { "auth", "dynamic", "formats", "images", "methods", "redirects", "responses", "status" }

-- Routes of Debian 13's, not of Debian 12's: pages about the others, and one answer more.
local LATER = {}
for _, route in ipairs { "/apidocs/index.html", "/flasgger_static/<path:filename>", "/json", "/legacy",
  "/oauth2-redirect.html", "/spec.json" } do LATER[route] = true end

local PYTHON = [[
import os, httpbin
print(os.path.dirname(httpbin.__file__))
for rule in httpbin.app.url_map.iter_rules(): print(rule.rule)
]]

-- The folder of the package, and its routes.
local function installed()
  local lines = {}
  local printed = process.shell('/usr/bin/python3 -c "$1" 2>/dev/null', PYTHON)
  for line in printed:gmatch "[^\n]+" do lines[#lines + 1] = line end
  return table.remove(lines, 1), lines
end

local covered = {}
for _, group in ipairs(GROUPS) do
  for route, check in pairs(require("spec.http.httpbin." .. group)) do
    assert(not covered[route], route .. " is covered twice")
    covered[route] = check
  end
end

describe("httpbin's route", function()
  local server, bin, routes

  setup(function()
    server = servers.httpbin()
    local folder
    folder, routes = installed()
    bin = { url = server.http, directory = server.directory }
    function bin.template(name) return assert(fs.read(folder .. "/templates/" .. name)) end
  end)

  teardown(function() server:stop() end)

  before_each(function()
    bin.api = http.client { base_url = bin.url, retry = false }
    function bin.json(...) return assert(assert(bin.api:request(...)):json()) end
  end)

  after_each(function() bin.api:close() end)

  it("is in this list, whichever it is, and the list has no other", function()
    local listed = {}
    for _, route in ipairs(routes) do listed[route] = not LATER[route] or nil end
    for route in pairs(covered) do assert(listed[route], "httpbin has no route " .. route) end
    for route in pairs(listed) do assert(covered[route], "nothing covers " .. route) end
    assert.is_true(#routes > 50)
  end)

  for route, check in pairs(covered) do
    it(route .. " answers as it should", function() check(bin) end)
  end
end)
