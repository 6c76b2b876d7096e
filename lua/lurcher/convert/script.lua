--- Requests as a Lua script in the style of the examples: what a user would have written.

local errors = require "lurcher.base.errors"
local lua_text = require "lurcher.convert.lua_text"
local script_plan = require "lurcher.convert.script_plan"
local script_source = require "lurcher.convert.script_source"
local secret = require "lurcher.base.secret"
local secret_names = require "lurcher.convert.secret_names"

local script = {}

local MAX_LOCALS = 60 -- functions that are locals of a script; Lua has room for 200

-- ---- comments ----

-- A text as lines of comment.
local function comment(text)
  local lines, line = {}, "--"
  for word in text:gmatch("[^%c ]+") do
    if #line + #word >= lua_text.WIDTH and line ~= "--" then lines[#lines + 1], line = line, "--" end
    line = line .. " " .. word
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- What is told above a request.
local function comments_of(request, left_out)
  local lines = {}
  for _, text in ipairs(request.warnings or {}) do lines[#lines + 1] = comment(text) end
  for _, text in ipairs(left_out) do lines[#lines + 1] = comment(text) end
  return lines
end

-- ---- scripts ----

local WORDS_IN_NAMES, BYTES_IN_NAMES = 4, 40

local function path_of(url) return url:match("^%a[%w+.-]*://[^/?#]*([^?#]*)") or url end

-- The words of a path that are no numbers of things.
local function words_of(path)
  local words = {}
  for folder in path:gmatch("[^/]+") do
    local word = folder:gsub("%%%x%x", "_"):gsub("%.%a+$", "")
    local is_id = word:find("^%d+$") or #word >= 16 and word:find("^[%x-]+$")
    if not is_id then words[#words + 1] = word end
  end
  return words
end

-- The function's name for a request: get_users.
local function function_name(request, taken)
  local client = request.client_of
  local base = client and client.base ~= "" and client.base
  local words = words_of(base and script_plan.relative(base, request.url):match("^[^?#]*") or path_of(request.url))
  if not words[1] then
    local above = words_of(base and path_of(base) or "")
    words[1] = above[#above] or "root"
  end
  while #words > WORDS_IN_NAMES do table.remove(words, 1) end
  local name = (request.method .. "_" .. table.concat(words, "_")):sub(1, BYTES_IN_NAMES)
  return lua_text.name(name, taken)
end

-- The lines that read the environment.
local function environment_of(source)
  local lines = {}
  for _, name in ipairs(source.order) do
    lines[#lines + 1] = ('local %s = assert(os.getenv "%s", "set %s")'):format(source.variables[name], name, name)
  end
  if lines[1] then table.insert(lines, 1, "-- secrets, which are not in the script") end
  return lines
end

local function shown_url(url)
  return (require("lurcher.base.redact").url(url):gsub("%c", ""))
end

-- What the script is for, and how it is started.
local function title_of(source, text)
  local lines = { comment(text) }
  local settings = {}
  for i, name in ipairs(source.order) do settings[i] = name .. "=…" end
  if settings[1] then lines[2] = "--   " .. table.concat(settings, " ") .. " lurcher SCRIPT" end
  return lines
end

local function add(out, ...)
  for _, lines in ipairs { ... } do
    if type(lines) == "string" then lines = { lines } end
    for _, line in ipairs(lines) do out[#out + 1] = line end
  end
end

local function requiring(name)
  return ('local %s = require "lurcher.%s"'):format(name, name)
end

local function assemble(source, title, body)
  local out = title_of(source, title)
  add(out, "", source.needs_fs and requiring "fs" or {}, requiring "http", source.needs_json and requiring "json" or {},
    source.needs_pages and requiring "pages" or {})
  local environment = environment_of(source)
  if environment[1] then add(out, "", environment) end
  add(out, "", body)
  return table.concat(out, "\n") .. "\n"
end

-- A single request: a call, and its body.
local function of_one(source, request)
  local body = {}
  if request.client and next(request.client) ~= nil then
    request.client_of = { name = "api", base = "", opts = request.client, requests = { request } }
    add(body, source:client(request.client_of))
  end
  local title = ("%s %s"):format(request.method, shown_url(request.url))
  if request.pages then
    local loop = source:pages(request)
    add(body, comments_of(request, source.left_out), loop)
    return assemble(source, title .. ", page by page", body)
  end
  local call = source:call(request, "")
  add(body, comments_of(request, source.left_out), "local res = assert(" .. call .. ")",
    request.method == "HEAD" and "print(res.status, res.headers)" or "print(res.body)")
  return assemble(source, title, body)
end

-- A function for each request, and the calls of all.
local function of_several(source, list, clients)
  local body, calls, is_table = {}, {}, #list > MAX_LOCALS
  for _, client in ipairs(clients) do add(body, source:client(client)) end
  if is_table then add(body, "local requests = {}") end
  for _, request in ipairs(list) do
    local name = request.name and lua_text.name(request.name, source.taken) or function_name(request, source.taken)
    source.taken[name] = true
    local call = source:call(request, "  ")
    calls[#calls + 1] = ("print(assert(%s%s()))"):format(is_table and "requests." or "", name)
    add(body, body[1] and "" or {}, comments_of(request, source.left_out),
      (is_table and "function requests." or "local function ") .. name .. "()", "  return " .. call, "end")
  end
  add(body, "", calls)
  return assemble(source, ("%d requests, a function each, which are sent one after the other"):format(#list), body)
end

-- ---- public ----

local function checked(list)
  if type(list) ~= "table" then
    errors.raise("curl.script: a request is wanted, { method =, url =, opts = }, or a list of these; got a "
      .. type(list))
  end
  local copies = {}
  for i, request in ipairs(list[1] ~= nil and list or { list }) do
    if type(request) ~= "table" or type(request.method) ~= "string" then
      errors.raise(("curl.script: request %d needs method and url"):format(i))
    end
    local url = secret.reveal(request.url)
    if type(url) ~= "string" then errors.raise(("curl.script: request %d needs method and url"):format(i)) end
    local copy = {}
    for name, value in pairs(request) do copy[name] = value end
    copy.url, copy.opts = url, request.opts or {}
    copies[i] = copy
  end
  return copies
end

---The Lua script that sends the requests.
---@param list table a request `{ method =, url =, opts =, parameters =, warnings =, name = }`, or a list of these
---@param how? { secrets?: boolean } true: secrets are written as they are
---@return string
function script.of(list, how)
  local requests = checked(list)
  local names = secret_names.new(how and how.secrets or false, requests[1].variables)
  local source = script_source.new(names)
  for name in ("http fs json pages item res requests print assert os"):gmatch("%S+") do source.taken[name] = true end
  if #requests == 1 then return of_one(source, requests[1]) end
  return of_several(source, requests, script_plan.clients(requests, script_source.of_value, source.taken))
end

return script
