local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local http = require "lurcher.http"
local manual = require "spec.support.manual"
local task = require "lurcher.task"

local PATHS = { "README.md" }
for _, name in ipairs(assert(fs.list "lua/lurcher/help")) do
  PATHS[#PATHS + 1] = "lua/lurcher/help/" .. name
end

-- A process each, as for users; with sanitizers, where starting one takes longer than what it does, those that can
-- share one. It goes through the same C code.
local function sorted(blocks)
  if not faults.sanitized() then return blocks, {} end
  local alone, together = {}, {}
  for _, block in ipairs(blocks) do table.insert(manual.is_sociable(block) and together or alone, block) end
  return alone, together
end

describe("the examples of", function()
  local directory

  before_each(function() directory = files.begin() end)
  after_each(files.finish)

  for _, path in ipairs(PATHS) do
    it(path .. " run, and print what they say", function()
      local alone, together = sorted(manual.blocks(path))
      if together[1] then assert.are.equal("", manual.run_together(together, directory)) end
      local told = task.map(alone, function(block, i)
        local own = ("%s/%d"):format(directory, i)
        assert(fs.mkdir(own))
        local fault = manual.run(block, own)
        return fault and ("%s:%d:\n%s"):format(block.path, block.line, fault) or ""
      end, { concurrency = 4 })
      assert.are.equal("", table.concat(told))
    end)
  end
end)

-- Without examples and generated tables, in which retry.attempts is an option.
local function without_made(text)
  return text:gsub("\n```.-\n```", ""):gsub("<!%-%- table.-<!%-%- end", "")
end

describe("the manual", function()
  local words = {}
  for _, path in ipairs(PATHS) do
    for code in without_made(assert(fs.read(path))):gmatch("`([^`\n]+)`") do
      words[#words + 1] = { path = path, code = code }
    end
  end

  -- What other modules of Lurcher find in a public one (@package).
  local INTERNAL = { ["json.body"] = true }
  local everything = {}
  for i, path in ipairs(PATHS) do everything[i] = assert(fs.read(path)) end
  everything = table.concat(everything)

  it("names every script in examples", function()
    for _, file in ipairs(assert(fs.list "examples")) do
      assert(not file:find "%.lua$" or everything:find("`" .. file .. "`", 1, true), file .. " stands nowhere")
    end
  end)

  for _, file in ipairs(assert(fs.list "lua/lurcher")) do
    local name = file:match("^(.*)%.lua$")
    if name then
      it("names functions of lurcher." .. name .. " that exist", function()
        local module, count = require("lurcher." .. name), 0
        for _, word in ipairs(words) do
          for field in (" " .. word.code):gmatch("[^%w_.:/]" .. name .. "%.([%a_][%w_]*)") do
            local is_file = field == "lua"
            assert(is_file or module[field] ~= nil, ("%s: there is no %s.%s"):format(word.path, name, field))
            count = count + 1
          end
        end
        assert.is_true(count > 0)
      end)

      it("names all functions of lurcher." .. name, function()
        for field in pairs(require("lurcher." .. name)) do
          local whole = name .. "." .. field
          assert(INTERNAL[whole] or everything:find(whole, 1, true), whole .. " stands nowhere")
        end
      end)

      it("names all methods in lurcher." .. name, function()
        local source = assert(fs.read("lua/lurcher/" .. file)):gsub("%-%-%-@private\nfunction[^\n]+", "")
        for method in source:gmatch("\nfunction %u%w+:(%a[%w_]*)") do
          assert(everything:find(":" .. method, 1, true), (":%s stands nowhere"):format(method))
        end
      end)
    end
  end
end)

-- The last cell of an option's row ends with an example: `timeout = { total = 60 }`.
describe("the examples in the tables of options", function()
  local OF_CLIENTS = { client_options = true, timeout = true, limits = true, retry = true, breaker = true,
    tls = true, hooks = true }
  local check = require "lurcher.http.options"

  -- The options as a table, or nil and what is wrong. "…" stands for whatever fits.
  local function value_of(example)
    example = example:gsub("function%((.-)%) … end", "function(%1) end"):gsub("{ … }", "{}")
      :gsub('"sha256//…"', '"sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE="')
    local chunk, problem = loadstring("return { " .. example .. " }")
    if not chunk then return nil, problem end
    local environment = { http = http, task = task, os = { getenv = function() return "a value" end } }
    return setfenv(chunk, setmetatable(environment, { __index = _G }))()
  end

  for _, path in ipairs(PATHS) do
    for name, rows in assert(fs.read(path)):gmatch("<!%-%- table: ([%w_]+) %-%->\n(.-)<!%-%- end") do
      local is_client = OF_CLIENTS[name]
      if is_client or name == "request_options" then
        it(name .. " in " .. path .. " are valid", function()
          local count = 0
          for example in rows:gmatch(": `([^`]+)` |\n") do
            count = count + 1
            example = example:gsub("\\|", "|")
            local value, problem = value_of(example)
            assert(value, ("%s: %s"):format(example, problem))
            if is_client then check.check_client(value, example) else check.check_request(value, example) end
          end
          assert.is_true(count > 4)
        end)
      end
    end
  end
end)
