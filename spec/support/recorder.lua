-- A server that keeps the bytes of each request, by the case that its path begins with ("/c12/…" is case 12), and
-- answers what the case wants.
--
--   local recorder = require "spec.support.recorder"
--   local record = recorder.start()
--   … requests to record.url .. "/c12/path" …
--   record:take()[12]                        -- the list of what came for it since the last take
--   record.answers[12] = "HTTP/1.1 302 …"    -- to the first request of the case

local serving = require "spec.support.serving"

local recorder = {}

local Recorder = {}
Recorder.__index = Recorder

local OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

local function serve(self, conn)
  while true do
    local req = conn:read_request()
    if not req then return end
    local case = tonumber(req.text:match("^%S+ [^ ]-/c(%d+)/"))
    local list = self.seen[case] or {}
    self.seen[case or 0] = list
    list[#list + 1] = req.text
    local answer = #list == 1 and self.answers[case] or OK
    if not conn:write(answer) then return end
  end
end

---@param opts? table for server.raw
function recorder.start(opts)
  local self = setmetatable({ seen = {}, answers = {} }, Recorder)
  self.server = serving.raw(function(conn) serve(self, conn) end, opts)
  self.url = self.server.url
  return self
end

---What came since the last time, by case.
function Recorder:take()
  local seen = self.seen
  self.seen = {}
  return seen
end

return recorder
