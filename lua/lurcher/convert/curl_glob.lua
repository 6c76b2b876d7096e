--- Sets and ranges in curl's URLs: `{a,b}`, `[1-3]`, `[001-100:10]`, `[a-z:2]`.

local refusal = require "lurcher.convert.refusal"

local curl_glob = {}

local MAX_URLS = 10000

local function refuse(url, at, what)
  refusal.raise(("%s at byte %d of the URL %s: -g takes [] and {} as they are"):format(what, at, url))
end

local function too_many(url)
  refusal.raise(("the URL %s stands for more than %d URLs"):format(url, MAX_URLS))
end

local function set(url, at)
  local stop = url:find("}", at, true)
  if not stop then refuse(url, at, "a { without its }") end
  local inner, choices = url:sub(at + 1, stop - 1), {}
  if inner == "" then refuse(url, at, "empty braces") end
  if inner:find("[{%[%]]") then refuse(url, at, "brackets within braces") end
  for choice in (inner .. ","):gmatch("([^,]*),") do choices[#choices + 1] = choice end
  return choices, stop + 1
end

local function letters(from, to, step)
  local choices = {}
  for code = from:byte(), to:byte(), step do choices[#choices + 1] = string.char(code) end
  return choices
end

-- A number that begins with zeros sets the width of all.
local function numbers(url, from, to, step)
  local width = from:find("^0") and #from or 0
  local first, last = tonumber(from), tonumber(to)
  if (last - first) / step >= MAX_URLS then too_many(url) end
  local choices = {}
  for number = first, last, step do choices[#choices + 1] = ("%0" .. math.min(width, 99) .. "d"):format(number) end
  return choices
end

local function range(url, at)
  local from, to, after = url:match("^%[(%a)%-(%a)()", at)
  local is_letters = from ~= nil
  if not from then from, to, after = url:match("^%[(%d+)%-(%d+)()", at) end
  local step, stop = url:match("^:(%d+)()", after or 1)
  step, stop = after and tonumber(step) or 1, after and stop or after
  if not from or not url:find("^%]", stop) or step < 1 or #to > 15 then refuse(url, at, "a bad range") end
  local rising = is_letters and from <= to and from:find("%l") == to:find("%l")
    or not is_letters and tonumber(from) <= tonumber(to)
  if not rising then refuse(url, at, "a bad range") end
  return is_letters and letters(from, to, step) or numbers(url, from, to, step), stop + 1
end

-- Brackets that are no range: an address, and the empty ones of PHP's arrays.
local function plain_bracket(url, at)
  return url:match("^%[%]", at) or url:match("^%[%x*:[%x:.]*%%?[%w%%]*%]", at)
end

-- The URL as a list of texts and lists of choices.
local function parse(url)
  local pieces, at, count = {}, 1, 1
  while at <= #url do
    local _, stop = url:find("^[^\\%[%]{}]+", at)
    local piece
    local byte = url:sub(at, at)
    if stop then
      piece, at = url:sub(at, stop), stop + 1
    elseif byte == "\\" then
      local escaped = url:match("^[{}%[%]]", at + 1)
      piece, at = escaped or "\\", at + (escaped and 2 or 1)
    elseif byte == "[" and plain_bracket(url, at) then
      piece = plain_bracket(url, at)
      at = at + #piece
    elseif byte == "{" or byte == "[" then
      piece, at = (byte == "{" and set or range)(url, at)
      count = count * #piece
      if count > MAX_URLS then too_many(url) end
    else
      refuse(url, at, ("a %s without its partner"):format(byte))
    end
    pieces[#pieces + 1] = piece
  end
  return pieces
end

---The URLs that one with sets and ranges stands for: the last of them runs fastest.
---@param url string
---@return string[]
function curl_glob.expand(url)
  if not url:find("[%[%]{}\\]") then return { url } end
  local urls = { {} }
  for _, piece in ipairs(parse(url)) do
    if type(piece) == "string" then piece = { piece } end
    local longer = {}
    for _, start in ipairs(urls) do
      for i, choice in ipairs(piece) do
        local parts = i < #piece and { unpack(start) } or start
        parts[#parts + 1] = choice
        longer[#longer + 1] = parts
      end
    end
    urls = longer
  end
  for i, parts in ipairs(urls) do urls[i] = table.concat(parts) end
  return urls
end

return curl_glob
