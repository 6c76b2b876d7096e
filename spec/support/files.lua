-- A directory of its own for each spec, and looks at what is in it.
--
--   local files = require "spec.support.files"
--   before_each(function() directory = files.begin() end)
--   after_each(files.finish)
--   … files.path "name", files.read "name" …

local assert = require "luassert"
local fs = require "lurcher.fs"
local process = require "spec.support.process"

local files = {}

local directory

---Makes a directory, until `finish`.
---@return string
function files.begin()
  directory = process.directory()
  return directory
end

function files.finish() assert(fs.remove(directory, { recursive = true })) end

function files.path(name) return directory .. "/" .. name end

---The bytes of a file, without the module that is tested.
function files.read(name)
  local file = assert(io.open(files.path(name), "rb"))
  local data = file:read("*a")
  file:close()
  return data
end

---Checks that a call returned nil and kind 'file', with the errno's name and a text (the path) in it.
function files.fails(code, text, data, err)
  assert.is_nil(data)
  assert.are.equal("file", err.kind)
  assert.are.equal(code, err.code)
  assert.matches(text, tostring(err), 1, true)
  assert.matches("(" .. code .. ")", tostring(err), 1, true)
end

return files
