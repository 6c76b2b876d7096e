--- One exchange in libcurl, with the task that feeds it beside it.

local companion = require "lurcher.http.companion"

local exchange = {}

local MAX_PRIORITY = 7

---Ends the task that feeds a body. When it raised, the response is for nobody.
---@param feeder table
---@param body any what came as the response's body
function exchange.stop(feeder, body)
  local ok, raised = pcall(feeder.stop, feeder)
  if ok then return end
  if type(body) == "userdata" then body:close() end
  error(raised, 0)
end

-- What is sent again goes before those that were not sent yet: its timeout.total runs.
local function priority_of(request)
  local own = request.settings.priority
  return request.attempts > 1 and math.min(MAX_PRIORITY, (own or 0) + 1) or own
end

---Lets libcurl do one exchange, by perform or open. A body that an iterator gives is fed by a task beside it, which
---comes first among the results; whoever gets it has to stop it.
---@param request lurcher.Request
---@param call function native.perform or native.open
---@param profile userdata
---@param proxy? string|boolean see settings.wire_of
---@param undecided? string
---@return table? feeder
---@return integer? status, … what `call` gives
function exchange.run(request, call, profile, proxy, undecided)
  local own, content, feeder = request.settings, request.body or nil, nil
  if type(content) == "table" then
    local source = content
    content = source:upload()
    if source.producers then feeder = companion.start(source.feed, source, content) end
  end
  local meter = request.meter
  local function run()
    return call(request.client.pool, profile, request.method, request.url, request:wire(proxy), content,
      request.deadline or nil, request.expect_continue, priority_of(request), own.name, undecided,
      meter and meter.handle or nil)
  end
  if feeder then return feeder, feeder:beside(run) end
  return nil, run()
end

return exchange
