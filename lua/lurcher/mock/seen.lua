--- A request as the entries of a mock and their functions see it.

local json = require "lurcher.json"
local multipart = require "lurcher.mock.multipart"
local query = require "lurcher.url.query"
local redact = require "lurcher.base.redact"
local secret = require "lurcher.base.secret"
local trim = require("lurcher.base.text").trim

local seen = {}

---@class lurcher.mock.Request
---@field method string
---@field url string as it is sent, without a fragment
---@field path string percent-encoded
---@field query table<string, string|string[]> decoded parameters; a repeated one is a list
---@field headers table<string, string> as they are sent; names in any case
---@field body string "" when there is none
---@field captures table parts of the URL: by name for "/users/{id}", numbers for a pattern
---@field attempts integer which attempt of its call it is, from 1 on
---@field entry? lurcher.mock.Entry what answered it
local Request = {}

local any_case = {
  __index = function(headers, name)
    if type(name) == "string" then return rawget(headers, name:lower()) end
  end,
}

local ONCE = { host = true, ["content-length"] = true }

-- With those that the transport adds.
local function header_table(self)
  local found = { host = self.url:match "^%a[%w+.-]*://([^/?#]*)" }
  if self.body ~= "" then found["content-length"] = tostring(#self.body) end
  for i = 1, #self.lines, 2 do
    local name, value = self.lines[i]:lower(), trim(secret.reveal(self.lines[i + 1]))
    found[name] = found[name] and not ONCE[name] and found[name] .. ", " .. value or value
  end
  return setmetatable(found, any_case)
end

-- Made when they are first asked for.
local lazy = {
  query = function(self) return query.parse(self.url:match "%?(.*)$") end,
  path = function(self)
    local path = self.url:match "^%a[%w+.-]*://[^/?#]*([^?]*)"
    return path == "" and "/" or path
  end,
  headers = header_table,
}

local metatable = {
  __index = function(self, name)
    local make = lazy[name]
    if not make then return Request[name] end
    local value = make(self)
    self[name] = value
    return value
  end,
  __name = "lurcher.mock.Request",
  __tostring = function(self) return self.method .. " " .. redact.url(self.url) end,
}

---The body as JSON; nil and an error when it is none.
---@return any value
---@return lurcher.Error? err
function Request:json()
  return json.decode(self.body)
end

---The body as a form (urlencoded or multipart): decoded fields; a repeated one is a list.
---@return table<string, string|string[]>
function Request:form()
  if (self.headers["content-type"] or ""):lower():find "^multipart/" then return multipart.form(self) end
  return query.parse(self.body)
end

-- The header lines that go out, as a flat list.
local function lines_of(request)
  local lines = {}
  for _, value in ipairs(request:flat_headers()) do lines[#lines + 1] = value end
  local function set(name, value)
    if not value then return end
    for i = #lines - 1, 1, -2 do
      if lines[i]:lower() == name:lower() then
        table.remove(lines, i + 1)
        table.remove(lines, i)
      end
    end
    lines[#lines + 1], lines[#lines + 2] = name, value
  end
  set("Content-Type", request.content_type)
  set("Cookie", request.cookie)
  set("Authorization", request.authorization)
  return lines
end

---@param request lurcher.Request
---@param body string
---@return lurcher.mock.Request
function seen.of(request, body)
  return setmetatable({ method = request.method, url = request.url, body = body, captures = {},
    attempts = request.attempts, lines = lines_of(request) }, metatable)
end

return seen
