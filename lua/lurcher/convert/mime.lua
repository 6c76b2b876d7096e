--- Bodies of MIME parts that are written out: several files in one part of a form, and forms under another type than
--- multipart/form-data.

local curl_form = require "lurcher.convert.curl_form"
local data = require "lurcher.convert.data"
local file = require "lurcher.http.file"
local multipart = require "lurcher.http.multipart"

local mime = {}

local function content_of(part)
  if part.value then return data.is(part.value) and data.text(part.value) or part.value end
  local given = part.file or part.body
  return data.read(file.is(given) and given.path or given)
end

local function head_of(part, disposition)
  local filename = part.filename
  if filename == nil and part.file then filename = part.file:match("[^/]*$") end
  local content_type = part.type or filename and multipart.guessed(filename)
  if curl_form.header(part, "content-type") then content_type = nil end
  return multipart.head(disposition, part.name, filename, content_type, part.headers or {})
end

---The text of parts.
---@param parts table[] as curl_form.part gives them
---@param boundary string
---@param disposition string
---@return string
function mime.form(parts, boundary, disposition)
  local texts = {}
  for i, part in ipairs(parts) do
    texts[i] = ("--%s\r\n%s%s\r\n"):format(boundary, head_of(part, disposition), content_of(part))
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
