--- One entry of a cassette as text, and back.
---
---   request = { method, url, headers (a flat list of names and values), body }
---   response = { status, version, reason, headers, body, pieces (lengths), at (seconds) }; nil: none came
---   failure = { kind, phase, message, safe }; open = true: the script had left it before its end
---   messages: of a WebSocket

local body = require "lurcher.cassette.body"
local crypto = require "lurcher.crypto"
local json = require "lurcher.json"
local layout = require "lurcher.cassette.layout"
local text_tools = require "lurcher.base.text"
local utf8 = require "lurcher.base.utf8"

local format = {}

-- What is no UTF-8 is shown so; where the bytes matter it is written as base64.
local function encode(value, opts)
  return json.encode(type(value) == "string" and text_tools.utf8(value) or value, opts)
end

local function header_text(line)
  return utf8.is_valid(line) and encode(line) or ('{ "base64": %s }'):format(encode(crypto.base64(line)))
end

local function members(indent, list)
  return "{\n" .. indent .. "  " .. table.concat(list, ",\n" .. indent .. "  ") .. "\n" .. indent .. "}"
end

local function header_lines(flat)
  local lines = {}
  for i = 1, #flat, 2 do lines[#lines + 1] = "          " .. header_text(flat[i] .. ": " .. flat[i + 1]) end
  return lines[1] and '"headers": [\n' .. table.concat(lines, ",\n") .. "\n        ]" or '"headers": []'
end

