--- Tells observers (the trace, the recorder) what happens to requests. With none, the layers that tell are
--- not even entered for a plain request.

local native = require "lurcher.native.task"

local observe = { enabled = false }

local observers = {}

---@class lurcher.Observer each function may be missing
---@field begin? fun(request: lurcher.Request) a call goes down the layers
---@field attempt? fun(request: lurcher.Request, result: string, info?: userdata, head?: string,
---  body?: string) one attempt is over: with
---  a status, or an error's kind (and "/phase" of a timeout); of a stream, its body is still to come
---@field event? fun(request: lurcher.Request, what: string, event: table) a layer decided: "retry", …
---@field body? fun(request: lurcher.Request, record: table, failure?: lurcher.Error) a stream is read or
---  given up; `record` as native.info gives it
---@field finish? fun(request: lurcher.Request, res?: lurcher.Response, err: any) the call is over; `err` is
---  the error, or what was raised

---@param observer lurcher.Observer
function observe.add(observer)
  observers[#observers + 1] = observer
  observe.enabled = true
end

local function tell(what, ...)
  for i = 1, #observers do
    local listen = observers[i][what]
    if listen then listen(...) end
  end
end

---@param request lurcher.Request
---@param result string
---@param info? userdata as native.perform gives it
---@param head? string of the response
---@param body? string of a response that is not streamed
function observe.attempt(request, result, info, head, body) tell("attempt", request, result, info, head, body) end

---@param request lurcher.Request
---@param what string
---@param event table
function observe.event(request, what, event) tell("event", request, what, event) end

---@param request lurcher.Request
---@param record table
---@param failure? lurcher.Error
function observe.body(request, record, failure) tell("body", request, record, failure) end

---The outermost layer: tells of the call's begin and end.
function observe.layer(request, next)
  if not observe.enabled then return next(request) end
  tell("begin", request)
  local ok, res, err = native.raw_xpcall(next, native.trace, request)
  if ok then
    tell("finish", request, res, err)
    return res, err
  end
  tell("finish", request, nil, res)
  error(res, 0)
end

return observe
