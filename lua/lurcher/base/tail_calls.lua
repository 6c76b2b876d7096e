--- Where a function ends by calling another ("return f()"). LuaJIT keeps no frame of it then, so an error that
--- the other raises cannot tell the line; but the function's bytecode can.

local tail_calls = {}

-- The parts of an instruction's number: the lowest byte says what it does.
local OPERATIONS = 256

local function last_operation(util, fn)
  local operation, pc = nil, 1
  while true do
    local instruction = util.funcbc(fn, pc)
    if not instruction then return operation end
    operation, pc = instruction % OPERATIONS, pc + 1
  end
end

-- What such calls are in this LuaJIT, looked up in functions that are known to end so.
local function operations(util)
  local fixed = last_operation(util, function(f) return f() end)
  local variable = last_operation(util, function(f, ...) return f(...) end)
  return { [fixed] = true, [variable] = true }
end

---The line of a function's only such call.
---@param fn function
---@param util table jit.util
---@return integer? line nil: there are several, on different lines, or none
function tail_calls.line(fn, util)
  local is_tail_call = operations(util)
  local line, pc = nil, 1
  while true do
    local instruction = util.funcbc(fn, pc)
    if not instruction then return line end
    if is_tail_call[instruction % OPERATIONS] then
      local found = util.funcinfo(fn, pc).currentline
      if line and line ~= found then return nil end
      line = found
    end
    pc = pc + 1
  end
end

return tail_calls
