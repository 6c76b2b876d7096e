--- `--record=FILE` and `--replay=FILE`: a cassette under all requests of a script that knows nothing of it.

local cassette = require "lurcher.cassette"
local client = require "lurcher.http.client"
local exit_hooks = require("lurcher.native.task").exit_hooks

local tape = {}

local current

---@param mode "all"|"none"
---@param path string
function tape.begin(mode, path)
  current = assert(cassette.open(path, { mode = mode }))
  client.install_everywhere(current)
  table.insert(exit_hooks, function() tape.finish "failed" end)
end

---@param how string "failed": the script did
function tape.finish(how)
  assert(current:close(how == "failed"))
end

return tape
