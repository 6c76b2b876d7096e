--- Requests as curl commands, for any POSIX shell, which send the same bytes. Secrets are variables of the
--- environment unless they are to be shown.

local check = require "lurcher.base.check"
local curl_body = require "lurcher.convert.curl_body"
local header_order = require "lurcher.http.header_order"
local options = require "lurcher.http.options"
local request = require "lurcher.http.request"
local scheme = require "lurcher.http.auth.scheme"
local secret = require "lurcher.base.secret"
local secret_names = require "lurcher.convert.secret_names"
local settings = require "lurcher.http.settings"
local shell_text = require "lurcher.convert.shell_text"
local sorted_keys = require("lurcher.base.tables").sorted_keys

local curl_command = {}

local reveal = secret.reveal
local quote = shell_text.quote

-- Whether a header stands aside for what the layers send in its place.
local function is_replaced(req, key)
  return key == "cookie" and req.cookie or key == "authorization" and (req.authorization or req.auth)
    or key == "proxy-authorization" and req.settings.proxies
end

-- The lines { name, value } in the order in which they were given.
local function given_lines(req)
  local flat, lines = req:flat_headers(), {}
  for i = 1, #flat, 2 do
    if not is_replaced(req, flat[i]:lower()) then lines[#lines + 1] = { flat[i], flat[i + 1] } end
  end
  if req.content_type then lines[#lines + 1] = { "Content-Type", req.content_type } end
  if req.cookie then lines[#lines + 1] = { "Cookie", req.cookie } end
  return lines
end

---@class lurcher.CurlCommand
---@field private words string[]
---@field private notes string[]
---@field private names lurcher.SecretNames
local Command = {}
Command.__index = Command

function Command:add(word) self.words[#self.words + 1] = word end

function Command:add_pieces(flag, pieces) self:add(flag .. " " .. shell_text.word(pieces, self.names)) end

-- A flag with a value that is no secret.
function Command:add_value(flag, value)
  if value then self:add(flag .. " " .. quote(tostring(value))) end
end

function Command:add_number(flag, value)
  if value and value ~= math.huge then self:add(("%s %.14g"):format(flag, value)) end
end

function Command:note(text) self.notes[#self.notes + 1] = text end

-- ---- parts of a command ----

local function add_method(self, method, body)
  if method == "HEAD" then return self:add "--head" end
  local implied = not body and "GET" or body.uploads and "PUT" or "POST"
  if method ~= implied then self:add("-X " .. (method:find("^%a+$") and method or quote(method))) end
end

local function add_url(self, req)
  self:add(shell_text.word(secret_names.of_url(req.url), self.names))
  if req.url:find("[%[%]{}]") then self:add "--globoff" end
  if req.url:lower():find("%%2e") then self:add "--path-as-is" end
  self:add_value("--request-target", req.settings.raw_target)
end

local function add_headers(self, req, body)
  local hidden, there = req.settings.dropped, {}
  for _, line in ipairs(header_order(given_lines(req))) do
    local name, value = line[1], line[2]
    local key, text = name:lower(), reveal(value)
    there[key] = true
    if not (key == "content-type" and body and body.is_form) then
      if text == "" then
        self:add("-H " .. quote(name .. ";"))
      else
        local pieces = secret_names.of_header(name, value, hidden)
        table.insert(pieces, 1, name .. ": ")
        self:add_pieces("-H", pieces)
      end
    end
    if key == "accept-encoding" and req.settings.options.decompress ~= false then self:add "--compressed" end
  end
  if not there.accept then self:add "-H 'Accept:'" end
  if not there["user-agent"] then self:add "-H 'User-Agent:'" end
  if body and not there["content-type"] and not body.uploads then self:add "-H 'Content-Type:'" end
  if req.expect_continue then
    self:add "-H 'Expect: 100-continue'"
  elseif body and body.asks_consent then
    self:add "-H 'Expect:'"
  end
end

local function add_user(self, user, password, flag)
  local pieces = self.names:pieces(user, "USER")
  pieces[#pieces + 1] = ":"
  if reveal(password) ~= "" then pieces[#pieces + 1] = { name = "PASSWORD", text = reveal(password) } end
  if flag then self:add(flag) end
  self:add_pieces("-u", pieces)
end

local function add_token(self, token)
  if not token then self:note "the token comes from a function: set TOKEN" end
  self:add_pieces("-H", { "Authorization: Bearer ", { name = "TOKEN", text = token } })
end

-- What the auth layer sent last, when it is a bearer token.
local function sent_token(req)
  return req.authorization and req.authorization:match("^Bearer (.*)$")
end

local auth_words = {
  basic = function(self, given) add_user(self, given[1], given[2]) end,
  digest = function(self, given) add_user(self, given[1], given[2], "--digest") end,
  bearer = function(self, given, req)
    add_token(self, given[1] and reveal(given[1]) or sent_token(req))
  end,
  oauth2 = function(self, _, req)
    self:note "TOKEN is what the OAuth2 server gave"
    add_token(self, sent_token(req))
  end,
  netrc = function(self, given)
    self:add(given[1] and "--netrc-file " .. quote(given[1]) or "--netrc")
  end,
  aws_sigv4 = function(self, given)
    local opts = given[1]
    self:add_value("--aws-sigv4", ("aws:amz:%s:%s"):format(opts.region, opts.service))
    self:add_pieces("-u", { { name = "AWS_ACCESS_KEY_ID", text = reveal(opts.access_key) }, ":",
      { name = "AWS_SECRET_ACCESS_KEY", text = reveal(opts.secret_key) } })
    if opts.session_token then
      self:add_pieces("-H", { "X-Amz-Security-Token: ",
        { name = "AWS_SESSION_TOKEN", text = reveal(opts.session_token) } })
    end
  end,
}

local function add_auth(self, req)
  if not req.auth then return end
  local given = scheme.described(req.auth)
  if given and auth_words[given.name] then return auth_words[given.name](self, given, req) end
  self:note "auth is a function of the script: what it adds is not here"
end

local function add_tls(self, tls)
  if not tls then return end
  if tls.verify == false then self:add "-k" end
  if tls.ca then
    self:add_value(tls.ca:find("/$") and "--capath" or "--cacert", tls.ca)
  end
  self:add_value("--cert", tls.cert)
  self:add_value("--key", tls.key)
  if tls.key_password then
    self:add_pieces("--pass", { { name = "KEY_PASSWORD", text = reveal(tls.key_password) } })
  end
  local pins = type(tls.pins) == "table" and table.concat(tls.pins, ";") or tls.pins
  self:add_value("--pinnedpubkey", pins)
  if tls.min and tls.min ~= options.DEFAULT.tls.min then self:add("--tlsv" .. tls.min) end
  if tls.server_name then self:note(("curl cannot name another server in TLS: %s"):format(tls.server_name)) end
end

local function add_proxy(self, merged)
  local proxy = merged.proxy
  if proxy == nil or proxy == false or proxy == "env" then return end
  if type(proxy) == "table" and not secret.is(proxy) then
    if not proxy.url then return self:note "the proxies of several origins are not here" end
    if proxy.tls and proxy.tls.verify == false then self:add "--proxy-insecure" end
    if proxy.tls then self:add_value("--proxy-cacert", proxy.tls.ca) end
    proxy = proxy.url
  end
  local before, password, after = reveal(proxy):match("^([^@]*//[^:/@]*:)([^@]*)(@.*)$")
  local pieces = before and { before, { name = "PROXY_PASSWORD", text = password }, after }
    or secret_names.split(proxy, "PROXY")
  self:add_pieces("-x", pieces)
  local exempt = merged.no_proxy
  self:add_value("--noproxy", type(exempt) == "table" and table.concat(exempt, ",") or exempt or "")
end

local VERSIONS = { ["1.1"] = "--http1.1", ["2"] = "--http2", ["2-prior-knowledge"] = "--http2-prior-knowledge" }

local function add_resolve(self, map)
  for _, key in ipairs(sorted_keys(map or {})) do
    if map[key] then self:add_value("--resolve", key .. ":" .. map[key]) end
  end
end

local function add_way(self, req)
  local merged = req.settings.options
  if req.settings.redirects then
    self:add "-L"
    if merged.redirects then self:add_number("--max-redirs", merged.redirects) end
  end
  local timeout = merged.timeout or {}
  self:add_number("-m", timeout.total)
  self:add_number("--connect-timeout", timeout.connect)
  if VERSIONS[merged.http_version] then self:add(VERSIONS[merged.http_version]) end
  add_tls(self, merged.tls)
  add_proxy(self, merged)
  self:add_value("--unix-socket", merged.unix_socket)
  self:add_value("--interface", merged.local_address)
  add_resolve(self, merged.resolve)
  if merged.ip then self:add("-" .. merged.ip) end
  self:add_value("-b", rawget(req, "cookie_file"))
end

-- ---- commands ----

---The command for a request.
---@param req lurcher.Request
---@param shown? boolean secrets are written as they are
---@param variables? table<string, string> names of environment variables that secrets are from, by their values
---@return string
function curl_command.of(req, shown, variables)
  local self = setmetatable({ words = {}, notes = {}, names = secret_names.new(shown or false, variables) }, Command)
  local body = curl_body.of(req, self.names)
  add_method(self, req.method, body)
  add_url(self, req)
  add_headers(self, req, body)
  add_auth(self, req)
  for _, word in ipairs(body and body.words or {}) do self:add(word) end
  for _, note in ipairs(body and body.notes or {}) do self:note(note) end
  add_way(self, req)
  local command = "curl " .. table.concat(self.words, " ")
  if body and body.source then command = body.source .. " | " .. command end
  if not self.notes[1] then return command end
  return command .. " # " .. table.concat(self.notes, "; "):gsub("%c+", " ")
end

local HOW = { secrets = "boolean" }

---The command for a call that was made.
---@param req lurcher.Request
---@param how? { secrets?: boolean }
---@param what string for messages
---@return string
function curl_command.of_call(req, how, what)
  how = check.options(how, HOW, what) or {}
  return curl_command.of(req, how.secrets)
end

-- The options that belong to a client, and the others.
local function parted(opts)
  local of_client, of_request = {}, {}
  for name, value in pairs(opts or {}) do
    local is_own = options.is_client_option(name) and not options.is_request_option(name)
    local target = is_own and of_client or of_request
    target[name] = value
  end
  return of_client, of_request
end

local SAID = { ["tls.verify"] = true, ["proxy.tls.verify"] = true } -- warnings are for requests that are sent

---A request that nobody sends.
---@param method string
---@param url string
---@param opts? table options of the request, and of its client
---@param what string for messages
---@return lurcher.Request? request
---@return lurcher.Error? err kind "url"
function curl_command.request(method, url, opts, what)
  local of_client, of_request = parted(opts)
  local own = options.merge({}, options.check_client(of_client, what))
  local client = { settings = settings.new(own, SAID), base = own.base_url and request.base(own.base_url) or false }
  local described, err = request.described(client, request.method(method), url, of_request, what)
  if described and type(own.cookies) == "string" then described.cookie_file = own.cookies end
  return described, err
end

return curl_command
