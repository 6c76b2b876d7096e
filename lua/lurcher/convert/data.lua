--- Bodies that a command puts together of texts and of files, which may be read later than the command.

local fs = require "lurcher.fs"
local http_file = require "lurcher.http.file"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"

local data = {}

---@class lurcher.ConvertData
---@field pieces (string|{ path: string, strips: boolean })[] files whose line ends and NULs are left out, or whole
local Data = { __name = "lurcher.ConvertData" }
Data.__index = Data

data.STDIN = "/dev/stdin"

---@param value any
---@return boolean
function data.is(value)
  return type(value) == "table" and getmetatable(value) == Data
end

-- Whether only the script that is written, or whoever runs the command, has the file.
local function is_later(path)
  return path == data.STDIN or parameters.is_in(path)
end

---The body of the whole file.
---@param path string
---@return lurcher.File|lurcher.ConvertData
function data.file(path)
  return is_later(path) and data.new { { path = path, strips = false } } or http_file.new(path)
end

---The body of pieces: a string where all is known, `http.file` where it is one file as it is.
---@param pieces (string|{ path: string, strips: boolean })[]
---@return string|lurcher.File|lurcher.ConvertData
function data.new(pieces)
  local joined, texts = {}, {}
  local function flush()
    if texts[1] then joined[#joined + 1], texts = table.concat(texts), {} end
  end
  for _, piece in ipairs(pieces) do
    if type(piece) == "string" then
      texts[#texts + 1] = piece
    else
      flush()
      joined[#joined + 1] = piece
    end
  end
  flush()
  local only = joined[1]
  if #joined == 0 then return "" end
  if #joined == 1 and type(only) == "string" then return only end
  if #joined == 1 and not only.strips and not is_later(only.path) then return http_file.new(only.path) end
  return setmetatable({ pieces = joined }, Data)
end

---What a file holds; what cannot be read is a refusal of kind "file".
---@param path string
---@param strips? boolean without CR, LF and NUL, as curl reads -d @path
---@return string
function data.read(path, strips)
  if parameters.is_in(path) then
    refusal.raise(("the file %s would be read now: write its name in the place of the variable"):format(
      parameters.shown(path)))
  end
  local text, err = fs.read(path)
  if not text then refusal.raise(err.message, nil, err.kind) end
  return strips and text:gsub("[\r\n%z]+", "") or text
end

---The text of a body, its files read now.
---@param body lurcher.ConvertData
---@return string
function data.text(body)
  local pieces = {}
  for i, piece in ipairs(body.pieces) do
    pieces[i] = type(piece) == "string" and piece or data.read(piece.path, piece.strips)
  end
  return table.concat(pieces)
end

return data
