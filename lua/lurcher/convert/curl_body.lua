--- What a curl command says about the body of a request: its words, and the command whose output curl reads as
--- the body, where words cannot hold it.

local file = require "lurcher.http.file"
local secret = require "lurcher.base.secret"
local secret_names = require "lurcher.convert.secret_names"
local shell_text = require "lurcher.convert.shell_text"
local units = require "lurcher.base.units"

local curl_body = {}

-- Methods that are sent with a length even when they have no body.
local ALWAYS = { POST = true, PUT = true, PATCH = true }

-- Bytes from which on curl asks for consent before it sends them.
local MAX_WITHOUT_CONSENT = 1024 * 1024

local function quoted_path(path)
  return shell_text.quote((path:find("^%-") or path == ".") and "./" .. path or path)
end

-- The command that writes a file, or the part of it that is sent.
local function file_source(given)
  local path = quoted_path(given.path)
  local source = given.offset > 0 and ("tail -c +%d %s"):format(given.offset + 1, path) or "cat " .. path
  if not given.length then return source end
  if given.offset == 0 then return ("head -c %d %s"):format(given.length, path) end
  return ("%s | head -c %d"):format(source, given.length)
end

---@class lurcher.CurlBody
---@field words string[]
---@field source? string a command whose output is the body
---@field asks_consent boolean curl would send Expect
---@field notes string[]

---@return lurcher.CurlBody
local function new(words, fields)
  local body = { words = words, asks_consent = false, notes = {} }
  for name, value in pairs(fields or {}) do body[name] = value end
  return body
end

local function of_text(text, value, names)
  local pieces = secret_names.split(value, "SECRET")
  local asks = #text > MAX_WITHOUT_CONSENT
  if shell_text.is_readable(text) then
    return new({ "--data-raw " .. shell_text.word(pieces, names) }, { asks_consent = asks })
  end
  return new({ "--data-binary @-" }, { source = shell_text.printf(pieces, names), asks_consent = asks })
end

-- Files whose URL ends in a slash would have curl put their name behind it.
local function of_file(given, url)
  local is_whole = given.offset == 0 and not given.length
  if not is_whole or url:find("/$") or url:find("/%?") then
    return new({ "--data-binary @-" }, { source = file_source(given), asks_consent = true })
  end
  return new({ "-T " .. quoted_path(given.path) }, { asks_consent = true, uploads = true })
end

-- A body that the response did not keep.
local function of_left_out(size)
  return new({ "--data-binary @-" }, { asks_consent = true,
    notes = { ("the body of %s was not kept: give it on standard input"):format(units.size(size)) } })
end

local function of_iterator()
  return new({ "-T -" }, { asks_consent = true, uploads = true,
    notes = { "the body came from an iterator: give it on standard input" } })
end

-- ---- multipart ----

-- A content in the double quotes of curl's -F.
local function form_quoted(text)
  return '"' .. text:gsub('[\\"]', "\\%0") .. '"'
end

-- How -F says a part, as pieces; nil when it cannot, or would send other bytes.
local function form_word(part, names)
  local content = part.value ~= nil and part.value or part.file
  if part.headers or part.body ~= nil or part.name:find("[=%c]") then return nil end
  if part.type and not part.type:find("^[%w.+-]+/[%w.+-]+$") then return nil end
  if part.file ~= nil then
    local given = file.is(content) and content or file.new(secret.reveal(content))
    local filename = part.filename or given.path:match("[^/]*$")
    if part.filename == false or given.offset > 0 or given.length or filename:find("%c") then return nil end
    local kind = part.type or given.type or require("lurcher.http.multipart").guessed(filename)
    if not kind:find("^[%w.+-]+/[%w.+-]+$") then return nil end
    return "-F " .. shell_text.quote(("%s=@%s;type=%s;filename=%s"):format(part.name, form_quoted(given.path), kind,
      form_quoted(filename)))
  end
  local text = secret.reveal(content)
  if type(text) ~= "string" then content, text = tostring(text), tostring(text) end
  if part.filename or not shell_text.is_readable(text) then return nil end
  local pieces = secret_names.split(content, part.name)
  if not part.type then
    table.insert(pieces, 1, part.name .. "=")
    return "--form-string " .. shell_text.word(pieces, names)
  end
  if pieces[2] or type(pieces[1]) ~= "string" then return nil end
  return "-F " .. shell_text.quote(("%s=%s;type=%s"):format(part.name, form_quoted(text), part.type))
end

-- The words for a multipart body that was given by its parts; nil when -F cannot say one of them.
local function form_words(parts, names)
  local words = {}
  for i, part in ipairs(parts) do
    words[i] = form_word(part, names)
    if not words[i] then return nil end
  end
  return words[1] and words or nil
end

-- A body of several pieces, byte by byte, out of one command after the other.
local function of_pieces(body, names)
  local sources, notes = {}, {}
  for i, piece in ipairs(body.pieces) do
    if type(piece) == "string" then
      sources[i] = shell_text.printf(secret_names.split(piece, "SECRET"), names)
    elseif file.is(piece) then
      sources[i] = file_source(piece)
    else
      sources[i] = "cat"
      notes[1] = "a part of the body came from an iterator: give it on standard input"
    end
  end
  local source = sources[2] and "{ " .. table.concat(sources, "; ") .. "; }" or sources[1]
  local words = notes[1] and { "-T -" } or { "--data-binary @-" }
  return new(words, { source = source, notes = notes, asks_consent = true, uploads = notes[1] ~= nil })
end

---@param request lurcher.Request
---@param names lurcher.SecretNames
---@return lurcher.CurlBody? nil: the request has none
function curl_body.of(request, names)
  local body, opts = request.body, request.options or {}
  if request.method == "HEAD" then return nil end
  if request.left_out then return of_left_out(request.left_out) end
  if not body then return ALWAYS[request.method] and new { "--data-raw ''" } or nil end
  if type(body) == "string" then return of_text(body, secret.is(opts.body) and opts.body or body, names) end
  local pieces = body.pieces
  if type(opts.multipart) == "table" and not curl_body.given_type(request) then
    local words = form_words(opts.multipart, names)
    if words then return new(words, { asks_consent = true, is_form = true }) end
  elseif #pieces == 1 and file.is(pieces[1]) then
    return of_file(pieces[1], request.url)
  elseif #pieces == 1 and type(pieces[1]) ~= "string" then
    return of_iterator()
  end
  return of_pieces(body, names)
end

---The Content-Type among the request's own headers.
---@param request lurcher.Request
---@return string|lurcher.Secret|nil
function curl_body.given_type(request)
  return require("lurcher.http.headers").find(request:flat_headers(), "content-type")
end

return curl_body
