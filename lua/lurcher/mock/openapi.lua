--- A server that an OpenAPI document (3.x, or Swagger 2.0) describes: its examples and schemas answer, and what it does
--- not know is refused.

local answer = require "lurcher.mock.answer"
local errors = require "lurcher.base.errors"
local json = require "lurcher.json"
local native = require "lurcher.native.url"
local sample = require "lurcher.mock.sample"
local schema = require "lurcher.mock.schema"
local url = require "lurcher.url"

local openapi = {}

local METHODS = { "get", "head", "post", "put", "patch", "delete", "options", "trace" }
local MAGIC = "[%^%$%(%)%%%.%[%]%*%+%-%?]"

---@class lurcher.mock.Document
local Document = {}
Document.__index = Document

local function as_table(value) return type(value) == "table" and value or {} end

-- The part of the document that a reference names; anything else as it is.
local function resolve(self, value)
  local hops = 0
  while type(value) == "table" and type(value["$ref"]) == "string" and hops < 32 do
    local target = self.root
    local pointer = value["$ref"]:match "^#/(.*)$"
    for step in (pointer or ""):gmatch "[^/]+" do
      step = url.decode(step):gsub("~1", "/"):gsub("~0", "~")
      target = type(target) == "table" and (target[step] or target[(tonumber(step) or -2) + 1]) or nil
    end
    value, hops = pointer and target or nil, hops + 1
  end
  return value
end

-- Where the operations are: origin (nil: any) and path before theirs.
local function bases_of(root)
  local bases = {}
  if root.swagger then
    local path = type(root.basePath) == "string" and root.basePath:gsub("/$", "") or ""
    for _, scheme in ipairs(type(root.schemes) == "table" and root.schemes or { "https", "http" }) do
      bases[#bases + 1] = { origin = type(root.host) == "string" and native.origin(scheme .. "://" .. root.host) or nil,
        path = path }
    end
    return bases
  end
  for _, given in ipairs(as_table(root.servers)) do
    local one = as_table(given)
    local address = type(one.url) == "string" and one.url or "/"
    address = address:gsub("{([^}]*)}", function(name)
      local variable = as_table(as_table(one.variables)[name])
      return variable.default and tostring(variable.default) or nil
    end)
    local parsed = address:find "^%a[%w+.-]*://" and url.parse(address)
    local path = parsed and parsed.path or address:match "^[^?#]*"
    bases[#bases + 1] = { origin = parsed and native.origin(address) or nil, path = (path:gsub("/$", "")),
      shown = address }
  end
  if not bases[1] then bases[1] = { path = "" } end
  return bases
end

