--- What scripts put between their calls and the network: middleware, which may change everything, and hooks,
--- which look on. An error either raises is raised to the caller.

local errors = require "lurcher.base.errors"
local request = require "lurcher.http.request"
local response = require "lurcher.http.response"
local stream = require "lurcher.http.stream"

local middleware = {}

-- What a middleware returned, as a call returns it.
local function answer(its_request, res, err)
  if response.is(res) then return res, err end
  if type(res) == "table" then
    local made = response.made(res, its_request)
    return its_request.stream and stream.of_text(made) or made
  end
  if res == nil and err ~= nil then return nil, err end
  errors.raise("a middleware returned " .. (res == nil and "nothing" or "a " .. type(res))
    .. "; wanted is next(request), a response, a table with status, headers and body, or nil and an error")
end

---Makes a layer of a script's function.
---@param fn function
---@return function layer
function middleware.wrap(fn)
  return function(its_request, next)
    return answer(its_request, fn(its_request, function(changed)
      if not request.is(changed) then errors.raise("next() in a middleware wants the request") end
      return next(changed)
    end))
  end
end

---The layer above the first middleware: gives the request its visible form.
function middleware.expose(its_request, next)
  return next(its_request:expose())
end

---The layer below the last middleware: looks at what they made of the request. The clock of the whole call
---goes on when a middleware sends it again.
function middleware.enter(its_request, next)
  local fit, reason = its_request:recheck()
  if not fit then return nil, reason end
  if its_request.earlier then its_request:start_clock(its_request.earlier) end
  local res, err = next(its_request)
  its_request.earlier = res or err
  return res, err
end

---Calls each hook of a list.
---@param list function[]?
---@param event any
function middleware.fire(list, event)
  for i = 1, list and #list or 0 do list[i](event) end
end

---The layer that shows each attempt and each response to the hooks `request` and `response`.
function middleware.watch(its_request, next)
  local hooks = its_request.client.hooks
  middleware.fire(hooks.request, its_request:expose())
  local res, err = next(its_request)
  if res and its_request.stream then
    local ok, raised = pcall(middleware.fire, hooks.response, res)
    if not ok then
      res:close()
      error(raised, 0)
    end
  elseif res then
    middleware.fire(hooks.response, res)
  end
  return res, err
end

return middleware
