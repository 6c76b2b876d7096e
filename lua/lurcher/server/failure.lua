--- What a handler raised, with where it was.

local failure = {}

---A handler for xpcall.
---@param raised any
---@return table { error, traceback }
function failure.catch(raised)
  return { error = raised, traceback = debug.traceback("", 2):sub(2) }
end

---What xpcall returned: a limit that ends the script passes its handler by.
---@param result any
---@return table { error, traceback }
function failure.of(result)
  if type(result) == "table" and rawget(result, "traceback") and rawget(result, "error") ~= nil then return result end
  return { error = result, traceback = "" }
end

return failure
