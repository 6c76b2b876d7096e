--- What curl's -F says: parts of a form, with their types, file names and headers.

local data = require "lurcher.convert.data"
local headers = require "lurcher.http.headers"
local multipart = require "lurcher.http.multipart"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"

local curl_form = {}

-- What curl knows of types; ours knows more.
local TYPES = { gif = "image/gif", jpg = "image/jpeg", jpeg = "image/jpeg", png = "image/png", svg = "image/svg+xml",
  txt = "text/plain", htm = "text/html", html = "text/html", pdf = "application/pdf", xml = "application/xml" }

local function refuse(word, what) refusal.raise(("--form %s: %s"):format(word, what)) end

---The first value of a header that a part was given.
---@param part table
---@param name string in lower case
---@return string?
function curl_form.header(part, name)
  for _, line in ipairs(part.headers or {}) do
    if line[1]:lower() == name then return line[2] end
  end
end

-- A value in quotes, or up to one of `ends`; and the place behind it.
local function value_at(text, at, ends)
  at = text:find("[^ \t]", at) or #text + 1
  if text:sub(at, at) ~= '"' then
    local stop = text:find("[" .. ends .. "]", at) or #text + 1
    return text:sub(at, stop - 1):gsub("[ \t]+$", ""), stop
  end
  local pieces, from = {}, at + 1
  while true do
    local _, stop = text:find('^[^"\\]+', from)
    if stop then
      pieces[#pieces + 1], from = text:sub(from, stop), stop + 1
    end
    local escaped = text:match('^\\([\\"])', from)
    if escaped then
      pieces[#pieces + 1], from = escaped, from + 2
    elseif text:sub(from, from) == "\\" then
      pieces[#pieces + 1], from = "\\", from + 1
    else
      break
    end
  end
  local after = text:match('^"[ \t]*()', from)
  if after and (after > #text or text:find("^[" .. ends .. "]", after)) then return table.concat(pieces), after end
  local stop = text:find("[" .. ends .. "]", at) or #text + 1 -- no quote that ends the value: it is part of it
  return text:sub(at, stop - 1):gsub("[ \t]+$", ""), stop
end

local function header_into(part, line, word)
  local name, value = line:match("^([^:]+):%s*(.-)%s*$")
  if not name then refuse(word, ("'%s' is no header"):format(line)) end
  local ok, problem = pcall(headers.merge, {}, { [name] = parameters.shown(value) })
  if not ok then refuse(word, (tostring(problem):gsub("^[^:]*%.lua:%d+: ", ""))) end
  part.headers = part.headers or {}
  table.insert(part.headers, { name, value })
end

local ATTRIBUTES = { filename = true, headers = true, encoder = true }

-- A type with parameters of its own: `text/html;charset=utf-8`; and the place behind it.
local function type_at(text, at, ends)
  local pieces = {}
  repeat
    pieces[#pieces + 1], at = value_at(text, at, ends)
    local is_on = text:sub(at, at) == ";" and not ATTRIBUTES[text:match("^[ \t]*(%a+)=", at + 1)]
    at = is_on and at + 1 or at
  until not is_on
  return table.concat(pieces, ";"), at
end

-- `;type=…;filename=…` behind a value, and the place behind them.
local function attributes(part, text, at, word, ends)
  while text:sub(at, at) == ";" do
    local name, from = text:match("^[ \t]*(%a+)=()", at + 1)
    if name == "type" then
      part.type, at = type_at(text, from, ends)
    elseif name == "filename" then
      part.filename, at = value_at(text, from, ends)
    elseif name == "headers" then
      local line, stop = value_at(text, from, ends)
      if line:find("^[@<]") then
        for from_file in (data.read(line:sub(2)) .. "\n"):gmatch("([^\n]+)\n") do
          header_into(part, from_file:gsub("\r$", ""), word)
        end
      else
        header_into(part, line, word)
      end
      at = stop
    elseif name == "encoder" then
      refuse(word, "encoder= is not known: give the part encoded")
    else
      at = select(2, value_at(text, at + 1, ends)) -- curl drops what it does not know, with a warning
    end
  end
  return at
end

local function guessed(name)
  local ending = name:match("%.(%w+)$")
  return ending and TYPES[ending:lower()]
end

-- The type that curl would give to a file, where ours would be another.
local function settle_type(part)
  if part.type or curl_form.header(part, "content-type") then return end
  local shown = part.filename
  if shown == nil and part.file then shown = part.file:match("[^/]*$") end
  if not shown then return end
  local wanted = guessed(shown) or part.file and guessed(part.file) or part.file and "application/octet-stream"
  if part.file or wanted then
    if wanted and wanted ~= multipart.guessed(shown) then part.type = wanted end
  end
end

local function path_of(path, input)
  if path ~= "-" then return path end
  return input and input.path or data.STDIN
end

-- `@path,path`: a part, or several within one.
local function files(part, text, word, input)
  local all, at = {}, 1
  repeat
    local one = {}
    one.file, at = value_at(text, at + 1, ",;")
    if one.file == "" then refuse(word, "the file is missing") end
    at = attributes(one, text, at, word, ",;")
    if one.file == "-" then
      if input and input.text then refuse(word, "a here-document is no file") end
      one.filename = one.filename or "-"
    end
    one.file = path_of(one.file, input)
    settle_type(one)
    all[#all + 1] = one
  until text:sub(at, at) ~= ","
  if #all > 1 then
    part.mixed = all
    return
  end
  for key, value in pairs(all[1]) do part[key] = value end
end

-- `<path`: what the file holds is the value.
local function content(part, text, word, input)
  local path, at = value_at(text, 2, ";")
  if path == "-" and input and input.text then path, part.value = "", input.text end
  attributes(part, text, at, word, ";")
  if not part.value then part.content = path_of(path, input) end
  part.type = part.type or guessed(path) ~= "text/plain" and guessed(path) or nil
end

local function plain(part, text, word)
  local at
  part.value, at = value_at(text, 1, ";")
  attributes(part, text, at, word, ";")
  settle_type(part)
  if part.filename == nil then part.filename = false end
end

---The part that an argument of -F says: a part of `multipart`, or one with `content` (a path whose text is the
---value) or `mixed` (several files); its headers are lines { name, value }, as they were typed.
---@param word string
---@param input? { text?: string, path?: string } what is standard input
---@return table part
function curl_form.part(word, input)
  local name, text = word:match("^([^=]*)=(.*)$")
  if not name then refuse(word, "name=content is wanted") end
  local part = { name = name }
  local first = text:sub(1, 1)
  if first == "(" or text:find("^=%)") or name == "" and text == ")" then
    refuse(word, "parts within parts are not known")
  elseif first == "@" then
    files(part, text, word, input)
  elseif first == "<" then
    content(part, text, word, input)
  else
    plain(part, text, word)
  end
  if part.filename == false then part.filename = nil end
  return part
end

---The part of --form-string, which means nothing but itself.
---@param word string
---@return table
function curl_form.string(word)
  local name, text = word:match("^([^=]*)=(.*)$")
  if not name then refuse(word, "name=text is wanted") end
  return { name = name, value = text }
end

return curl_form
