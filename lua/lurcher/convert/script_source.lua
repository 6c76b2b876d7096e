--- Source of a script's parts: values, credentials, options, clients and calls. What is secret becomes a local variable
--- that the script reads from the environment.

local data = require "lurcher.convert.data"
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
local sorted_keys = require("lurcher.base.tables").sorted_keys

local script_source = {}

-- The order of options: what is sent first, the others as in the manual.
local ORDER = {}
for name in ("params headers auth json form multipart body"):gmatch("%S+") do ORDER[#ORDER + 1] = name end
for _, row in ipairs(option_rows) do ORDER[#ORDER + 1] = row[1] end
local PLACE = {}
for place, name in ipairs(ORDER) do PLACE[name] = PLACE[name] or place end

local VERBS = { GET = true, HEAD = true, POST = true, PUT = true, PATCH = true, DELETE = true, OPTIONS = true }

---@class lurcher.ScriptSource
---@field private names lurcher.SecretNames
---@field variables table<string, string> environment variable -> local variable
---@field order string[] environment variables by their first use
---@field taken table<string, any> names of locals
---@field private known string[] parameters of the request that is written
---@field left_out string[] what cannot be written, of that request
---@field needs_fs? boolean what is written uses lurcher.fs
---@field needs_json? boolean what is written uses lurcher.json
---@field needs_pages? boolean what is written uses lurcher.pages
local Source = {}
Source.__index = Source

---@param names lurcher.SecretNames
---@return lurcher.ScriptSource
function script_source.new(names)
  return setmetatable({ names = names, variables = {}, order = {}, taken = {}, known = {}, left_out = {} }, Source)
end

-- ---- values ----

-- The local variable that holds an environment variable.
function Source:variable(name)
  if not self.variables[name] then
    local variable = lua_text.name(name, self.taken)
    self.taken[variable], self.variables[name] = true, variable
    self.order[#self.order + 1] = name
  end
  return self.variables[name]
end

-- Source of pieces: texts and variables, joined.
function Source:joined(pieces)
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
function Source:split(pieces)
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

function Source:text(value, name)
  return self:joined(self:split(secret_names.split(value, name or "SECRET")))
end

-- A value that is a secret whatever it is marked as.
function Source:hidden(value, name)
  return self:joined(self:split { { name = name, text = secret.reveal(value) } })
end

function Source:user(value)
  return self:joined(self:split(self.names:pieces(value, "USER")))
end

function Source:file(value)
  local opts = {}
  for _, name in ipairs { "offset", "length", "type" } do
    if value[name] and value[name] ~= 0 then opts[name] = value[name] end
  end
  local path = self:text(value.path)
  if next(opts) == nil then return ("http.file(%s)"):format(path) end
  return ("http.file(%s, %s)"):format(path, self:value(opts, "", 0))
end

-- Source of a body that is put together of texts and files, read when the script runs.
function Source:data(value)
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
function Source:special(value)
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

function Source:value(value, indent, before)
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
  local opts = given[1]
  local entries = sorted_keys(opts)
  for i, name in ipairs(entries) do
    local hidden = SECRET_ARGUMENTS[name]
    entries[i] = ("%s = %s"):format(name, hidden and self:hidden(opts[name], hidden) or self:value(opts[name], "", 0))
  end
  return ("http.%s %s"):format(given.name, lua_text.braces(entries, indent, 30))
end

-- Source of the option auth; nil when it cannot be written.
function Source:auth(value, indent)
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

function Source:header(name, value, hidden)
  if type(value) == "table" and not secret.is(value) then
    local lines = {}
    for i, line in ipairs(value) do lines[i] = self:header(name, line, hidden) end
    return "{ " .. table.concat(lines, ", ") .. " }"
  end
  if type(value) ~= "string" and not secret.is(value) then return self:value(value, "", 0) end
  return self:joined(self:split(secret_names.of_header(name, value, hidden)))
end

function Source:headers(given, indent, hidden)
  if type(given) ~= "table" then return tostring(given) end
  local names = sorted_keys(given)
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
function Source:option(name, value, indent, opts)
  if name == "auth" then return self:auth(value, indent) end
  if is_unwritable(value) then return nil end
  if name == "headers" then return self:headers(value, indent, hidden_names(opts)) end
  if name == "proxy" and (type(value) == "string" or secret.is(value)) then return password_in(self, value) end
  return self:value(value, indent, #name + 3)
end

-- Entries of a table of options, in their order.
function Source:options(opts, indent)
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

function Source:url(url)
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
function Source:call(request, indent)
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

-- The loop over the items of all pages of a request. `pages` has the source of `next`, and the path of the items.
function Source:pages(request)
  self.known, self.left_out = request.parameters or {}, {}
  local client, url = request.client_of, self:url(request.url)
  local entries = self:options(script_body.readable(request.opts), "  ")
  if request.method ~= "GET" then table.insert(entries, 1, "method = " .. lua_text.string(request.method)) end
  if request.pages.items then table.insert(entries, 1, "items = " .. lua_text.string(request.pages.items)) end
  table.insert(entries, 1, "next = " .. request.pages.next)
  self.needs_json, self.needs_pages = true, true
  local first = ("for item in pages.items(%s, %s, "):format(client and client.name or "http", url)
  return { first .. lua_text.braces(entries, "", #first + 4) .. ") do", "  print(json.encode(item))", "end" }
end

-- Makes the client for several requests.
function Source:client(client)
  self.known = client.requests[1].parameters or {}
  self.left_out = {}
  local opts = client.opts
  local entries = self:options(opts, "  ")
  if client.base ~= "" then table.insert(entries, 1, "base_url = " .. self:text(client.base)) end
  return ("local %s = http.client %s"):format(client.name, lua_text.braces(entries, "", #client.name + 22))
end

---What a value is written as with its secrets shown: equal texts are equal values.
---@param value any
---@return string
function script_source.of_value(value)
  local draft = script_source.new(secret_names.new(true))
  if type(value) == "table" and scheme.described(value) then return draft:auth(value, "") end
  if is_unwritable(value) then return tostring(value) end
  return draft:value(value, "", 0)
end

return script_source
