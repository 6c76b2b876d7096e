local task = require "lurcher.task"
local errors = require "lurcher.errors"
local native = require "lurcher.native.task"

local function world_error() return errors.new { kind = "dns", message = "no such host" } end

local function forever() native.park("the end of time") end