-- Parameters by place and name; those of the operation count before those of the path.
local function parameters_of(self, item, operation)
  local found, order = {}, {}
  for _, list in ipairs { as_table(item.parameters), as_table(operation.parameters) } do
    for _, given in ipairs(list) do
      local one = as_table(resolve(self, given))
      local key = tostring(one["in"]) .. " " .. tostring(one.name)
      if not found[key] then order[#order + 1] = key end
      found[key] = one
    end
  end
  return found, order
end

local function compile(self, path, method, item, operation)
  local bare = path:gsub("[#?].*$", "")
  local count = select(2, bare:gsub("{[^}]*}", ""))
  local pattern = bare:gsub(MAGIC, "%%%0"):gsub("{[^}]*}", "[^/]+")
  local parameters, order = parameters_of(self, item, operation)
  return { method = method:upper(), path = path, pattern = "^" .. pattern .. "$", count = count, operation = operation,
    parameters = parameters, order = order }
end

local function each_operation(self)
  local list = {}
  for path, item in pairs(as_table(self.root.paths)) do
    item = as_table(resolve(self, item))
    for _, method in ipairs(METHODS) do
      local operation = type(path) == "string" and item[method]
      if type(operation) == "table" then list[#list + 1] = compile(self, path, method, item, operation) end
    end
  end
  table.sort(list, function(a, b)
    if a.count ~= b.count then return a.count < b.count end
    if a.path ~= b.path then return a.path < b.path end
    return a.method < b.method
  end)
  return list
end

-- Names of query parameters that hold credentials.
local function key_names(root)
  local names = {}
  local schemes = as_table(as_table(root.components).securitySchemes)
  for _, one in pairs(next(schemes) and schemes or as_table(root.securityDefinitions)) do
    if type(one) == "table" and one["in"] == "query" then names[tostring(one.name)] = true end
  end
  return names
end

-- Whether it begins as documents in YAML do.
local function is_yaml(text)
  for line in text:sub(1, 4096):gmatch "[^\r\n]+" do
    if not line:find "^%s*#" then return line:find "^%-%-%-" ~= nil or line:find "^[%w_$\"']+%s*:" ~= nil end
  end
  return false
end

---@param document table|string the document, or its JSON
---@return lurcher.mock.Document
function openapi.new(document)
  if type(document) == "string" then
    local decoded, err = json.decode(document)
    if err and is_yaml(document) then
      errors.raise("mock.from_openapi: the document is YAML, and has to be JSON; convert it first, with yq say "
        .. "(see: lurcher help mock)")
    elseif err then
      errors.raise("mock.from_openapi: the document is no JSON: " .. err.message)
    end
    document = decoded
  end
  if type(document) ~= "table" or type(document.paths) ~= "table" or not (document.openapi or document.swagger) then
    errors.raise("mock.from_openapi: that is no OpenAPI document: it has no \"openapi\" (or \"swagger\") and \"paths\"")
  end
  local self = setmetatable({ root = document, bases = bases_of(document), keys = key_names(document) }, Document)
  self.resolve = function(value) return resolve(self, value) end
  self.operations = each_operation(self)
  local info = as_table(document.info)
  self.name = ("the document '%s'"):format(tostring(info.title or "OpenAPI"))
  return self
end

-- ---- what a request asks for ----

-- Its path below one of the document's servers; nil: it is for none.
local function path_below(self, req)
  local origin = native.origin(req.url)
  for _, base in ipairs(self.bases) do
    local fits = not base.origin or base.origin == origin
    if fits and req.path:sub(1, #base.path) == base.path and (req.path:sub(#base.path + 1, #base.path + 1) == "/") then
      return req.path:sub(#base.path + 1)
    end
  end
end

-- The operation; or nil, and in words what the document has instead.
local function find_operation(self, req)
  local path = path_below(self, req)
  if not path then
    local base = self.bases[1]
    return nil, "its server is " .. (base.shown or (base.origin or "") .. base.path)
  end
  local others, near = {}, nil
  for _, one in ipairs(self.operations) do
    local fixed = one.path:match "^[^{]*"
    if path:find(one.pattern) then
      if one.method == req.method then return one end
      others[#others + 1] = one.method
    elseif one.method == req.method and (not near or path:sub(1, #fixed) == fixed) then
      near = one
    end
  end
  if others[1] then return nil, "for this path it knows " .. table.concat(others, ", ") end
  return nil, near and ("the nearest is %s %s"):format(near.method, near.path) or "it has no such method"
end

local function given(req, place, name)
  if place == "query" then return req.query[name] end
  if place == "header" then return req.headers[name] end
  return true -- of the path, which fits; cookies are a jar's
end

local IGNORED = { accept = true, ["content-type"] = true, authorization = true }

-- What of its parameters is missing, or not known.
local function check_parameters(self, one, req)
  for _, key in ipairs(one.order) do
    local parameter = one.parameters[key]
    local place, name = parameter["in"], tostring(parameter.name)
    local value = given(req, place, name)
    local is_asked = (place == "query" or place == "header") and not (place == "header" and IGNORED[name:lower()])
    if is_asked and parameter.required == true and value == nil then
      return ("the %s parameter '%s' is missing"):format(place, name)
    end
    if is_asked and type(value) == "string" then
      local problem = schema.check_text(self, parameter.schema or parameter, value)
      if problem then return ("the %s parameter '%s' %s"):format(place, name, problem) end
    end
  end
  for name in pairs(req.query) do
    local bare = name:match "^[^%[]*"
    local is_known = one.parameters["query " .. name] or one.parameters["query " .. bare]
      or one.parameters["query " .. name .. "[]"] or self.keys[name]
    if not is_known and not one.path:find("[?&]" .. name:gsub("%p", "%%%0")) then
      return ("it does not know the query parameter '%s'"):format(name)
    end
  end
end

local function media_of(content, wanted)
  if content[wanted] then return content[wanted], wanted end
  local names = {}
  for name in pairs(content) do names[#names + 1] = tostring(name) end
  table.sort(names)
  for _, name in ipairs(names) do
    local pattern = "^" .. name:match "^[^;]*":gsub("%s+$", ""):gsub(MAGIC, "%%%0"):gsub("%%%*", ".*") .. "$"
    if wanted:find(pattern) then return content[name], name end
  end
  return nil, table.concat(names, ", ")
end

-- The body that Swagger 2.0 has among the parameters.
local function old_body(one)
  for _, key in ipairs(one.order) do
    local parameter = one.parameters[key]
    if parameter["in"] == "body" then
      return { required = parameter.required, content = { ["*/*"] = { schema = parameter.schema } } }
    elseif parameter["in"] == "formData" then
      return { content = { ["*/*"] = {} } }
    end
  end
end

local function check_body(self, one, req)
  local wanted = resolve(self, one.operation.requestBody)
  if type(wanted) ~= "table" then wanted = old_body(one) end
  if not wanted then return req.body ~= "" and "it knows no body here" or nil end
  if req.body == "" then return wanted.required == true and "the body is missing" or nil end
  local kind = (req.headers["content-type"] or "application/octet-stream"):lower():match "^[^;%s]*"
  local media, names = media_of(as_table(wanted.content), kind)
  if not media then return ("it knows no body of type '%s', but %s"):format(kind, names) end
  if not kind:find "json" or not media.schema then return nil end
  local value, err = json.decode(req.body)
  if err then return "the body is no JSON: " .. err.message end
  local place, problem = schema.check(self, media.schema, value, "body")
  return place and ("%s %s"):format(place, problem) or nil
end

-- ---- what it answers ----

-- "Prefer: code=404, example=name", as other mock servers have it.
local function preferences(req)
  local prefer = req.headers["prefer"] or ""
  return prefer:match "code=([2-9]%d%d)", prefer:match 'example="?([%w_.-]+)'
end

local function choose_status(responses, wanted)
  local names = {}
  for name in pairs(responses) do
    name = tostring(name)
    if name:find "^[2-9]%d%d$" or name:find "^[2-9][xX][xX]$" then names[#names + 1] = name end
  end
  table.sort(names)
  local function declared(name) return responses[name] or responses[tonumber(name) or name] end
  if wanted then return declared(wanted) or declared(wanted:sub(1, 1) .. "XX") or responses.default, wanted end
  for _, name in ipairs(names) do
    if name:find "^2%d%d$" then return declared(name), name end
  end
  local any = declared "2XX" or declared "2xx" or responses.default
  if any then return any, "200" end
  if not names[1] then return {}, "200" end
  return declared(names[1]), names[1]:find "^%d%d%d$" and names[1] or names[1]:sub(1, 1) .. "00"
end

local function example_of(self, media, name)
  local examples = as_table(media.examples)
  local names = {}
  for one in pairs(examples) do names[#names + 1] = tostring(one) end
  table.sort(names)
  local chosen = examples[name or ""] or media.example == nil and examples[names[1]]
  if chosen then
    chosen = as_table(resolve(self, chosen))
    if chosen.value ~= nil then return chosen.value end
  end
  if media.example ~= nil then return media.example end
  return media.schema and sample.of(self, media.schema)
end

local function headers_of(self, response)
  local headers = {}
  for name, one in pairs(as_table(response.headers)) do
    one = as_table(resolve(self, one))
    local value = example_of(self, { example = one.example, examples = one.examples, schema = one.schema or one })
    if type(value) ~= "table" and value ~= nil and type(name) == "string" and name:lower() ~= "content-type" then
      headers[name] = tostring(value)
    end
  end
  return headers
end

local function media_to_send(response, accept)
  local content = response.content
  if not content then -- Swagger 2.0
    if not response.schema and not response.examples then return nil end
    local examples = as_table(response.examples)
    local kind = examples["application/json"] ~= nil and "application/json" or next(examples) or "application/json"
    return { example = examples[kind], schema = response.schema }, kind
  end
  for kind in accept:gmatch "[^,;%s]+/[^,;%s]+" do
    if content[kind] then return content[kind], kind end
  end
  local media, kind = media_of(content, "application/json")
  if media then return media, kind end
  local first
  for name in pairs(content) do first = (not first or name < first) and name or first end
  return first and content[first], first
end

local function respond(self, one, req)
  local code, example = preferences(req)
  local response, status = choose_status(as_table(one.operation.responses), code)
  response = as_table(resolve(self, response))
  local headers = headers_of(self, response)
  local media, kind = media_to_send(response, req.headers["accept"] or "")
  local body
  if media then
    local value = example_of(self, media, example)
    headers["Content-Type"] = kind:find "%*" and "application/json" or kind
    if kind:find "json" or kind:find "%*" then
      body = value ~= nil and json.encode(value, { sort = true }) or nil
    else
      body = type(value) == "table" and json.encode(value, { sort = true }) or value ~= nil and tostring(value) or nil
    end
  end
  return answer.reply(self.name, tonumber(status), body or "", headers)
end

---The answer to a request; or nil and why it is refused.
---@param req lurcher.mock.Request
---@return table? answer
---@return string name, or why
function Document:answer(req)
  local one, instead = find_operation(self, req)
  if not one then
    return nil, ("%s does not know %s %s; %s"):format(self.name, req.method, req.path, instead)
  end
  local problem = check_parameters(self, one, req) or check_body(self, one, req)
  if problem then
    return nil, ("%s refuses %s %s (%s): %s"):format(self.name, req.method, req.path, one.path, problem)
  end
  return respond(self, one, req), self.name
end

---What was to be used and was not: nothing.
---@return string[]
function Document.missing() return {} end

return openapi
