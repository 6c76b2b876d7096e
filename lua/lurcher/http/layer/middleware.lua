--- What scripts put between their calls and the network: middleware, which may change everything, and hooks,
--- which look on. An error either raises is raised to the caller.

local errors = require "lurcher.base.errors"
local request = require "lurcher.http.request"
local response = require "lurcher.http.response"
local stream = require "lurcher.http.stream"

local middleware = {}

-- What a middleware returned, as a call returns it.
local function answer(req, res, err)
  if response.is(res) then return res, err end
  if type(res) == "table" then
    local made = response.made(res, req)
    return req.stream and stream.of_text(made) or made
  end
  if res == nil and err ~= nil then return nil, err end
  errors.raise("a middleware returned " .. (res == nil and "nothing" or "a " .. type(res))
    .. "; wanted is next(request), a response, a table with status, headers and body, or nil and an error")
end

---Makes a layer of a script's function.
---@param fn function
---@return function layer
function middleware.wrap(fn)
  return function(req, next)
    return answer(req, fn(req, function(changed)
      if not request.is(changed) then errors.raise("next() in a middleware wants the request") end
      return next(changed)
    end))
  end
end

---The layer above the first middleware: gives the request its visible form.
function middleware.expose(req, next)
  return next(req:expose())
end

---The layer below the last middleware: looks at what they made of the request. The clock of the whole call
---goes on when a middleware sends it again.
function middleware.enter(req, next)
  local fit, reason = req:recheck()
  if not fit then return nil, reason end
  if req.earlier then req:start_clock(req.earlier) end
  local res, err = next(req)
  req.earlier = res or err
  return res, err
end

---Calls each hook of a list.
---@param list function[]?
---@param event any
function middleware.fire(list, event)
  for i = 1, list and #list or 0 do list[i](event) end
end

---The layer that shows each attempt and each response to the hooks `request` and `response`.
function middleware.watch(req, next)
  local hooks = req.client.hooks
  middleware.fire(hooks.request, req:expose())
  local res, err = next(req)
  if res and rawget(res, "stream") then
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
