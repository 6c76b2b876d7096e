--- Responses that pages of other origins may read, for stubs that a front end is built against.

local cors = {}

---The answer to a browser that asks what it may send; nil for other requests.
---@param req lurcher.server.Request
---@return table?
function cors.preflight(req)
  local method = req.headers["access-control-request-method"]
  if req.method ~= "OPTIONS" or not method then return nil end
  return { status = 204, headers = {
    ["Access-Control-Allow-Methods"] = method,
    ["Access-Control-Allow-Headers"] = req.headers["access-control-request-headers"] or false,
    ["Access-Control-Max-Age"] = "600",
  } }
end

---The response with the headers that allow it.
---@param response table
---@param req lurcher.server.Request
---@return table
function cors.allow(response, req)
  local origin, complete, defaults = req.headers.origin, {}, {}
  if not origin then return response end
  for key, value in pairs(response) do complete[key] = value end
  for name, value in pairs(response.defaults or {}) do defaults[name] = value end
  defaults["Access-Control-Allow-Origin"] = origin
  defaults["Access-Control-Allow-Credentials"] = "true"
  defaults["Access-Control-Expose-Headers"] = "*"
  defaults.Vary = "Origin"
  complete.defaults = defaults
  return complete
end

return cors
