local files = require "spec.support.files"
local fs = require "lurcher.fs"
local manual = require "spec.support.manual"
local task = require "lurcher.task"

local PATHS = { "README.md" }
for _, name in ipairs(assert(fs.list "lua/lurcher/help")) do
  PATHS[#PATHS + 1] = "lua/lurcher/help/" .. name
end

describe("the examples of", function()
  local directory

  before_each(function() directory = files.begin() end)
  after_each(files.finish)

  for _, path in ipairs(PATHS) do
    it(path .. " run, and print what they say", function()
      local faults = task.map(manual.blocks(path), function(block, i)
        local own = ("%s/%d"):format(directory, i)
        assert(fs.mkdir(own))
        local fault = manual.run(block, own)
        return fault and ("%s:%d:\n%s"):format(block.path, block.line, fault) or ""
      end, { concurrency = 4 })
      assert.are.equal("", table.concat(faults))
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

  for _, file in ipairs(assert(fs.list "lua/lurcher")) do
    local name = file:match("^(.*)%.lua$")
    if name then
      it("names functions of lurcher." .. name .. " that exist", function()
        local module, count = require("lurcher." .. name), 0
        for _, word in ipairs(words) do
          for field in (" " .. word.code):gmatch("[^%w_.:/]" .. name .. "%.([%a_][%w_]*)") do
            assert(module[field] ~= nil, ("%s: there is no %s.%s"):format(word.path, name, field))
            count = count + 1
          end
        end
        assert.is_true(count > 0)
      end)
    end
  end
end)
