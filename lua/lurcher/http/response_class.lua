--- The class of responses, apart from what they can do: most scripts look at `status` and `body` only, which are
--- fields of the response itself. See response.lua for the rest, which comes with the first use of it.

local late = require "lurcher.base.late"

local Response = late "lurcher.http.response"
Response.__name = "lurcher.Response"

local response_class = { metatable = Response }

---Methods by name → what loads the module that defines them.
---@type table<string, function>
response_class.late = {}

---The curl command of a response's call, which clients know: set by what makes responses.
---@type fun(self: lurcher.Response, how?: table): string?
response_class.curl = nil

---The response of a call's only attempt. Its table is made with a constant in each field: from bytecode, LuaJIT makes
---room for those only, and would add the others one by one (2 % of the instructions of a small request).
---@param status integer
---@param body string
---@param head string
---@param info userdata
---@param method string
---@param url string
---@param call table the request, or the settings of one that has nothing else
---@return lurcher.Response
function response_class.new(status, body, head, info, method, url, call)
  local res = { status = 0, ok = false, body = "", head = "", info = 0, method = "", url = "", call = 0 }
  res.status, res.ok, res.body, res.head = status, status >= 200 and status < 300, body, head
  res.info, res.method, res.url, res.call = info, method, url, call
  return setmetatable(res, Response)
end

---@param value any
---@return boolean
function response_class.is(value)
  return type(value) == "table" and getmetatable(value) == Response
end

---Raises the error of a call that failed; else its results.
function response_class.raised(...)
  local value, err = ...
  if value == nil and err ~= nil then error(err, 0) end
  return ...
end

return response_class
