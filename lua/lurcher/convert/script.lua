--- Requests as a Lua script in the style of the examples: what a user would have written.

local data = require "lurcher.convert.data"
local errors = require "lurcher.base.errors"
local file = require "lurcher.http.file"
local json = require "lurcher.json"
local lua_text = require "lurcher.convert.lua_text"
local option_rows = require "lurcher.http.options.rows"
local parameters = require "lurcher.convert.parameters"
local scheme = require "lurcher.http.auth.scheme"
local script_body = require "lurcher.convert.script_body"
local script_plan = require "lurcher.convert.script_plan"
local secret = require "lurcher.base.secret"
local secret_names = require "lurcher.convert.secret_names"

local script = {}

local MAX_LOCALS = 60 -- functions that are locals of a script; Lua has room for 200

-- The order of options: what is sent first, the others as in the manual.
local ORDER = {}
for name in ("params headers auth json form multipart body"):gmatch("%S+") do ORDER[#ORDER + 1] = name end
for _, row in ipairs(option_rows) do ORDER[#ORDER + 1] = row[1] end
local PLACE = {}
for place, name in ipairs(ORDER) do PLACE[name] = PLACE[name] or place end

local VERBS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true }

---@class lurcher.Script
---@field private names lurcher.SecretNames
---@field private variables table<string, string> environment variable -> local variable
---@field private order string[] environment variables by their first use
---@field private taken table<string, any> names of locals
---@field private known string[] parameters of the request that is written
---@field private left_out string[] what cannot be written, of that request
local Script = {}
Script.__index = Script

-- ---- values ----

-- The local variable that holds an environment variable.
function Script:variable(name)
  if not self.variables[name] then
    local variable = lua_text.name(name, self.taken)
    self.taken[variable], self.variables[name] = true, variable
    self.order[#self.order + 1] = name
  end
  return self.variables[name]
end

-- Source of pieces: texts and variables, joined.
function Script:joined(pieces)
  local out, literal = {}, ""
  for _, piece in ipairs(pieces) do
    local name = self.names:of(piece)
    if not name then
      literal = literal .. (type(piece) == "string" and piece or piece.text)
    else
      if literal ~= "" then out[#out + 1] = lua_text.string(literal) end
      out[#out + 1], literal = self:variable(name), ""
    end
  end
  if literal ~= "" or not out[1] then out[#out + 1] = lua_text.string(literal) end
  return table.concat(out, " .. ")
end

-- Pieces in which parameters are variables, too.
function Script:split(pieces)
  if not self.known[1] then return pieces end
  local result = {}
  for _, piece in ipairs(pieces) do
    local text = type(piece) == "string" and piece or piece.text
    local parts = parameters.pieces(text, self.known)
    local has_parameter = parts[2] or type(parts[1]) ~= "string"
    for _, part in ipairs(has_parameter and parts or { piece }) do result[#result + 1] = part end
  end
  return result
end

function Script:text(value, name)
  return self:joined(self:split(secret_names.split(value, name or "SECRET")))
end

-- A value that is a secret whatever it is marked as.
function Script:hidden(value, name)
  return self:joined(self:split { { name = name, text = secret.reveal(value) } })
end

function Script:user(value)
  return self:joined(self:split(self.names:pieces(value, "USER")))
end

function Script:file(value)
  local opts = {}
  for _, name in ipairs { "offset", "length", "type" } do
    if value[name] and value[name] ~= 0 then opts[name] = value[name] end
  end
  local path = self:text(value.path)
  if next(opts) == nil then return ("http.file(%s)"):format(path) end
  return ("http.file(%s, %s)"):format(path, self:value(opts, "", 0))
end

-- Source of a body that is put together of texts and files, read when the script runs.
function Script:data(value)
  local out = {}
  for i, piece in ipairs(value.pieces) do
    if type(piece) == "string" then
      out[i] = self:text(piece)
    else
      local source = ("assert(fs.read(%s))"):format(self:text(piece.path))
      out[i] = piece.strips and ('(%s:gsub("[\\r\\n%%z]+", ""))'):format(source) or source
      self.needs_fs = true
    end
  end
  return table.concat(out, " .. ")
end

-- Source of what is neither plain data nor a text; nil for others.
function Script:special(value)
  if secret.is(value) then return self:text(value) end
  if type(value) == "table" then
    if file.is(value) then return self:file(value) end
    if data.is(value) then return self:data(value) end
    local metatable = getmetatable(value)
    if type(metatable) == "table" and metatable.__tojson then
      return self:value(assert(json.decode(json.body(value))), "", 0)
    end
  end
  return nil
end

function Script:value(value, indent, before)
  local writer = {
    text = function(text) return self:text(text) end,
    special = function(special) return self:special(special) end,
  }
  local source = lua_text.value(writer, value, indent, before)
  self.needs_json = self.needs_json or writer.needs_json
  return source
end

-- ---- credentials ----

local auth_source = {
  basic = function(self, given)
    return ("{ %s, %s }"):format(self:user(given[1]), self:hidden(given[2], "PASSWORD"))
  end,
  digest = function(self, given)
    return ("http.digest(%s, %s)"):format(self:user(given[1]), self:hidden(given[2], "PASSWORD"))
  end,
  bearer = function(self, given)
    if not given[1] then return ("http.bearer(%s)"):format(self:variable "TOKEN") end
    return ("http.bearer(%s)"):format(self:hidden(given[1], "TOKEN"))
  end,
  netrc = function(self, given)
    return ("http.netrc(%s)"):format(given[1] and self:text(given[1]) or "")
  end,
}

local SECRET_ARGUMENTS = { secret_key = "AWS_SECRET_ACCESS_KEY", session_token = "AWS_SESSION_TOKEN",
  client_secret = "CLIENT_SECRET", refresh_token = "REFRESH_TOKEN" }

-- A scheme whose function takes a table.
local function of_options(self, given, indent)
  local opts, entries = given[1], {}
  for name in pairs(opts) do entries[#entries + 1] = name end
  table.sort(entries)
  for i, name in ipairs(entries) do
    local hidden = SECRET_ARGUMENTS[name]
    entries[i] = ("%s = %s"):format(name, hidden and self:hidden(opts[name], hidden) or self:value(opts[name], "", 0))
  end
  return ("http.%s %s"):format(given.name, lua_text.braces(entries, indent, 30))
end

-- Source of the option auth; nil when it cannot be written.
function Script:auth(value, indent)
  if value == false then return "false" end
  if type(value) == "table" and value[1] ~= nil then return auth_source.basic(self, value) end
  local given = scheme.described(value)
  if not given then return nil end
  return (auth_source[given.name] or of_options)(self, given, indent)
end

-- ---- options ----

local function hidden_names(opts)
  local hidden = {}
  for _, name in ipairs(opts.secret_headers or {}) do hidden[name:lower()] = true end
  return hidden
end

function Script:header(name, value, hidden)
  if type(value) == "table" and not secret.is(value) then
    local lines = {}
    for i, line in ipairs(value) do lines[i] = self:header(name, line, hidden) end
    return "{ " .. table.concat(lines, ", ") .. " }"
  end
  if type(value) ~= "string" and not secret.is(value) then return self:value(value, "", 0) end
  return self:joined(self:split(secret_names.of_header(name, value, hidden)))
end

function Script:headers(given, indent, hidden)
  if type(given) ~= "table" then return tostring(given) end
  local names = {}
  for name in pairs(given) do names[#names + 1] = name end
  table.sort(names)
  for i, name in ipairs(names) do
    names[i] = lua_text.key(name) .. self:header(name, given[name], hidden)
  end
  return lua_text.braces(names, indent, #"headers = ")
end

local function password_in(self, value)
  local url = secret.reveal(value)
  local before, password, after = url:match("^([^@]*//[^:/@]*:)([^@]*)(@.*)$")
  if not before then return self:text(value, "PROXY") end
  return self:joined(self:split { before, { name = "PROXY_PASSWORD", text = password }, after })
end

local function is_unwritable(value)
  if type(value) == "function" then return true end
  if type(value) == "userdata" then return value ~= json.null end
  if type(value) ~= "table" or secret.is(value) or file.is(value) then return false end
  for _, item in next, value do
    if is_unwritable(item) then return true end
  end
  return false
end

-- Source of one option; nil when it cannot be written.
function Script:option(name, value, indent, opts)
  if name == "auth" then return self:auth(value, indent) end
  if is_unwritable(value) then return nil end
  if name == "headers" then return self:headers(value, indent, hidden_names(opts)) end
  if name == "proxy" and (type(value) == "string" or secret.is(value)) then return password_in(self, value) end
  return self:value(value, indent, #name + 3)
end

-- Entries of a table of options, in their order.
function Script:options(opts, indent)
  local names, entries = {}, {}
  for name in pairs(opts) do names[#names + 1] = name end
  table.sort(names, function(a, b)
    local first, second = PLACE[a] or math.huge, PLACE[b] or math.huge
    if first ~= second then return first < second end
    return tostring(a) < tostring(b)
  end)
  for _, name in ipairs(names) do
    local source = self:option(name, opts[name], indent, opts)
    if source then
      entries[#entries + 1] = name .. " = " .. source
    else
      self.left_out[#self.left_out + 1] = ("%s is a function of the program that made the request"):format(name)
    end
  end
  return entries
end

-- ---- calls ----

function Script:url(url)
  local scheme_part, user, password, rest = url:match("^(%a[%w+.-]*://)([^/?#@:]*):([^/?#@]*)(@.*)$")
  local pieces
  if scheme_part then
    pieces = secret_names.of_url(rest)
    table.insert(pieces, 1, scheme_part .. user .. ":")
    table.insert(pieces, 2, { name = "PASSWORD", text = password })
  else
    pieces = secret_names.of_url(url)
  end
  return self:joined(self:split(pieces))
end

-- Source of the call that sends a request.
function Script:call(request, indent)
  self.known, self.left_out = request.parameters or {}, {}
  local client = request.client_of
  local url = self:url(client and script_plan.relative(client.base, request.url) or request.url)
  local entries = self:options(script_body.readable(request.opts), indent .. "  ")
  local method = request.method
  local first
  if VERBS[method] then
    first = (client and client.name .. ":" or "http.") .. method:lower() .. "(" .. url
  else
    first = ("%s(%s, %s"):format(client and client.name .. ":request" or "http.request", lua_text.string(method), url)
  end
  if not entries[1] then return first .. ")" end
  return ("%s, %s)"):format(first, lua_text.braces(entries, indent, #first + 12))
end

-- Makes the client for several requests.
function Script:client(client)
  self.known = client.requests[1].parameters or {}
  self.left_out = {}
  local opts = client.opts
  local entries = self:options(opts, "  ")
  if client.base ~= "" then table.insert(entries, 1, "base_url = " .. self:text(client.base)) end
  return ("local %s = http.client %s"):format(client.name, lua_text.braces(entries, "", #client.name + 22))
end

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

-- The function's name for a request: get_users.
local function function_name(request, taken)
  local words = {}
  local client = request.client_of
  local path = client and client.base ~= "" and script_plan.relative(client.base, request.url):match("^[^?#]*")
    or request.url:match("^%a[%w+.-]*://[^/?#]*([^?#]*)") or request.url
  for folder in path:gmatch("[^/]+") do
    local word = folder:gsub("%%%x%x", "_"):gsub("%.%a+$", "")
    local is_id = word:find("^%d+$") or #word >= 16 and word:find("^[%x-]+$")
    if not is_id then words[#words + 1] = word end
  end
  words[1] = words[1] or "root"
  while #words > WORDS_IN_NAMES do table.remove(words, 1) end
  local name = (request.method .. "_" .. table.concat(words, "_")):sub(1, BYTES_IN_NAMES)
  return lua_text.name(name, taken)
end

-- The lines that read the environment.
function Script:environment()
  local lines = {}
  for _, name in ipairs(self.order) do
    lines[#lines + 1] = ('local %s = assert(os.getenv "%s", "set %s")'):format(self.variables[name], name, name)
  end
  if lines[1] then table.insert(lines, 1, "-- secrets, which are not in the script") end
  return lines
end

local function shown_url(url)
  return (require("lurcher.base.redact").url(url):gsub("%c", ""))
end

-- What the script is for, and how it is started.
function Script:title(text)
  local lines = { comment(text) }
  local settings = {}
  for i, name in ipairs(self.order) do settings[i] = name .. "=…" end
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

function Script:assemble(title, body)
  local out = self:title(title)
  add(out, "", self.needs_fs and requiring "fs" or {}, requiring "http", self.needs_json and requiring "json" or {},
    self.needs_pages and requiring "pages" or {})
  local environment = self:environment()
  if environment[1] then add(out, "", environment) end
  add(out, "", body)
  return table.concat(out, "\n") .. "\n"
end

-- The loop over the items of all pages of a request. `pages` has the source of `next`, and the path of the items.
function Script:of_pages(request)
  self.known, self.left_out = request.parameters or {}, {}
  local client, url = request.client_of, self:url(request.url)
  local entries = self:options(script_body.readable(request.opts), "  ")
  if request.method ~= "GET" then table.insert(entries, 1, "method = " .. lua_text.string(request.method)) end
  if request.pages.items then table.insert(entries, 1, "items = " .. lua_text.string(request.pages.items)) end
  table.insert(entries, 1, "next = " .. request.pages.next)
  self.needs_json, self.needs_pages = true, true
  local first = ("for item in pages.items(%s, %s, "):format(client and client.name or "http", url)
  local lines = comments_of(request, self.left_out)
  add(lines, first .. lua_text.braces(entries, "", #first + 4) .. ") do", "  print(json.encode(item))", "end")
  return lines
end

-- A single request: a call, and its body.
function Script:of_one(request)
  local body = {}
  if request.client and next(request.client) ~= nil then
    request.client_of = { name = "api", base = "", opts = request.client, requests = { request } }
    add(body, self:client(request.client_of))
  end
  local title = ("%s %s"):format(request.method, shown_url(request.url))
  if request.pages then
    add(body, self:of_pages(request))
    return self:assemble(title .. ", page by page", body)
  end
  local call = self:call(request, "")
  add(body, comments_of(request, self.left_out), "local res = assert(" .. call .. ")",
    request.method == "HEAD" and "print(res.status, res.headers)" or "print(res.body)")
  return self:assemble(title, body)
end

-- A function for each request, and the calls of all.
function Script:of_several(list, clients)
  local body, calls, is_table = {}, {}, #list > MAX_LOCALS
  for _, client in ipairs(clients) do add(body, self:client(client)) end
  if is_table then add(body, "local requests = {}") end
  for _, request in ipairs(list) do
    local name = request.name and lua_text.name(request.name, self.taken) or function_name(request, self.taken)
    self.taken[name] = true
    local call = self:call(request, "  ")
    calls[#calls + 1] = ("print(assert(%s%s()))"):format(is_table and "requests." or "", name)
    add(body, body[1] and "" or {}, comments_of(request, self.left_out),
      (is_table and "function requests." or "local function ") .. name .. "()", "  return " .. call, "end")
  end
  add(body, "", calls)
  return self:assemble(("%d requests, a function each, which are sent one after the other"):format(#list), body)
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
  local self = setmetatable({ names = names, variables = {}, order = {},
    taken = { http = true, fs = true, json = true, pages = true, item = true, res = true, requests = true,
      print = true, assert = true, os = true },
    known = {}, left_out = {} }, Script)
  if #requests == 1 then return self:of_one(requests[1]) end
  local function written(value)
    local draft = setmetatable({ names = secret_names.new(true), variables = {}, order = {}, taken = {}, known = {},
      left_out = {} }, Script)
    if type(value) == "table" and scheme.described(value) then return draft:auth(value, "") end
    if is_unwritable(value) then return tostring(value) end
    return draft:value(value, "", 0)
  end
  local clients = script_plan.clients(requests, written, self.taken)
  return self:of_several(requests, clients)
end

return script
