--- What is wrong with a cassette's file, as an error.

local errors = require "lurcher.base.errors"

---@param path string
---@param message string what follows its name
---@return lurcher.Error
return function(path, message)
  return errors.new { kind = "file", path = path, retryable = false,
    message = ("the cassette '%s' %s"):format(path, message) }
end
