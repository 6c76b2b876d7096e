--- The encoder of multipart/form-data (RFC 7578), names as browsers write them.

local body = require "lurcher.http.body"
local check = require "lurcher.base.check"
local crypto = require "lurcher.native.crypto"
local errors = require "lurcher.base.errors"
local file = require "lurcher.http.file"
local headers = require "lurcher.http.headers"
local media_types = require "lurcher.base.media_types"
local secret = require "lurcher.base.secret"

local raise = errors.raise

local multipart = {}

---@class lurcher.Part
---@field name string
---@field value? string|number|boolean|lurcher.Secret
---@field file? string|lurcher.File a path, or what http.file gives
---@field body? string|lurcher.File|fun(): string? an iterator
---@field filename? string|false by default that of the file
---@field type? string
---@field headers? table<string, any>

local KNOWN = { name = "string", value = "string|number|boolean|table", file = "string|table",
  body = "string|callable|table", filename = "string|false", type = "string|false", headers = "table|false" }

---The type that the ending of a file's name tells.
---@param name string
---@return string
function multipart.guessed(name) return media_types.of(name) or media_types.UNKNOWN end

local ESCAPED = { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A" }

local function quoted(text)
  return '"' .. text:gsub('["\r\n]', ESCAPED) .. '"'
end

-- Every line end of a field's name is CR LF.
local function with_line_ends(name)
  return (name:gsub("\r\n", "\n"):gsub("[\r\n]", "\r\n"))
end

-- What a part consists of, and the name of its file.
local function content_of(part, where)
  local given
  for _, key in ipairs { "value", "file", "body" } do
    if part[key] ~= nil then
      if given then raise(("%s: '%s' and '%s' exclude each other"):format(where, given, key)) end
      given = key
    end
  end
  if not given then raise(where .. ": one of value, file and body is missing") end
  local content = secret.reveal(part[given])
  if given == "file" and type(content) == "string" then content = file.new(content) end
  if given == "value" and type(content) ~= "string" then
    if type(content) == "table" then raise(where .. ": value must be a string, got a table") end
    content = tostring(content)
  end
  if type(content) == "table" and not file.is(content) and check.mismatch(content, "callable") then
    raise(("%s: %s must be a string, http.file(path)%s, got a table"):format(where, given,
      given == "body" and " or an iterator" or ""))
  end
  local name = part.filename
  if name == nil and file.is(content) then name = content.path:match("[^/]*$") end
  return content, name or nil
end

local function refuse_control(text, what, where)
  if text:find("[%z\1-\31\127]") then raise(("%s: %s holds a control character"):format(where, what)) end
end

---The lines above a part's content, of what was checked.
---@param disposition string "form-data"
---@param name? string
---@param filename? string
---@param content_type? string|false
---@param own { [1]: string, [2]: string|lurcher.Secret }[] more lines
---@return string
function multipart.head(disposition, name, filename, content_type, own)
  local lines = { "Content-Disposition: " .. disposition
    .. (name and "; name=" .. quoted(with_line_ends(name)) or "")
    .. (filename and "; filename=" .. quoted(filename) or "") }
  if content_type then lines[2] = "Content-Type: " .. content_type end
  for _, line in ipairs(own) do lines[#lines + 1] = line[1] .. ": " .. secret.reveal(line[2]) end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- The same for a part of a script.
local function head_of(part, content, filename, where)
  local lines = {}
  local content_type = part.type or file.is(content) and content.type or filename and multipart.guessed(filename)
  local own = part.headers and headers.merge({}, part.headers) or {}
  for i = 1, #own, 2 do
    local name = own[i]:lower()
    if name == "content-disposition" then raise(where .. ": Content-Disposition is made of name and filename") end
    if name == "content-type" then content_type = false end
    lines[#lines + 1] = { own[i], own[i + 1] }
  end
  if content_type then refuse_control(content_type, "type", where) end
  return multipart.head("form-data", part.name, filename, content_type, lines)
end

-- Puts a string at the end of a list of pieces, joined to a string before it.
local function add_text(texts, text) texts[#texts + 1] = text end

local function flush(pieces, texts)
  if #texts > 0 then pieces[#pieces + 1] = table.concat(texts) end
  return {}
end

---A boundary, which nothing that is sent holds by chance.
---@return string
function multipart.boundary()
  return "lurcher-" .. crypto.hex(crypto.random(16))
end

---The body of a list of parts.
---@param parts lurcher.Part[]
---@param boundary string
---@return lurcher.Body
function multipart.new(parts, boundary)
  local pieces, texts = {}, {}
  for i, part in ipairs(parts) do
    local where = ("multipart part %d"):format(i)
    if type(part) ~= "table" then raise(("%s must be a table, got %s"):format(where, check.shown(part))) end
    check.options(part, KNOWN, where)
    if part.name == nil then raise(where .. ": the name is missing") end
    local content, filename = content_of(part, where)
    add_text(texts, "--" .. boundary .. "\r\n" .. head_of(part, content, filename, where))
    if type(content) == "string" then
      add_text(texts, content)
    else
      texts = flush(pieces, texts)
      pieces[#pieces + 1] = content
    end
    add_text(texts, "\r\n")
  end
  add_text(texts, "--" .. boundary .. "--\r\n")
  flush(pieces, texts)
  return body.new(pieces, ("multipart of %d part%s"):format(#parts, #parts == 1 and "" or "s"))
end

---The Content-Type that goes with a boundary, and the boundary: those of a given one, if that is fit.
---@param given? string
---@return string content_type
---@return string boundary
function multipart.content_type(given)
  if not given then
    local boundary = multipart.boundary()
    return "multipart/form-data; boundary=" .. boundary, boundary
  end
  if not given:lower():find("^%s*multipart/form%-data%s*%f[;%z]") then
    raise(("a Content-Type beside multipart must be multipart/form-data, got %q: leave it away"):format(given))
  end
  local lower = given:lower()
  local from = lower:find(";%s*boundary=")
  if from then
    local value = given:sub(from):match('^;%s*%a+="([^"]*)"') or given:sub(from):match("^;%s*%a+=([^;%s]*)")
    if value == "" or #value > 70 or value:find("[^%w'()+_,%-./:=? ]") or value:find(" $") then
      raise(("the boundary of the Content-Type %q cannot be one"):format(given))
    end
    return given, value
  end
  local boundary = multipart.boundary()
  return given:gsub("[%s;]+$", "") .. "; boundary=" .. boundary, boundary
end

return multipart
