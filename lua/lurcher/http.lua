--- HTTP requests: `http.get(url, opts)` and the like on the process's default client, `http.client(opts)` for
--- one of your own.

local lazy = require "lurcher.base.lazy"
local plain = require "lurcher.http.plain"
local response_class = require "lurcher.http.response_class"

local check = lazy "lurcher.base.check"
local client = lazy "lurcher.http.client"
local errors = lazy "lurcher.base.errors"
local response = lazy "lurcher.http.response"
local secret = lazy "lurcher.base.secret"
local strict = lazy "lurcher.base.strict"
local tables = lazy "lurcher.base.tables"

---@alias lurcher.Verb fun(url: string, opts?: lurcher.RequestOptions): lurcher.Response?, lurcher.Error?

---@class lurcher.http
---@field get lurcher.Verb
---@field head lurcher.Verb
---@field post lurcher.Verb
---@field put lurcher.Verb
---@field patch lurcher.Verb
---@field delete lurcher.Verb
---@field options lurcher.Verb
local http = {}

-- The schemes are loaded by the first script that calls for them.

---User name and password for Basic (RFC 7617), as a scheme.
---@param user string|lurcher.Secret
---@param password string|lurcher.Secret
---@return table
function http.basic(user, password)
  return require "lurcher.http.auth.basic"(user, password)
end

---A bearer token, or a function that returns one (asked before each attempt; it may block, and may return nil
---and an error), as a scheme.
---@param token string|lurcher.Secret|fun(): string|lurcher.Secret|nil, any
---@return table
function http.bearer(token)
  return require "lurcher.http.auth.bearer"(token)
end

---User name and password for Digest (RFC 7616), as a scheme. The first request to an origin is answered with a
---challenge and sent again; later ones carry the answer from the start.
---@param user string|lurcher.Secret
---@param password string|lurcher.Secret
---@return lurcher.Digest
function http.digest(user, password)
  return require "lurcher.http.auth.digest"(user, password)
end

---The credentials of a netrc file, as a scheme: of the first entry for the host. A user name in the URL selects
---the entry; with a password beside it the file is not asked.
---@param path? string default: the environment's NETRC, or ~/.netrc, which need not be there
---@return lurcher.Netrc
function http.netrc(path)
  return require "lurcher.http.auth.netrc"(path)
end

---A bearer token of an OAuth2 server, as a scheme: fetched when it is needed, by one request for all that wait,
---renewed before it expires, and once more when it is refused with a 401.
---@param opts lurcher.OAuth2Options
---@return lurcher.OAuth2
function http.oauth2(opts)
  return require "lurcher.http.auth.oauth2"(opts)
end

---Signs requests for AWS, and for what understands its Signature Version 4, as a scheme.
---@param opts lurcher.AwsSigV4Options
---@return lurcher.AwsSigV4
function http.aws_sigv4(opts)
  return require "lurcher.http.auth.sigv4"(opts)
end

local function called_with_colon(name)
  errors.raise(("call it with a dot: http.%s(…)"):format(name))
end

---The client behind http.get and the like.
---@return lurcher.Client
function http.default()
  return client.default()
end

---Makes a client: connections, limits, cookies and defaults of its own.
---@param opts? lurcher.ClientOptions
---@return lurcher.Client
function http.client(opts)
  if opts == http then called_with_colon("client") end
  return client.new(opts)
end

-- What clients set themselves: there may be none yet.
function response_class.curl(...) return client.curl(...) end

-- A call of the client behind it, which may go on from what came of a plain one.
local function full_call(verb, name, url, opts, early_result)
  if url == http then called_with_colon(name) end
  if early_result then return client.go_on(name:upper(), url, early_result) end
  return verb(client.default(), url, opts)
end

for _, name in ipairs(plain.VERBS) do
  local method, verb = name:upper(), nil
  http[name] = function(url, opts)
    local early_result
    if opts == nil and plain.active then
      local res
      res, early_result = plain.call(method, url)
      if res then return res end
    end
    verb = verb or client.verb(name, "http." .. name)
    return full_call(verb, name, url, opts, early_result)
  end
end

---@param method string
---@param url string
---@param opts? lurcher.RequestOptions
---@return lurcher.Response? res
---@return lurcher.Error? err
function http.request(method, url, opts)
  if method == http then called_with_colon("request") end
  return client.request(client.default(), method, url, opts, "http.request")
end

---A file, or a part of it, as the body of a request or of a part of one: read while it is sent.
---@param path string
---@param opts? lurcher.FileOptions
---@return lurcher.File
function http.file(path, opts)
  return require("lurcher.http.file").new(path, opts)
end

---Fetches a file, see client:download.
---@param url string
---@param path string a file; a folder when it ends with "/"
---@param opts? lurcher.DownloadOptions
---@return lurcher.Download? result
---@return lurcher.Error? err
function http.download(url, path, opts)
  if url == http then called_with_colon("download") end
  return client.download(client.default(), url, path, opts, "http.download")
end

---Marks a string so that it never prints, logs or records: tostring gives "***".
---@param text string
---@return lurcher.Secret
function http.secret(text)
  check.argument(text, "string", 1, "http.secret")
  return secret.new(text)
end

local kept

---The same functions for a prompt and for short scripts: what others return as nil and an error is raised, by the
---clients that they make as well, unless those are given `raise = false`.
---@return lurcher.http
function http.raising()
  kept = kept or require("lurcher.task.script").store()
  local state = kept()
  if state.raising then return state.raising end
  local own
  local raising = tables.overlay(http)
  state.raising = raising
  raising.default = function()
    own = own or client.shared { raise = true }
    return own
  end
  for _, name in ipairs { "request", "download", unpack(plain.VERBS) } do
    raising[name] = function(first, ...)
      if first == raising then called_with_colon(name) end
      local one = raising.default()
      return one[name](one, first, ...)
    end
  end
  raising.client = function(opts)
    if opts == raising then called_with_colon("client") end
    if opts == nil or type(opts) == "table" then opts = tables.overlay({ raise = true }, opts) end
    return response.raised(client.new(opts))
  end
  strict.guard(raising, "http")
  return raising
end

return http
