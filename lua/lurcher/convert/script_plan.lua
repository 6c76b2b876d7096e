--- What the requests of one script have in common: the base of their URLs, headers and options, which a client takes
--- over for them.

local lua_text = require "lurcher.convert.lua_text"
local options = require "lurcher.http.options"
local sorted_keys = require("lurcher.base.tables").sorted_keys

local script_plan = {}

local MIN_USUAL = 4 -- requests that have a header which others lack

---@class lurcher.ScriptClient
---@field base string
---@field name string
---@field requests table[]
---@field opts table options that all of its requests have

local function origin_of(url)
  return url:match("^[hH][tT][tT][pP][sS]?://[^/?#@$]+")
end

-- The folders of a URL's path that may be a part of a base.
local function folders_of(url, origin)
  local folders = {}
  local path = url:sub(#origin + 1):match("^[^?#]*")
  for folder in path:gmatch("/([^/]*)%f[/]") do
    if folder == "" or folder:find("^%.+$") or folder:find("[%%$]") then break end
    folders[#folders + 1] = folder
  end
  return folders
end

-- The origin of all requests with the folders that they have in common.
local function common_base(origin, requests)
  local common
  for _, request in ipairs(requests) do
    local folders = folders_of(request.url, origin)
    common = common or folders
    for i = 1, #common do
      if common[i] ~= folders[i] then
        for k = #common, i, -1 do common[k] = nil end
        break
      end
    end
  end
  return origin .. (common[1] and "/" .. table.concat(common, "/") or "")
end

---The URL as a client with that base takes it.
---@param base string
---@param url string
---@return string
function script_plan.relative(base, url)
  local rest = url:sub(#base + 1)
  local plain = rest:match("^/([^/?#].*)$")
  return plain and not plain:find("^%a[%w+.-]*://") and plain or rest
end

-- Takes what is the same in all requests out of them. `written` gives a value's source, by which they are compared.
local function hoist_entries(tables, written)
  local common = {}
  for name, value in pairs(tables[1]) do
    local source, is_common = written(value), true
    for i = 2, #tables do
      local other = tables[i][name]
      is_common = is_common and other ~= nil and written(other) == source
    end
    if is_common then common[name] = value end
  end
  for name in pairs(common) do
    for _, entries in ipairs(tables) do entries[name] = nil end
  end
  return common
end

local function copied(opts)
  local copy = {}
  for name, value in pairs(opts) do copy[name] = value end
  if type(opts.headers) == "table" then
    copy.headers = {}
    for name, value in pairs(opts.headers) do copy.headers[name] = value end
  end
  return copy
end

-- Headers that are sent in any case, or that belong to one body: not sending them is another request.
local OWN = { accept = true, ["accept-encoding"] = true, ["user-agent"] = true, ["content-type"] = true, host = true }

local function has_name(headers, name)
  for known in pairs(headers) do
    if known:lower() == name:lower() then return true end
  end
  return false
end

-- The value that most have, and how many have none.
local function usual_value(tables, name, written)
  local counts, best, missing = {}, nil, 0
  for _, headers in ipairs(tables) do
    local value = headers[name]
    if value == nil then
      missing = missing + (has_name(headers, name) and 0 or 1)
    else
      local source = written(value)
      counts[source] = (counts[source] or 0) + 1
      if not best or counts[source] > counts[written(best)] then best = value end
    end
  end
  return best, counts[written(best)], missing
end

-- Takes what nearly all have out of them; those few that do not send it say so.
local function hoist_usual(tables, common, written)
  local names = {}
  for _, headers in ipairs(tables) do
    for name in pairs(headers) do names[name] = not OWN[name:lower()] and not has_name(common, name) or nil end
  end
  for _, name in ipairs(sorted_keys(names)) do
    local value, count, missing = usual_value(tables, name, written)
    if not has_name(common, name) and value and count >= MIN_USUAL and missing * 4 <= count then
      common[name] = value
      for _, headers in ipairs(tables) do
        if headers[name] ~= nil and written(headers[name]) == written(value) then
          headers[name] = nil
        elseif not has_name(headers, name) then
          headers[name] = false
        end
      end
    end
  end
end

local function hoist_headers(requests, written)
  local headers = {}
  for i, request in ipairs(requests) do
    if type(request.opts.headers) ~= "table" then return nil end
    headers[i] = request.opts.headers
  end
  local common = hoist_entries(headers, written)
  hoist_usual(headers, common, written)
  for _, request in ipairs(requests) do
    if next(request.opts.headers) == nil then request.opts.headers = nil end
  end
  return next(common) ~= nil and common or nil
end

local function hoist_options(requests, written)
  local opts = {}
  for i, request in ipairs(requests) do
    opts[i] = {}
    for name, value in pairs(request.opts) do
      local is_shared = name ~= "headers" and name ~= "params" and options.is_client_option(name)
      if is_shared then opts[i][name], request.opts[name] = value, nil end
    end
  end
  local common = hoist_entries(opts, written)
  for i, request in ipairs(requests) do
    for name, value in pairs(opts[i]) do request.opts[name] = value end
  end
  return common
end

-- The name of a client among several: what its host is called.
local function client_name(origin, is_only, taken)
  return lua_text.name(is_only and "api" or origin:match("//([^:]*)"):gsub("^www%.", ""), taken)
end

---Puts requests that go to one origin together; their options lose what the client has. A single one needs none.
---@param list table[] requests, whose opts are changed
---@param written fun(value: any): string
---@param taken table<string, any> names that are used already
---@return lurcher.ScriptClient[]
function script_plan.clients(list, written, taken)
  local by_origin, order = {}, {}
  for _, request in ipairs(list) do
    request.opts = copied(request.opts or {})
    local origin = origin_of(request.url)
    if origin and not by_origin[origin] then
      by_origin[origin] = { origin = origin, requests = {} }
      order[#order + 1] = by_origin[origin]
    end
    if origin then table.insert(by_origin[origin].requests, request) end
  end
  local clients = {}
  for _, client in ipairs(order) do
    if #client.requests > 1 then clients[#clients + 1] = client end
  end
  for _, client in ipairs(clients) do
    client.base = common_base(client.origin, client.requests)
    client.name = client_name(client.origin, #clients == 1, taken)
    taken[client.name] = true
    local headers = hoist_headers(client.requests, written)
    client.opts = hoist_options(client.requests, written)
    client.opts.headers = headers
    for name, value in pairs(client.requests[1].client or {}) do client.opts[name] = value end
    for _, request in ipairs(client.requests) do request.client_of = client end
  end
  return clients
end

return script_plan
