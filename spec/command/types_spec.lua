-- The types for editors that scripts/types.lua makes: they load, they are complete, and they are true.

local fs = require "lurcher.fs"
local process = require "spec.support.process"

local options = require "lurcher.http.options.rows"
local parts = require "lurcher.http.options.parts"

local BUILT_IN = { any = true, boolean = true, integer = true, number = true, string = true, table = true,
  userdata = true, ["nil"] = true, ["true"] = true, ["false"] = true, fun = true, ["function"] = true,
  thread = true, self = true, T = true }

local directory = process.directory()
local ended = process.run({ "scripts/types.lua", directory }, { command = "luajit" })
assert(ended.status == 0, ended.err)

local texts, known = {}, {}
for _, name in ipairs(assert(fs.list(directory .. "/lurcher"))) do
  local text = assert(fs.read(directory .. "/lurcher/" .. name))
  texts[name:gsub("%.lua$", "")] = text
  for class in text:gmatch("%-%-%-@class ([%w_.]+)") do known[class] = true end
  for alias in text:gmatch("%-%-%-@alias ([%w_.]+)") do known[alias] = true end
end

-- What is documented of a module at run time: all but what is marked as inner.
local INNER = { json = { body = true } }

-- Each { comment lines, parameters } of the functions in a file.
local function functions(text)
  local list, block = {}, {}
  for line in text:gmatch("([^\n]*)\n") do
    local parameters = line:match("^function [%w_.:]+(%b()) end$")
    if parameters then list[#list + 1] = { block, parameters, line } end
    if line:find("^%-%-%-") then block[#block + 1] = line else block = {} end
  end
  return list
end

-- The words of a comment's line that are types: what stands after the tag and the name, before the text.
local function types_in(line)
  local rest = line:match("^%-%-%-@param%s+%S+%s+(.+)$") or line:match("^%-%-%-@field%s+%S+%s+(.+)$")
    or line:match("^%-%-%-@return%s+(.+)$") or line:match("^%-%-%-@type%s+(.+)$")
  return rest
end

assert(fs.remove(directory, { recursive = true }))

describe("the types for editors", function()
  for name, text in pairs(texts) do
    describe("of lurcher." .. name, function()
      local module = require("lurcher." .. name)

      it("are Lua that makes a table with all that the module has, and nothing else", function()
        assert.equal("---@meta lurcher." .. name .. "\n", text:match("^[^\n]*\n"))
        local typed = assert(loadstring(text, "@" .. name))()
        local fields = {}
        for field in text:gmatch("%f[^\n]%-%-%-@field ([%w_]+) lurcher%.Verb") do fields[field] = true end
        for key in pairs(module) do
          local is_there = typed[key] ~= nil or text:find("\n" .. name .. "." .. key .. " = nil", 1, true)
            or fields[key] or INNER[name] and INNER[name][key]
          assert(is_there, ("%s.%s is missing"):format(name, key))
        end
        for key in pairs(typed) do assert(module[key] ~= nil, ("there is no %s.%s"):format(name, key)) end
      end)

      it("name the parameters as the functions do, in their order", function()
        for _, entry in ipairs(functions(text)) do
          local block, parameters, line = unpack(entry)
          local declared, at = {}, 0
          for parameter in parameters:gmatch("[%w_.]+") do declared[#declared + 1] = parameter end
          for _, comment in ipairs(block) do
            local parameter = comment:match("^%-%-%-@param ([%w_.]+)")
            if parameter then
              at = at + 1
              assert.equal(declared[at], parameter, line)
            end
          end
          assert(at == #declared or at == 0 and #declared <= 1, line .. " has parameters without a type")
        end
      end)

      it("refer to classes that exist", function()
        for line in text:gmatch("[^\n]+") do
          if line:find("^%-%-%-[@|]") then
            for class in line:gmatch("%f[%w]lurcher%.[%u][%w_.]*%f[^%w_.]") do
              assert(known[class:gsub("%.$", "")], line)
            end
            local first = (types_in(line) or ""):match("^([%a][%w_.]*)")
            assert(not first or BUILT_IN[first] or known[first], line)
          end
        end
      end)
    end)
  end

  it("have every option, with what it is for", function()
    local function has(name, row)
      assert(texts.http:find(("\n---@field %s? "):format(row[1]), 1, true)
        or texts.breaker:find(("\n---@field %s? "):format(row[1]), 1, true), name .. "." .. row[1])
    end
    for _, row in ipairs(options) do has("options", row) end
    for name, list in pairs(parts) do
      for _, row in ipairs(list) do has(name, row) end
    end
  end)

  it("have the methods of what is returned", function()
    for class, methods in pairs {
      Client = { "request", "stream", "extend", "stats", "breaker", "close" },
      Response = { "header", "header_list", "each_header", "json", "text", "expect", "links", "cookies",
        "chunks", "lines", "ndjson", "read", "read_all", "save", "close" },
      CookieJar = { "get", "set", "list", "clear" }, Error = { "is" },
    } do
      for _, method in ipairs(methods) do
        assert(texts.http:find(("\nfunction %s:%s("):format(class, method), 1, true), class .. ":" .. method)
      end
    end
    for class, methods in pairs {
      Semaphore = { "acquire", "release", "with" }, Queue = { "put", "get", "close" },
      Event = { "set", "wait" }, Limiter = { "wait" }, Scope = { "spawn", "defer" }, Stream = { "close" },
    } do
      for _, method in ipairs(methods) do
        assert(texts.task:find(("\nfunction %s:%s("):format(class, method), 1, true), class .. ":" .. method)
      end
    end
    assert(texts.breaker:find("\nfunction Breaker:call(", 1, true))
  end)
end)
