--- The parts of a multipart body, and whether they are those that an entry asks for.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"

local multipart = {}

local FIELDS = { name = "string", filename = true, type = true, body = true, value = true }

---The parts by name: lists of { body, filename, type }.
---@param req lurcher.mock.Request
---@return table<string, table[]>
function multipart.parse(req)
  local given = req.headers["content-type"] or ""
  local boundary = given:match 'boundary="([^"]+)"' or given:match "boundary=([^;%s]+)"
  local parts, at = {}, 1
  if not boundary then return parts end
  local body = "\r\n" .. req.body
  local _, start = body:find("\r\n--" .. boundary .. "\r\n", at, true)
  while start do
    local _, head_end = body:find("\r\n\r\n", start - 1, true)
    local last, after = body:find("\r\n--" .. boundary, head_end and head_end - 1 or start, true)
    if not (head_end and last) then return parts end
    local head = body:sub(start + 1, head_end)
    local name = head:match '[; ]name="([^"]*)"'
    if name then
      local list = parts[name] or {}
      parts[name] = list
      list[#list + 1] = { body = body:sub(head_end + 1, last - 1), filename = head:match 'filename="([^"]*)"',
        type = head:match "[tT][yY][pP][eE]:[ \t]*([^\r\n]*)" }
    end
    start = body:sub(after + 1, after + 2) == "\r\n" and after + 2 or nil
  end
  return parts
end

---The fields: texts; those that come several times as lists.
---@param req lurcher.mock.Request
---@return table<string, string|string[]>
function multipart.form(req)
  local form = {}
  for name, list in pairs(multipart.parse(req)) do
    local texts = {}
    for i, part in ipairs(list) do texts[i] = part.body end
    form[name] = texts[2] and texts or texts[1]
  end
  return form
end

local function check_part(part)
  if type(part) ~= "table" or part[1] ~= nil then return part end
  check.options(part, FIELDS, "mock:on: multipart")
  return { filename = part.filename, type = part.type, body = part.body == nil and part.value or part.body }
end

---What an entry asks for: a map of names, or a list of parts as a request has it. As a map of names to lists of parts,
---to true (any) or to false (none).
---@param wanted table
---@return table<string, boolean|table>
function multipart.check(wanted)
  local map = {}
  if wanted[1] ~= nil then
    for _, part in ipairs(wanted) do
      if type(part) ~= "table" or type(part.name) ~= "string" then
        errors.raise("mock:on: a part of the list 'multipart' must be a table with a name, got " .. check.shown(part))
      end
      map[part.name] = map[part.name] or {}
      table.insert(map[part.name], check_part(part))
    end
    return map
  end
  for name, given in pairs(wanted) do
    local list = {}
    for i, part in ipairs(type(given) == "table" and given[1] ~= nil and given or { given }) do
      list[i] = check_part(part)
    end
    map[name] = list
    if type(given) == "boolean" then map[name] = given end
  end
  return map
end

-- Where a part differs: calls differ(place, wanted, sent).
local function compare_part(place, wanted, sent, fits, differ)
  if type(wanted) ~= "table" then
    if not fits(wanted, sent.body) then differ(place, wanted, sent.body) end
    return
  end
  for _, field in ipairs { "body", "filename", "type" } do
    if wanted[field] ~= nil and not fits(wanted[field], sent[field]) then
      differ(place .. "." .. field, wanted[field], sent[field])
    end
  end
end

---@param wanted table as of check
---@param req lurcher.mock.Request
---@param fits fun(wanted: any, sent: any): boolean
---@param differ fun(place: string, wanted: any, sent: any)
function multipart.compare(wanted, req, fits, differ)
  local parts, sorted = multipart.parse(req), {}
  for name in pairs(wanted) do sorted[#sorted + 1] = name end
  table.sort(sorted)
  for _, name in ipairs(sorted) do
    local want, sent = wanted[name], parts[name]
    if type(want) == "boolean" then
      if want ~= (sent ~= nil) then differ(name, want, sent and sent[1].body) end
    elseif not sent then
      differ(name, true, nil)
    elseif #want ~= #sent then
      differ(name, ("%d of them"):format(#want), ("%d"):format(#sent))
    else
      for i, part in ipairs(want) do
        compare_part(#want > 1 and ("%s[%d]"):format(name, i) or name, part, sent[i], fits, differ)
      end
    end
  end
end

return multipart
