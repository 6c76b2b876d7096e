local check = require "lurcher.base.check"
local rows = require "lurcher.base.rows"

-- As it stands in the sources: what is linked in goes without the texts of the manual.
local source
function source(name)
  local chunk = assert(loadfile("lua/lurcher/" .. name:gsub("%.", "/") .. ".lua"))
  return setfenv(chunk, setmetatable({ require = function(module)
    local own = module:match("^lurcher%.(.+)")
    return own and (own:find("options") or own:find("backoff")) and source(own) or require(module)
  end }, { __index = _G }))()
end

local all = source "http.options.rows"
local pages = source "pages.options"
local policies = source "retry.options"
local parts = source "http.options.parts"
parts.breaker = source("breaker.options").ROWS

local lists = { client_and_request = all, pages = pages.ROWS, policy = policies.ROWS }
for name, list in pairs(parts) do lists[name] = list end

rows.collected = {}
for _, module in ipairs { "task.together", "task.stream", "task.sync", "pages.strategies", "progress", "clock",
  "server", "server.folder" } do
  source(module)
end
for name, entry in pairs(rows.collected) do lists[name] = entry.list end
rows.collected = nil

describe("rows of options", function()
  it("give checks and defaults by name", function()
    local list = { { "a", check = "count", default = 3 }, { "b", check = "boolean", default = false } }
    assert.are.same({ a = "count", b = "boolean" }, rows.specs(list))
    assert.are.same({ a = 3, b = false }, rows.defaults(list))
  end)

  it("tell how what others call an option is written here", function()
    local list = {
      { "redirects", words = { "max_redirects", follow = "redirects = 10 or false" },
        elsewhere = { curl = "-L, --max-redirs", axios = "maxRedirects", got = "https.x" } },
      { "timeout", elsewhere = { aiohttp = "redirects" } },
    }
    assert.are.same({ max_redirects = "redirects = …", follow = "redirects = 10 or false",
      max_redirs = "redirects = …", maxRedirects = "redirects = …" }, rows.all_hints(list))
  end)

  for name, list in pairs(lists) do
    it("say what each option is for, show it, and have defaults that pass their checks: " .. name, function()
      local seen = {}
      for _, row in ipairs(list) do
        local option = row[1]
        assert(not seen[option], option .. " is there twice")
        seen[option] = true
        assert(row.check ~= nil and #row.help > 0 and #row.example > 0, option .. " is not complete")
        assert(not row.help:find("%.$"), option .. ": its help ends with a full stop")
        assert(loadstring("return {" .. row.example:gsub("…", "") .. "}"), option .. ": " .. row.example)
        if row.default ~= nil then assert.is_nil(check.mismatch(row.default, row.check), option) end
      end
    end)

    it("have examples that pass their checks: " .. name, function()
      local globals = setmetatable({ task = require "lurcher.task", http = require "lurcher.http", urls = {},
        pages = require "lurcher.pages", retry = require "lurcher.retry",
        stopping = require("lurcher.task").event(), os = { getenv = tostring } }, { __index = _G })
      for _, row in ipairs(list) do
        local example = row.example:gsub("… end", "end"):gsub("…", "A")
        local made = setfenv(loadstring("return {" .. example .. "}"), globals)()
        local value = made[row[1]]
        for _, part in pairs(made) do
          if value == nil and type(part) == "table" then value = part[row[1]] end
        end
        if value ~= nil then assert.is_nil(check.mismatch(value, row.check), row[1]) end
      end
    end)
  end
end)
