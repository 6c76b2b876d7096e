-- An HTTP proxy of the specs, which shows every byte that it is told and can do anything at any step.
--
--   local proxy = proxying.start()                      -- passes everything on
--   local proxy = proxying.start(function(conn, head) … return true end)   -- true: go on as usual
--   … proxy.url, proxy.heads (the text of each request's head), proxy.connections …

local serving = require "spec.support.serving"
local socket = require "spec.support.socket"
local task = require "lurcher.task"

local proxying = {}

-- Copies what comes until either side ends.
local function relay(conn, other, waiting)
  if waiting then other:send(waiting) end
  local back = task.spawn(function()
    while true do
      local bytes = other:receive_some(65536)
      if not bytes or not conn:write(bytes) then break end
    end
    conn:close()
  end)
  while true do
    local bytes = conn:read()
    if not bytes or not other:send(bytes) then break end
  end
  back:cancel()
  other:close()
end

-- The head of a request, its first line taken apart; nil at the end.
local function read_head(conn)
  local lines = {}
  while true do
    local line = conn:read_line()
    if not line then return nil end
    if line == "" then break end
    lines[#lines + 1] = line
  end
  local method, target = lines[1]:match("^(%S+) (%S+) HTTP")
  local head = { method = method, target = target, text = table.concat(lines, "\r\n") }
  function head.header(name)
    for _, line in ipairs(lines) do
      local key, value = line:match("^([^:]+): *(.*)$")
      if key and key:lower() == name:lower() then return value end
    end
  end
  return head
end

-- A plain request, on a connection of its own.
local function pass_on(conn, head)
  local port, rest = head.target:match("^http://[^/:]+:(%d+)(.*)$")
  local length = tonumber(head.header("Content-Length") or 0)
  local body = length > 0 and conn:read(length) or ""
  local other = assert(socket.connect(tonumber(port)))
  local own = head.text:gsub("^%S+ %S+", head.method .. " " .. rest, 1):gsub("\r\nProxy%-[^\r]*", "")
  other:send(own .. "\r\nConnection: close\r\n\r\n" .. body)
  local answer = other:receive_all()
  other:close()
  if answer then conn:write(answer) end
end

local function serve(conn, head)
  if head.method ~= "CONNECT" then return pass_on(conn, head) end
  local other = socket.connect(tonumber(head.target:match(":(%d+)$")))
  if not other then return conn:write("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n") end
  conn:write("HTTP/1.1 200 Connection established\r\n\r\n")
  relay(conn, other)
end

---A proxy, stopped when the spec ends.
---@param before? fun(conn: table, head: table): any asked first; true: go on as usual, else the connection ends
---@param opts? table for server.raw
function proxying.start(before, opts)
  local self = { heads = {}, connections = 0, log = {} }
  local s = serving.raw(function(conn)
    self.connections = self.connections + 1
    local head = read_head(conn)
    if not head then return end
    self.heads[#self.heads + 1] = head.text
    self.log[#self.log + 1] = head.method .. " " .. head.target
    if not before or before(conn, head) == true then serve(conn, head) end
  end, opts)
  self.server, self.url, self.ca, self.port = s, s.url, s.ca, s.port
  self.name = s.url:match("//(.*)$")
  return self
end

---The URL with credentials.
function proxying.with(url, userinfo) return (url:gsub("://", function() return "://" .. userinfo .. "@" end, 1)) end

proxying.read_head = read_head

return proxying