local function add_body(list, bytes)
  if bytes and bytes ~= "" then
    list[#list + 1] = '"body": {\n          ' .. body.format(bytes) .. "\n        }"
  end
end

local function numbers(list)
  local texts = {}
  for i, number in ipairs(list) do texts[i] = ("%.14g"):format(number) end
  return "[" .. table.concat(texts, ", ") .. "]"
end

local function request_text(request)
  local list = { '"method": ' .. encode(request.method), '"url": ' .. encode(request.url),
    header_lines(request.headers) }
  add_body(list, request.body)
  return '"request": ' .. members("      ", list)
end

local function response_text(response)
  local list = { '"status": ' .. response.status }
  if response.reason and response.reason ~= "" then list[#list + 1] = '"reason": ' .. encode(response.reason) end
  list[#list + 1] = '"http_version": ' .. encode(response.version)
  list[#list + 1] = header_lines(response.headers)
  add_body(list, response.body)
  if response.pieces then list[#list + 1] = '"pieces": ' .. numbers(response.pieces) end
  if response.at then list[#list + 1] = '"at": ' .. numbers(response.at) end
  return '"response": ' .. members("      ", list)
end

local FAILURE = { "kind", "phase", "message", "safe" }

local function failure_text(failure)
  local list = {}
  for _, name in ipairs(FAILURE) do
    if failure[name] then list[#list + 1] = encode(name) .. ": " .. encode(failure[name]) end
  end
  return '"failure": ' .. members("      ", list)
end

local function messages_text(messages)
  local lines = {}
  for i, one in ipairs(messages) do lines[i] = "        " .. encode(one, { sort = true }) end
  return lines[1] and '"messages": [\n' .. table.concat(lines, ",\n") .. "\n      ]" or '"messages": []'
end

---@param entry table
---@return string
function format.entry(entry)
  local list = { request_text(entry.request) }
  if entry.response then list[#list + 1] = response_text(entry.response) end
  if entry.messages then list[#list + 1] = messages_text(entry.messages) end
  if entry.failure then list[#list + 1] = failure_text(entry.failure) end
  if entry.open then list[#list + 1] = '"open": true' end
  return "    " .. members("    ", list)
end

-- ---- back ----

local VERSIONS = { ["1.0"] = true, ["1.1"] = true, ["2"] = true }

local function flat_headers(lines)
  if type(lines) ~= "table" then return nil end
  local flat = {}
  for _, line in ipairs(lines) do
    if type(line) == "table" then line = crypto.base64_decode(tostring(line.base64)) end
    local name, value = tostring(line):match "^([^:%z\r\n]+):[ \t]*([^%z\r\n]*)$"
    if not name then return nil end
    flat[#flat + 1], flat[#flat + 2] = name, value
  end
  return flat
end

-- Where the JSON of a body stands in an entry's member; nil: it has none.
local function find_json(text, first, last)
  local found = text:find('"json"', first, true)
  if not found or found > last then return nil end
  local json_first, json_last
  layout.each_member(text, first, function(name, from)
    if name ~= "body" then return false end
    layout.each_member(text, from, function(part, part_first, part_last)
      if part == "json" then json_first, json_last = part_first, part_last end
    end)
    return true
  end)
  return json_first, json_last
end

-- An entry's member; of a body that is JSON the text, since the bytes matter.
local function decode_member(text, first, last)
  local json_first, json_last = find_json(text, first, last)
  if not json_first then return json.decode(text:sub(first, last)) end
  local given, err = json.decode(text:sub(first, json_first - 1) .. '""' .. text:sub(json_last + 1, last))
  if not err then given.body.json = text:sub(json_first, json_last) end
  return given, err
end

local function is_list_of_numbers(list)
  if list == nil then return true end
  if type(list) ~= "table" then return false end
  for _, number in ipairs(list) do
    if type(number) ~= "number" or number < 0 then return false end
  end
  return true
end

-- Each gives nil and what is wrong.
local function request_of(given)
  if type(given.method) ~= "string" or type(given.url) ~= "string" then
    return nil, "its request has no method or URL"
  end
  local headers, bytes = flat_headers(given.headers or {}), body.parse(given.body)
  if not headers then return nil, "its request has a header that is none" end
  if not bytes then return nil, "the body of its request cannot be read" end
  return { method = given.method, url = given.url, headers = headers, body = bytes }
end

local function response_of(given)
  local status, version = given.status, given.http_version or "1.1"
  if type(status) ~= "number" or status % 1 ~= 0 or status < 100 or status > 999 then
    return nil, "its response has no status from 100 to 999"
  end
  if not VERSIONS[version] then return nil, 'the http_version of its response is not "1.0", "1.1" or "2"' end
  local headers, bytes = flat_headers(given.headers or {}), body.parse(given.body)
  if not headers then return nil, "its response has a header that is none" end
  if not bytes then return nil, "the body of its response cannot be read" end
  if not (is_list_of_numbers(given.pieces) and is_list_of_numbers(given.at)) then
    return nil, "the pieces of its response are no numbers"
  end
  local reason = type(given.reason) == "string" and not given.reason:find "%c" and given.reason or ""
  return { status = status, version = version, reason = reason, headers = headers, body = bytes, pieces = given.pieces,
    at = given.at }
end

local MEMBERS = { request = request_of, response = response_of,
  failure = function(given)
    if type(given.kind) ~= "string" then return nil, "its failure has no kind" end
    return given
  end,
  messages = function(given) return given end }

-- A member of an entry: gives it, or nil and what is wrong with it.
local function member_of(name, text, first, last)
  local make = MEMBERS[name]
  if not make then return text:sub(first, last) == "true" or nil end
  local given, err = decode_member(text, first, last)
  if err or type(given) ~= "table" then
    return nil, ("its %s is no JSON%s"):format(name, err and ": " .. err.message or " object")
  end
  return make(given)
end

---The entry that a text is; nil and what is wrong with it.
---@param text string
---@param only? "request"|"answer" that is wanted: the request, or what answers it
---@return table? entry
---@return string? problem
function format.parse(text, only)
  local entry, problem = {}, nil
  if not layout.value_end(text, 1) then return nil, "it is no JSON object" end
  layout.each_member(text, 1, function(name, first, last)
    if only and (name == "request") ~= (only == "request") then return false end
    entry[name], problem = member_of(name, text, first, last)
    return problem ~= nil or only == "request"
  end)
  if problem then return nil, problem end
  if only ~= "answer" and not entry.request then return nil, "it has no request" end
  if only ~= "request" and not (entry.response or entry.failure or entry.open) then return nil, "it has no response" end
  return entry
end

return format
