--- --session=NAME: cookies and defaults that outlive one command.
---
--- $XDG_STATE_HOME/lurcher/sessions/NAME.cookies is a cookie file. NAME.json beside it has, by origin, the headers
--- that were given last, and credentials as "env:NAME"; never a secret. $XDG_CONFIG_HOME/lurcher/NAME.lua is a
--- profile that people write: it returns options as http.client takes them.

local caret = require "lurcher.command.caret"
local fs = require "lurcher.fs"
local json = require "lurcher.json"
local merge_headers = require("lurcher.http.headers").merge
local native = require "lurcher.native.fs"
local overlay = require("lurcher.base.tables").overlay
local sorted_keys = require("lurcher.base.tables").sorted_keys

local session = {}

local MAX_FILE = 1024 * 1024
local SORTED = { sort = true }

-- ---- places ----

local function folder(variable, below_home)
  local given = os.getenv(variable)
  if given and given:sub(1, 1) == "/" then return given .. "/lurcher" end
  return (os.getenv "HOME" or "") .. "/" .. below_home .. "/lurcher"
end

local function refuse(option, message)
  caret.refuse(message, option.argument, #option.argument - #option.value + 1, #option.argument)
end

local function check_name(option)
  local name = option.value
  if name == "" or name:find("[/%c]") or name:find("^%.") or #name > 100 then
    refuse(option, "the name of a session has no '/', does not begin with a dot, and has at most 100 bytes")
  end
  return name
end

-- ---- profiles ----

local function load_profile(option, path)
  if not fs.exists(path) then return {} end
  local chunk, problem = loadfile(path)
  local ok, result = true, nil
  if chunk then
    local globals = { http = require "lurcher.http" }
    ok, result = pcall(setfenv(chunk, setmetatable(globals, { __index = _G })))
  end
  if not chunk or not ok then refuse(option, "the profile cannot be read: " .. tostring(problem or result)) end
  if type(result) ~= "table" then refuse(option, ("the profile %s returns no table of options"):format(path)) end
  return result
end

local MERGED = { headers = true, tls = true, timeout = true, retry = true, limits = true, resolve = true }

-- Headers of any spelling replace each other.
local function lay_headers(below, above)
  local merged, names = overlay(below), {}
  for name in pairs(merged) do names[name:lower()] = name end
  for name, value in pairs(above) do
    local known = names[name:lower()]
    if known then merged[known] = nil end
    merged[name] = value
  end
  return merged
end

-- Lays one option over a default.
local function lay(name, below, above)
  if above == nil then return below end
  if not MERGED[name] or type(below) ~= "table" or type(above) ~= "table" then return above end
  return (name == "headers" and lay_headers or overlay)(below, above)
end

-- Parameters in the order in which a client sends them: those of the profile by name, without what was typed again.
local function lay_params(below, above)
  if not below then return above end
  local merged, typed = {}, {}
  for _, pair in ipairs(above or {}) do typed[pair[1]] = true end
  if type(below[1]) == "table" then
    for _, pair in ipairs(below) do
      if not typed[pair[1]] then merged[#merged + 1] = pair end
    end
  else
    for _, name in ipairs(sorted_keys(below)) do
      if not typed[name] then merged[#merged + 1] = { name, below[name] } end
    end
  end
  for _, pair in ipairs(above or {}) do merged[#merged + 1] = pair end
  return merged
end

-- What a profile says, below what was typed.
local function apply_profile(record, option, profile)
  local options = require "lurcher.http.options"
  local ok, message = pcall(options.check_client, profile, "profile")
  if not ok then refuse(option, (message:gsub("^[^:]*:%d+: ", ""))) end
  for name, value in pairs(profile) do
    if name == "params" then
      record.opts.params = lay_params(value, record.opts.params)
    elseif options.is_request_option(name) then
      record.opts[name] = lay(name, value, record.opts[name])
    elseif name ~= "base_url" and name ~= "raise" then
      record.client = record.client or {}
      record.client[name] = lay(name, value, record.client[name])
    end
  end
end

-- ---- what is remembered ----

local SECRET = { "auth", "cookie", "token", "key", "secret", "passw", "credential", "signature", "session" }

-- Headers that belong to one request, or that may be a secret, are not.
local function is_kept(name)
  name = name:lower()
  for _, word in ipairs(SECRET) do
    if name:find(word, 1, true) then return false end
  end
  return not (name:find("^content%-") or name:find("^if%-") or name == "range" or name == "host")
end

local function read(path)
  local text = native.read(path, MAX_FILE)
  local value = text and json.decode(text)
  return type(value) == "table" and value or {}
end

-- "--auth=env:NAME" and the like, which hold no secret themselves.
local function reference(typed)
  local bearer, auth = typed.options.bearer, typed.options.auth
  if bearer then return bearer.value:find("^env:") and bearer.argument or false end
  if not auth then return nil end
  local is_reference = auth.value:find("^env:[^:]*$") or auth.value:find(":env:[^:]*$")
  return is_reference and auth.argument or false
end

local function kept_of(known, typed, headers)
  local kept = { headers = overlay(known.headers), credential = known.credential }
  for name, value in pairs(headers or {}) do
    for spelled in pairs(kept.headers) do
      if spelled:lower() == name:lower() then kept.headers[spelled] = nil end
    end
    if value and is_kept(name) and type(value) == "string" then kept.headers[name] = value end
  end
  local given = reference(typed)
  if given ~= nil then kept.credential = given or nil end
  return kept
end

-- The headers that a file holds, which may have been written by anybody.
local function headers_in(known)
  local headers = {}
  for name, value in pairs(type(known.headers) == "table" and known.headers or headers) do
    local is_text = type(name) == "string" and type(value) == "string"
    if is_text and is_kept(name) and pcall(merge_headers, {}, { [name] = value }) then headers[name] = value end
  end
  return headers
end

-- What was given for an origin before, below what was typed.
local function apply_known(record, known)
  if next(known.headers) ~= nil then
    record.opts.headers = lay_headers(known.headers, record.opts.headers or {})
  end
  local argument = type(known.credential) == "string" and known.credential
  if argument and record.opts.auth == nil then
    local name, value = argument:match("^%-%-(%a+)=(.*)$")
    if name == "auth" or name == "bearer" then
      local credentials = require "lurcher.command.request.credentials"
      record.opts.auth = credentials[name]({ value = value, argument = argument }, record.variables)
    end
  end
end

local function save(option, path, all)
  local ok, err = native.write(path, json.encode(all, { pretty = true, sort = true }) .. "\n", true)
  if not ok then refuse(option, "the session cannot be saved: " .. tostring(err)) end
end

local function origin_of(url)
  local canonical = require("lurcher.native.url").normalize(url)
  return canonical and canonical:match("^%a+://[^/?#]*"):gsub("//[^/]*@", "//")
end

-- What the files say. They are read once, also when many requests are made of one command line.
local function state_of(typed)
  local option = typed.options.session
  if not typed.session then
    local name = check_name(option)
    local place = folder("XDG_STATE_HOME", ".local/state") .. "/sessions"
    typed.session = { place = place, path = ("%s/%s.json"):format(place, name),
      cookies = ("%s/%s.cookies"):format(place, name),
      profile = load_profile(option, ("%s/%s.lua"):format(folder("XDG_CONFIG_HOME", ".config"), name)) }
    typed.session.by_origin = read(typed.session.path)
  end
  return typed.session
end

---The base_url of the session's profile.
---@param typed lurcher.command.Typed
---@return string?
function session.base_url(typed)
  local base = state_of(typed).profile.base_url
  return type(base) == "string" and base or nil
end

---Gives a record the cookies and defaults of its session, and notes what was typed for the next time.
---@param typed lurcher.command.Typed
---@param record lurcher.command.Record
function session.apply(typed, record)
  local option, state, origin = typed.options.session, state_of(typed), origin_of(record.url)
  local known = type(state.by_origin[origin]) == "table" and state.by_origin[origin] or {}
  known = { headers = headers_in(known), credential = known.credential }
  local kept = kept_of(known, typed, record.opts.headers)
  apply_known(record, known)
  apply_profile(record, option, state.profile)
  record.client = record.client or {}
  if not typed.options.offline or fs.exists(state.cookies) then record.client.cookies = state.cookies end
  local is_sent = not (typed.options.offline or typed.options.lua or typed.options.curl)
  if not is_sent then return end
  local ok, err = fs.mkdir(state.place, { parents = true })
  if not ok then refuse(option, "the session cannot be saved: " .. tostring(err)) end
  state.by_origin[origin] = kept
  if json.encode(kept, SORTED) ~= json.encode(known, SORTED) then save(option, state.path, state.by_origin) end
end

return session
