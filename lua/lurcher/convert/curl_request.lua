--- Requests of what the options of a curl command set: `{ method, url, opts, parameters, warnings }`. Bodies with
--- files in them are read later (`data.text`), and so are cookie files (`client.cookies`).

local curl_glob = require "lurcher.convert.curl_glob"
local curl_parts = require "lurcher.convert.curl_parts"
local curl_settings = require "lurcher.convert.curl_settings"
local data = require "lurcher.convert.data"
local file = require "lurcher.http.file"
local http_checks = require "lurcher.http.options.checks"
local parameters = require "lurcher.convert.parameters"
local query = require "lurcher.url.query"
local refusal = require "lurcher.convert.refusal"
local script_body = require "lurcher.convert.script_body"
local url_module = require "lurcher.url"

local curl_request = {}

local shown = parameters.shown

---@class lurcher.CurlRequest
---@field method string
---@field url string
---@field opts lurcher.RequestOptions
---@field parameters string[] names of variables, which stand in the texts as $NAME
---@field warnings string[]

-- ---- headers ----

-- Finds a header that was given, in any case.
local function given_header(settings, name)
  for _, line in ipairs(settings.headers) do
    if line[1]:lower() == name then return line end
  end
  return nil
end

-- Adds a header unless the command gives one of that name itself.
local function add_default(settings, headers, name, value)
  if value and not given_header(settings, name:lower()) then headers[name] = value end
end

-- One line of the command: several of one name make a list.
local function add_given(headers, keys, name, value)
  local key = keys[name:lower()]
  if not key or value == false then
    key = key or name
    keys[name:lower()], headers[key] = key, value
  elseif type(headers[key]) == "table" then
    table.insert(headers[key], value)
  elseif headers[key] == false then
    headers[key] = value
  else
    headers[key] = { headers[key], value }
  end
end

-- Headers that say how a body is framed, which is not the command's to say.
local framing = {}

framing["content-length"] = function(settings, value, body)
  if not value then return end
  local length = type(body) == "string" and #body or body == nil and not settings.form and 0 or nil
  if not length then
    return settings:warn("the header Content-Length: %s is left out: the body's length is sent", value)
  end
  if tonumber(value) ~= length then
    refusal.raise(("the header Content-Length: %s does not fit the body of %d bytes: leave it away"):format(value,
      length))
  end
end

framing["transfer-encoding"] = function(settings, value)
  if not value then return end
  settings:warn("the header Transfer-Encoding: %s is left out: bodies of unknown length are chunked", value)
end

framing.expect = function(settings, value)
  if value and value:lower() == "100-continue" then settings.opts.expect_continue = true end
end

local function headers_of(settings, body)
  local headers, keys = {}, {}
  for _, line in ipairs(settings.headers) do
    local key = line[1]:lower()
    if framing[key] then
      framing[key](settings, line[2], body)
    else
      add_given(headers, keys, line[1], line[2])
    end
  end
  add_default(settings, headers, "Range", settings.range and "bytes=" .. settings.range)
  add_default(settings, headers, "Referer", settings.referer ~= "" and settings.referer)
  add_default(settings, headers, "Cookie", settings.cookies)
  if settings.is_json then
    add_default(settings, headers, "Content-Type", "application/json")
    add_default(settings, headers, "Accept", "application/json")
  elseif settings.data and not settings.is_get then
    add_default(settings, headers, "Content-Type", "application/x-www-form-urlencoded")
  end
  return headers
end

-- ---- method and body ----

