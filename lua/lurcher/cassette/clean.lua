--- An entry without secrets, as it goes into a file.

local crypto = require "lurcher.crypto"
local native = require "lurcher.native.http"

local clean = {}

local function find(flat, wanted)
  for i = 1, #flat, 2 do
    if flat[i]:lower() == wanted then return flat[i + 1], i + 1 end
  end
end

local MAX_DECODED = 64 * 1024 * 1024

-- A coded body as what it stands for: in the coding no secret is seen.
local function decoded(side)
  local coding, at = find(side.headers, "content-encoding")
  if not coding or side.body == "" or side.status == 206 then return side.headers, side.body end
  local body = native.decoded(coding, side.body, MAX_DECODED)
  if not body then return side.headers, side.body end
  local headers = {}
  for i = 1, #side.headers, 2 do
    if i + 1 ~= at then headers[#headers + 1], headers[#headers + 2] = side.headers[i], side.headers[i + 1] end
  end
  return headers, body, true
end

local KINDS = { ["application/x-www-form-urlencoded"] = "form", ["multipart/form-data"] = "multipart" }

local function kind_of(headers)
  local media = (find(headers, "content-type") or ""):lower():match "^[^;%s]+"
  return KINDS[media]
end

local function clean_headers(redactor, flat)
  local out = {}
  for i = 1, #flat, 2 do
    out[i], out[i + 1] = flat[i], redactor.known:replace(redactor:header(flat[i], flat[i + 1]))
  end
  return out
end

-- Where the pieces end once known values were taken out: of those that one was split over, somewhere in it.
local function replace_in_pieces(known, text, ends)
  local whole = known:replace(text)
  if whole == text or not ends then return whole, ends end
  local moved, from, sum = {}, 1, 0
  for i, stop in ipairs(ends) do
    sum = sum + #known:replace(text:sub(from, stop))
    moved[i], from = math.min(sum, #whole), stop + 1
  end
  moved[#moved] = #whole
  return whole, moved
end

---Takes out what names tell of, and what is known by now.
---@param redactor lurcher.cassette.Redactor
---@param request table
---@return table
function clean.request(redactor, request)
  local address = redactor.known:replace(redactor:url(request.url))
  local sent, body = decoded(request)
  local headers = clean_headers(redactor, sent)
  if body ~= "" then body = redactor.known:replace((redactor:text(body, kind_of(headers)))) end
  return { method = request.method, url = address, headers = headers, body = body }
end

-- The length that is said is that of the body there is, unless it broke off.
local function set_length(response, method, is_whole)
  local _, at = find(response.headers, "content-length")
  local has_none = method == "HEAD" or response.status == 204 or response.status == 304
  if at and is_whole and not has_none then response.headers[at] = ("%d"):format(#response.body) end
end

local function clean_response(redactor, response, method, is_whole)
  local came, plain, is_other = decoded(response)
  local headers = clean_headers(redactor, came)
  local body, ends = redactor:text(plain, kind_of(headers), not is_other and response.ends or nil)
  body, ends = replace_in_pieces(redactor.known, body, ends)
  local copy = { status = response.status, version = response.version,
    reason = redactor.known:replace(response.reason or ""), headers = headers, body = body, ends = ends,
    at = response.at }
  set_length(copy, method, is_whole)
  return copy
end

local function clean_text(redactor, text) return redactor.known:replace((redactor:text(text))) end

---A message of a WebSocket; of one of bytes what they stand for.
---@param redactor lurcher.cassette.Redactor
---@param one table
---@return table
function clean.message(redactor, one)
  local copy = {}
  for name, value in pairs(one) do
    local bytes = name:find "_base64$" and crypto.base64_decode(tostring(value))
    if bytes then
      copy[name] = crypto.base64(clean_text(redactor, bytes))
    else
      copy[name] = type(value) == "string" and clean_text(redactor, value) or value
    end
  end
  return copy
end

---@param redactor lurcher.cassette.Redactor
---@param entry table
---@return table
function clean.entry(redactor, entry)
  local request = clean.request(redactor, entry.request)
  local failure, messages = entry.failure, nil
  if failure then
    local message = failure.message and redactor.known:replace((redactor:text(failure.message, "line")))
    failure = { kind = failure.kind, phase = failure.phase, safe = failure.safe, message = message }
  end
  local response = entry.response
    and clean_response(redactor, entry.response, request.method, not (failure or entry.open)) or nil
  for i, one in ipairs(entry.messages or {}) do
    messages = messages or {}
    messages[i] = clean.message(redactor, one)
  end
  return { request = request, response = response, failure = failure, open = entry.open,
    messages = messages or entry.messages }
end

---Lengths in place of ends.
---@param entry table
function clean.measure(entry)
  local response = entry.response
  if not (response and response.ends) then return end
  response.pieces = {}
  for i, stop in ipairs(response.ends) do response.pieces[i] = stop - (response.ends[i - 1] or 0) end
end

---Ends in place of lengths.
---@param entry table
function clean.restore(entry)
  local response = entry.response
  if not (response and response.pieces) then return end
  local sum = 0
  response.ends = {}
  for i, length in ipairs(response.pieces) do
    sum = sum + length
    response.ends[i] = sum
  end
end

return clean
