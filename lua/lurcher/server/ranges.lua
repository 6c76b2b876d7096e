--- Parts of a file that a client asks for, and what it knows of the file already (RFC 9110, sections 13 and 14).

local date = require "lurcher.date"

local ranges = {}

local MAX_RANGES = 20
local MAX_HEADER = 1000 -- bytes of a Range that is read; a longer one is left alone, and so all is sent

---@class lurcher.server.Range
---@field first integer
---@field last integer

local function number(digits)
  return #digits <= 15 and tonumber(digits) or math.huge
end

-- One of the list; nil: it is malformed; false: the file has no such part.
local function parse_one(text, size)
  local first, last = text:match("^%s*(%d*)%s*%-%s*(%d*)%s*$")
  if not first or first == "" and last == "" then return nil end
  if first == "" then
    local count = math.min(number(last), size)
    return count > 0 and { first = size - count, last = size - 1 }
  end
  first, last = number(first), last ~= "" and number(last) or math.huge
  if last < first then return nil end
  return first < size and { first = first, last = math.min(last, size - 1) }
end

---The parts that a Range header names. Nil: all is sent, since the header is malformed, of another unit, or asks for
---more than there is; an empty list: there is no such part.
---@param header string?
---@param size integer bytes of the whole
---@return lurcher.server.Range[]?
function ranges.parse(header, size)
  if not header or #header > MAX_HEADER then return nil end
  local specs = header:match("^%s*[bB][yY][tT][eE][sS]%s*=(.*)$")
  if not specs then return nil end
  local list, total, count = {}, 0, 0
  for one in specs:gmatch("[^,]+") do
    local range = parse_one(one, size)
    if range == nil then return nil end
    count = count + 1
    if range then
      list[#list + 1] = range
      total = total + range.last - range.first + 1
    end
  end
  if count == 0 or count > MAX_RANGES or total > size then return nil end
  return list
end

-- Whether a list of entity tags has this one. `strong`: weak ones do not count.
local function lists(header, etag, strong)
  if header:find("^%s*%*%s*$") then return true end
  for weak, tag in header:gmatch('(W?/?)("[^"]*")') do
    if tag == etag and not (strong and weak ~= "") then return true end
  end
  return false
end

local function since(header)
  return header and date.parse(header)
end

---Whether a client's conditions make 304 or 412 of the answer.
---@param headers table<string, string>
---@param etag string
---@param modified integer seconds
---@return integer? status
function ranges.condition(headers, etag, modified)
  local match, none_match = headers["if-match"], headers["if-none-match"]
  if match then
    if not lists(match, etag, true) then return 412 end
  else
    local unmodified = since(headers["if-unmodified-since"])
    if unmodified and modified > unmodified then return 412 end
  end
  if none_match then return lists(none_match, etag) and 304 or nil end
  local modified_since = since(headers["if-modified-since"])
  if modified_since and modified <= modified_since then return 304 end
end

---Whether the client's earlier part is of this very file: else it gets all of it.
---@param header string? If-Range
---@param etag string
---@param modified integer
---@return boolean
function ranges.still_same(header, etag, modified)
  if not header then return true end
  if header:find('"', 1, true) then return header:match("^%s*(.-)%s*$") == etag end
  return since(header) == modified
end

return ranges
