-- Methods called with a dot, and functions of modules with a colon: the message says which it is.

local cookies = require "lurcher.http.cookies.jar"
local http = require "lurcher.http"
local log = require "lurcher.log"
local origin = require "spec.support.origin"
local task = require "lurcher.task"

local function refuses(call, name, mark)
  local ok, message = pcall(call)
  assert.is_false(ok)
  assert.matches("calling_spec%.lua:%d+: call it with a " .. mark .. ": " .. name, message)
end

describe("called with a dot,", function()
  it("the methods of a response say that they want a colon", function()
    local site = origin.start()
    local res = assert(http.get(site.url))
    for _, name in ipairs { "json", "text", "header", "header_list", "each_header", "expect", "links",
      "cookies", "chunks", "lines", "ndjson", "read", "read_all", "save", "close" } do
      refuses(function() res[name]("x") end, "res:" .. name, "colon")
    end
    site:stop()
  end)

  it("those of a client, of its cookies, of scopes and of streams do too", function()
    local client, jar = http.client(), cookies.new()
    for _, name in ipairs { "get", "request", "stream", "extend", "stats", "close" } do
      refuses(function() client[name]("x") end, "client:" .. name, "colon")
    end
    for _, name in ipairs { "get", "set", "list", "clear" } do
      refuses(function() jar[name]("x") end, "cookies:" .. name, "colon")
    end
    task.scope(function(scope)
      refuses(function() scope.spawn(print) end, "scope:spawn", "colon")
      refuses(function() scope.defer(print) end, "scope:defer", "colon")
    end)
    local stream = task.stream({}, print)
    refuses(function() stream.close() end, "stream:close", "colon")
    client:close()
  end)
end)

describe("called with a colon,", function()
  it("the functions of lurcher.log say that they want a dot", function()
    for _, name in ipairs { "error", "warn", "info", "debug" } do
      refuses(function() log[name](log, "x") end, "log." .. name, "dot")
    end
  end)
end)
