--- Bodies of MIME parts that are written out: several files in one part of a form, and forms under another type than
--- multipart/form-data.

local data = require "lurcher.convert.data"
local file = require "lurcher.http.file"
local headers = require "lurcher.http.headers"
local multipart = require "lurcher.http.multipart"

local mime = {}

local function quoted(text)
  return '"' .. text:gsub('["\r\n]', { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A" }) .. '"'
end

local function content_of(part)
  if part.value then return data.is(part.value) and data.text(part.value) or part.value end
  local given = part.file or part.body
  return data.read(file.is(given) and given.path or given)
end

local function head_of(part, disposition)
  local filename = part.filename
  if filename == nil and part.file then filename = part.file:match("[^/]*$") end
  local lines = { "Content-Disposition: " .. disposition .. (part.name and "; name=" .. quoted(part.name) or "")
    .. (filename and "; filename=" .. quoted(filename) or "") }
  local content_type = part.type or filename and multipart.guessed(filename)
  if content_type then lines[2] = "Content-Type: " .. content_type end
  local own = headers.merge({}, part.headers or {})
  for i = 1, #own, 2 do lines[#lines + 1] = own[i] .. ": " .. own[i + 1] end
  return table.concat(lines, "\r\n")
end

---The text of parts.
---@param parts table[]
---@param boundary string
---@param disposition string
---@return string
function mime.form(parts, boundary, disposition)
  local texts = {}
  for i, part in ipairs(parts) do
    texts[i] = ("--%s\r\n%s\r\n\r\n%s\r\n"):format(boundary, head_of(part, disposition), content_of(part))
  end
  return table.concat(texts) .. "--" .. boundary .. "--\r\n"
end

---Several files as one text, and its boundary.
---@param files table[]
---@return string text
---@return string boundary
function mime.mixed(files)
  local boundary = multipart.boundary()
  return mime.form(files, boundary, "attachment"), boundary
end

return mime
