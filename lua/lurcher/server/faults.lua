--- How responses go wrong by name: `return { body = "…", fault = "truncate" }`.

local check = require "lurcher.base.check"
local task = require "lurcher.task"

local faults = {}

local PIECES, PAUSE = 10, 0.1 -- of "slow": a tenth each tenth of a second
local GARBAGE = "\0\255\21\3\1lurcher\r\n\254\1\r\n\r\n\7"

-- The next piece of a body as it goes over the wire; nil at its end.
local function next_piece(answered)
  local body = answered.body
  if body == nil then return nil end
  if type(body) == "string" then
    answered.body = nil
    return answered:frame(body)
  end
  local piece, failure = body()
  if failure ~= nil and piece == nil then error(failure, 0) end
  if piece == nil then answered.body = nil end
  return piece and answered:frame(piece)
end

-- What is sent before it goes wrong: the head and half of what comes next; of a head alone, half of that.
local function first_half(answered)
  local piece = next_piece(answered) or ""
  if piece == "" then return answered.head:sub(1, math.ceil(#answered.head / 2)) end
  return answered.head .. piece:sub(1, math.floor(#piece / 2))
end

local function write_slowly(conn, bytes)
  local size = math.max(1, math.ceil(#bytes / PIECES))
  for first = 1, #bytes, size do
    task.sleep(PAUSE)
    if not conn:write(bytes, first, math.min(first + size - 1, #bytes)) then return false end
  end
  return true
end

local BY_NAME = {}

---No byte, but a reset.
function BY_NAME.reset(state) state.conn:reset() end

---Half of it, and the connection ends.
function BY_NAME.truncate(state, answered) state.conn:write(first_half(answered)) end

---Half of it, and nothing more until the client gives up.
function BY_NAME.stall(state, answered)
  if not state.conn:write(first_half(answered)) then return end
  state.idle = true -- a server that stops does not wait for it
  repeat local bytes = state.conn:read(65536) until not bytes
end

---All of it, in ten pieces with pauses.
function BY_NAME.slow(state, answered)
  local piece = next_piece(answered)
  if not piece then return write_slowly(state.conn, answered.head) and answered.keep_alive end
  local going = state.conn:write(answered.head)
  while piece and going do
    going = write_slowly(state.conn, piece)
    piece = next_piece(answered)
  end
  if going and answered.chunked then going = state.conn:write("0\r\n\r\n") end
  return going and answered.keep_alive
end

---Bytes that are no HTTP, and the connection ends.
function BY_NAME.garbage(state) state.conn:write(GARBAGE) end

---What is wrong with a fault's name; nil: nothing.
---@param name any
---@return string?
function faults.mismatch(name)
  if BY_NAME[name] then return nil end
  local names = {}
  for known in pairs(BY_NAME) do names[#names + 1] = "'" .. known .. "'" end
  table.sort(names)
  local near = check.suggest(name, BY_NAME)
  return "one of " .. table.concat(names, ", ") .. (near and (" (did you mean '%s'?)"):format(near) or "")
end

---Sends a response as the fault says. Returns whether the connection can be used again.
---@param name string
---@param state table the connection
---@param answered lurcher.server.Answer
---@return boolean?
function faults.play(name, state, answered) return BY_NAME[name](state, answered) or false end

return faults
