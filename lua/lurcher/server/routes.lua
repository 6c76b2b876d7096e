--- Handlers by method and path: `{ ["GET /users/{id}"] = function(req) return { json = find(req.params.id) } end }`.

local answer = require "lurcher.server.answer"
local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"

local routes = {}

---@class lurcher.server.Route
---@field method string? nil: any
---@field segments table[] each of kind "text", "one" or "rest", and text or name
---@field handler function

-- What comes first when several routes fit: text before a parameter, that before a rest.
local RANK = { text = "1", one = "2", rest = "3" }

-- They may be written in lower case, as in requests.
local USUAL = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true }

-- HEAD before GET, which answers it as well; a route of any method last.
local function method_rank(method)
  if method == "HEAD" then return "0" end
  return method and "1" .. method or "2"
end

local function refuse(key, why)
  errors.raise(("server: the route %q %s"):format(key, why))
end

local function segment_of(key, text, is_last)
  local name, rest = text:match("^{([%a_][%w_]*)(%*?)}$")
  if not name then
    if text:find("[{}]") then refuse(key, "has a segment that is neither text nor a {name}: " .. text) end
    return { kind = "text", text = text }
  end
  if rest ~= "" and not is_last then refuse(key, ("goes on behind {%s*}, which takes all the rest"):format(name)) end
  return { kind = rest ~= "" and "rest" or "one", name = name }
end

local function split(path)
  local list = {}
  for segment in (path:sub(2) .. "/"):gmatch("([^/]*)/") do list[#list + 1] = segment end
  return list
end

local function handler_of(key, given)
  if not check.mismatch(given, "callable") then return given end
  if type(given) ~= "table" and type(given) ~= "string" then
    refuse(key, "needs a handler or a response, got " .. check.shown(given))
  end
  local ok, problem = pcall(answer.normalize, given)
  if not ok then refuse(key, "has a response that cannot be: " .. tostring(problem)) end
  return function() return given end
end

local function compile(key, given)
  if type(key) ~= "string" then
    errors.raise('server: routes are given by name: { ["GET /users/{id}"] = handler }')
  end
  local method, path = key:match("^(%S+)%s+(/.*)$")
  path = path or key
  if path:sub(1, 1) ~= "/" or path:find("[%s?#]") then refuse(key, 'is not written "/path" or "METHOD /path"') end
  if method and USUAL[method:upper()] then method = method:upper() end
  local texts, segments, ranks = split(path), {}, {}
  for i, text in ipairs(texts) do
    segments[i] = segment_of(key, text, i == #texts)
    ranks[i] = RANK[segments[i].kind] .. (segments[i].text or "")
  end
  return { method = method and method ~= "*" and method or nil, segments = segments, handler = handler_of(key, given),
    rank = table.concat(ranks, "\0") .. "\0" .. method_rank(method) }
end

-- ---- matching ----

local function decoded(text)
  return (text:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- The parameters of a path that fits; or nil. `parts` are the path's segments as they were sent.
local function fits(route, parts)
  local segments, params = route.segments, {}
  local last = segments[#segments]
  if #parts < #segments or #parts > #segments and last.kind ~= "rest" then return nil end
  for i, segment in ipairs(segments) do
    if segment.kind == "text" then
      if segment.text ~= parts[i] and segment.text ~= decoded(parts[i]) then return nil end
    elseif segment.kind == "one" then
      if parts[i] == "" then return nil end
      params[segment.name] = decoded(parts[i])
    else
      params[segment.name] = decoded(table.concat(parts, "/", i))
    end
  end
  return params
end

local function serves(route, method)
  return not route.method or route.method == method or route.method == "GET" and method == "HEAD"
end

local function allowed(list)
  local names = {}
  for method in pairs(list) do names[#names + 1] = method end
  if list.GET and not list.HEAD then names[#names + 1] = "HEAD" end
  table.sort(names)
  return table.concat(names, ", ")
end

---A handler out of a table of routes.
---@param given table<string, function|table|string>
---@return fun(req: lurcher.server.Request): any
function routes.handler(given)
  check.argument(given, "table", 1, "server.routes")
  local list = {}
  for key, handler in pairs(given) do list[#list + 1] = compile(key, handler) end
  table.sort(list, function(a, b) return a.rank < b.rank end)
  return function(req)
    local parts, methods = split(req.path), {}
    for _, route in ipairs(list) do
      local params = fits(route, parts)
      if params and serves(route, req.method) then
        req.params = params
        return route.handler(req)
      elseif params then
        methods[route.method] = true
      end
    end
    if not next(methods) then return { status = 404, body = ("no route for %s %s\n"):format(req.method, req.path) } end
    local allow = allowed(methods)
    if req.method == "OPTIONS" then return { status = 204, headers = { Allow = allow .. ", OPTIONS" } } end
    return { status = 405, headers = { Allow = allow } }
  end
end

return routes
