--- Tells observers (the trace, …) what happens to requests. With none, the layers that tell are not even
--- entered for a plain request.

local observe = { enabled = false }

local observers = {}

---@class lurcher.Observer
---@field attempt? fun(request: lurcher.Request, outcome: string, info?: userdata) one attempt is over: with a
---  status, or an error's kind (and "/phase" of a timeout)
---@field event? fun(request: lurcher.Request, what: string, event: table) what a layer decided: "retry", …

---@param observer lurcher.Observer
function observe.add(observer)
  observers[#observers + 1] = observer
  observe.enabled = true
end

---@param request lurcher.Request
---@param outcome string
---@param info? userdata as native.perform gives it
function observe.attempt(request, outcome, info)
  for i = 1, #observers do
    local tell = observers[i].attempt
    if tell then tell(request, outcome, info) end
  end
end

---@param request lurcher.Request
---@param what string
---@param event table
function observe.event(request, what, event)
  for i = 1, #observers do
    local tell = observers[i].event
    if tell then tell(request, what, event) end
  end
end

return observe
