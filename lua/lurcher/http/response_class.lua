--- The class of responses, apart from what they can do: most scripts look at `status` and `body` only, which are
--- fields of the response itself. See response.lua for the rest, which comes with the first use of it.

local response_class = {}

local Response = { __name = "lurcher.Response" }

response_class.metatable = Response

---Methods by name → what loads the module that defines them.
---@type table<string, function>
response_class.late = {}

-- What the response can do: the class, which response.lua has filled now. It is another one where a script has emptied
-- package.loaded meanwhile, as test frameworks do.
local function filled(self)
  local class = require("lurcher.http.response").metatable
  if class ~= Response then setmetatable(self, class) end
  return class
end

function Response.__index(self, key) return filled(self).__index(self, key) end

function Response:__tostring() return filled(self).__tostring(self) end

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

return response_class