local function refuse_mixture(settings, upload)
  local kinds = {}
  if settings.data and not settings.is_get then kinds[#kinds + 1] = settings.is_json and "--json" or "--data" end
  if settings.form then kinds[#kinds + 1] = "--form" end
  if upload then kinds[#kinds + 1] = "--upload-file" end
  if settings.is_head then kinds[#kinds + 1] = "--head" end
  if #kinds > 1 then refusal.raise(("%s and %s exclude each other, for curl too"):format(kinds[1], kinds[2])) end
end

local function method_of(settings, upload)
  if settings.method then return settings.method end
  if settings.is_head then return "HEAD" end
  if settings.form or settings.data and not settings.is_get then return "POST" end
  return upload and "PUT" or "GET"
end

local function upload_body(settings, path)
  if path ~= "-" and path ~= "." then return data.file(path) end
  local input = settings.input
  if input and input.text then return input.text end
  return file.new(input and input.path or data.STDIN)
end

-- ---- URLs ----

local GUESSED = { ftp = true, dict = true, ldap = true, imap = true, smtp = true, pop3 = true }

local function with_scheme(settings, url)
  local scheme = url:match("^(%a[%w+.-]*)://")
  if not scheme then
    if url:sub(1, 1) == "\0" then return url end -- the variable may hold it
    local first = url:match("^(%w+)%.")
    if not settings.scheme and first and GUESSED[first:lower()] then scheme = first:lower() end
    url = (settings.scheme or "http") .. "://" .. url:gsub("^//", "")
    scheme = scheme or settings.scheme or "http"
  end
  if not scheme:lower():find("^https?$") then
    refusal.raise(("the URL %s is not understood: http and https are spoken"):format(shown(url)))
  end
  return url
end

-- curl puts the name of a file behind a URL that names none.
local function with_file_name(url, path)
  local start, rest = url:match("^(%a[%w+.-]*://[^/?#]*/?[^?#]*)(.*)$")
  local path_part = start and start:match("^[^:]*://[^/]*(.*)$")
  if not start or path == "-" or path == "." or path_part ~= "" and not path_part:find("/$") then return url end
  local name = path:match("[^/\\]*$"):gsub("[^%w%-._~]", function(byte) return ("%%%02x"):format(byte:byte()) end)
  return (path_part == "" and start .. "/" or start) .. name .. rest
end

-- Data with a variable that is encoded when it is sent, as fields of a form. Every second piece is the "&" between.
local function fields_of(settings)
  if not settings.unencoded then return nil end
  local fields = {}
  for i = 1, #settings.data, 2 do
    local piece = settings.data[i]
    local list = type(piece) == "string" and script_body.fields(piece) or piece[1] and { piece }
    if not list or settings.is_json then
      curl_settings.refuse_to_encode(settings.unencoded, "--data-urlencode")
    end
    for _, field in ipairs(list) do fields[#fields + 1] = field end
  end
  return fields
end

-- The query that -G makes of data, or that of --url-query.
local function added_query(settings)
  if settings.is_get and settings.unencoded then
    return nil
  elseif settings.is_get and settings.data then
    local body = data.new(settings.data)
    return type(body) == "string" and body or file.is(body) and data.read(body.path) or data.text(body)
  end
  return settings.query
end

local function with_query(settings, url)
  local added = added_query(settings)
  if not added or added == "" then return url end
  return query.add(url, (added:gsub("#", "%%23"):gsub(" ", "%%20")))
end

-- The path and query as they are written.
local function target_of(url)
  local target = url:match("^%a[%w+.-]*://[^/?#]*([^#]*)")
  return target and target:sub(1, 1) ~= "/" and "/" .. target or target
end

-- ---- where the connection goes ----

-- `--connect-to`: what can be said as an address for a name.
local function connect_to(settings, url, resolve)
  for _, value in ipairs(settings.connect_to or {}) do
    local host, port, to, to_port = value:match("^(%[?[^%]:]*%]?):(%d*):(%[?[%x:.%w-]-%]?):(%d*)$")
    local parsed = url_module.parse(url)
    if not host or not parsed then refusal.raise(("--connect-to %s is not understood"):format(shown(value))) end
    if (host == "" or host:lower() == parsed.host) and (port == "" or tonumber(port) == parsed.port) then
      local address = to == "localhost" and "127.0.0.1" or to == "" and parsed.host or to:gsub("[%[%]]", "")
      local key = parsed.host .. ":" .. parsed.port
      local is_other_port = to_port ~= "" and tonumber(to_port) ~= parsed.port
      if is_other_port or http_checks.resolve_map { [key] = address } then
        refusal.raise(("--connect-to %s is not understood: an address with the port of the URL is, as in --resolve")
          :format(shown(value)))
      end
      resolve[key] = address
      return
    end
  end
end

-- ---- options ----

-- Which credentials are sent, as a scheme's name and its arguments.
local function auth_of(settings)
  local types, user = settings.auth, settings.user
  if given_header(settings, "authorization") and not types.digest then return nil end
  if types.aws_sigv4 then return curl_parts.aws_sigv4(types.aws_sigv4, user) end
  if types.bearer and types.digest and user then
    settings:warn "--oauth2-bearer is left out: with --digest curl sends it only where a server asks for it"
  elseif types.bearer then
    return { scheme = "bearer", types.bearer }
  end
  if user then return types.digest and { scheme = "digest", user[1], user[2] } or user end
  return settings.netrc and { scheme = "netrc", settings.netrc[1] }
end

local MAX_REDIRECTS = 50 -- that curl follows

local function redirects_of(settings)
  if not settings.follows then return 0 end
  local max = settings.max_redirects or MAX_REDIRECTS
  return max < 0 and 2 ^ 31 or max
end

local function retry_of(settings)
  if not settings.retries then return nil end
  local attempts = settings.retries + 1
  if not settings.retry_delay then return attempts end
  return { attempts = attempts, base = settings.retry_delay, factor = 1, jitter = "none" }
end

local function copy(value)
  if type(value) ~= "table" or getmetatable(value) then return value end
  local copied = {}
  for key, item in pairs(value) do copied[key] = copy(item) end
  return copied
end

local function tls_of(settings, tls)
  if settings.cacert and settings.capath then refusal.raise "--cacert and --capath together are not understood" end
  local ca = settings.cacert or settings.capath
  if ca then
    tls = tls or {}
    tls.ca = ca
  end
  return tls and next(tls) ~= nil and tls or nil
end

local function set_body(settings, opts, upload)
  if upload then
    opts.body = upload_body(settings, upload)
  elseif settings.form then
    curl_parts.set_form(settings, opts, given_header(settings, "content-type"))
  elseif settings.data and not settings.is_get then
    opts.form = fields_of(settings)
    if not opts.form then opts.body = data.new(settings.data) end
  end
end

local function params_of(settings)
  if settings.is_get and settings.unencoded then return fields_of(settings) end
  return settings.query_fields[1] and copy(settings.query_fields) or nil
end

local function options_of(settings, url, upload)
  local opts = copy(settings.opts)
  set_body(settings, opts, upload)
  opts.params = params_of(settings)
  local headers = headers_of(settings, opts.body)
  opts.expect_continue = settings.opts.expect_continue
  if opts.body and settings.form then headers["Content-Type"] = opts.content_type end
  opts.content_type = nil
  opts.headers = next(headers) ~= nil and headers or nil
  opts.redirects, opts.retry = redirects_of(settings), retry_of(settings)
  opts.tls = tls_of(settings, opts.tls)
  opts.auth = auth_of(settings)
  if settings.proxy then opts.proxy = curl_parts.proxy(settings) end
  if not settings.is_compressed then opts.decompress = false end
  if settings.user_agent and not given_header(settings, "user-agent") then
    opts.user_agent = settings.user_agent ~= "" and settings.user_agent
  end
  local resolve = copy(settings.resolve)
  connect_to(settings, url, resolve)
  opts.resolve = next(resolve) ~= nil and resolve or nil
  if settings.keeps_dots and not opts.raw_target then opts.raw_target = target_of(url) end
  return opts
end

-- What whoever sends the request at once shows of it; the request itself has no output.
local function shown_of(settings, place)
  local shown_here = settings.shown
  return { include = shown_here.include, verbose = shown_here.verbose, output = settings.outputs[place] }
end

local function one(settings, url, upload)
  refuse_mixture(settings, upload)
  if upload then url = with_file_name(url, upload) end
  url = with_query(settings, url)
  local request = { method = method_of(settings, upload), url = url, opts = options_of(settings, url, upload) }
  local cookies = settings.cookie_file or settings.cookie_jar
  if cookies then request.client = { cookies = cookies } end
  return request
end

-- What redirects do otherwise here.
local function warn_of_redirects(settings)
  if not settings.follows then return end
  if settings.trusts then settings:warn "--location-trusted: credentials are not sent to other origins" end
  local method = settings.method
  if not method or method == "GET" or method == "HEAD" then return end
  settings:warn("--request %s with --location: curl says %s to where a 301, 302 or 303 leads, too; here it is %s",
    method, method, method == "POST" and "GET" or "GET after a 303")
end

---Adds the requests of what one block of options set to a list.
---@param settings lurcher.CurlSettings
---@param requests lurcher.CurlRequest[]
function curl_request.add(settings, requests)
  if #settings.urls == 0 then refusal.raise "the command has no URL" end
  if #settings.uploads > #settings.urls then refusal.raise "there are more --upload-file than URLs" end
  warn_of_redirects(settings)
  for i, given in ipairs(settings.urls) do
    local upload = settings.uploads[i]
    for _, url in ipairs(settings.is_plain_url and { given } or curl_glob.expand(given)) do
      local request = one(settings, with_scheme(settings, url), upload)
      request.shown = shown_of(settings, i)
      table.insert(requests, request)
    end
  end
end

return curl_request
