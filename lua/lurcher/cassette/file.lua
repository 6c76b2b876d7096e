--- The file of a cassette: where its entries are, read one by one, so that a large one takes no more memory than a
--- small one; and written as a whole, or not at all.

local format = require "lurcher.cassette.format"
local fs = require "lurcher.fs"
local layout = require "lurcher.cassette.layout"
local native = require "lurcher.native.fs"
local new_places = require "lurcher.cassette.places"
local problem = require "lurcher.cassette.problem"
local scanner = require "lurcher.cassette.scanner"

local file = {}

file.problem = problem

local HEAD = '{\n  "lurcher_cassette": ' .. scanner.VERSION .. ',\n  "entries": ['
local TAIL = "\n  ]\n}\n"

---@class lurcher.cassette.File
---@field path string
---@field size integer
---@field places lurcher.cassette.Places
local File = {}
File.__index = File

---Reads a cassette from its start to its end.
---@param path string
---@param visit fun(text: string, offset: integer): lurcher.Error? each entry, and where it stands in the file
---@return lurcher.cassette.File? file whose entries may be read in any order
---@return lurcher.Error? err kind "file"
function file.open(path, visit)
  local reader, err = fs.open(path)
  if not reader then return nil, err end
  local size
  size, err = scanner.scan(path, reader, visit)
  if not size then
    reader:close()
    return nil, err
  end
  return setmetatable({ path = path, size = size, places = new_places(path, reader) }, File)
end

---What is wrong with an entry.
---@param path string
---@param offset integer
---@param what string
---@return lurcher.Error
function file.damaged(path, offset, what)
  return problem(path, ("is damaged: of the entry at byte %d %s"):format(offset + 1, what))
end

---The entry that stands there.
---@param offset integer
---@param stop? integer where the next one begins; nil: it is the last
---@param only? "request"|"answer"
---@return table? entry
---@return lurcher.Error? err
function File:entry(offset, stop, only)
  local text, err = self.places:read(offset, stop or self.size)
  if not text then return nil, err end
  local entry, what = format.parse(text, only)
  if entry then return entry end
  return nil, file.damaged(self.path, offset, what)
end

---The text of an entry, as it stands in the file.
---@param offset integer
---@param stop? integer
---@return string? text
---@return lurcher.Error? err
function File:text(offset, stop)
  local text, err = self.places:read(offset, stop or self.size)
  if not text then return nil, err end
  local last = layout.value_end(text, 1)
  if not last then return nil, file.damaged(self.path, offset, "the text does not end") end
  return text:sub(1, last)
end

---What is read after it opens the file again.
function File:close() self.places:close() end

---Writes a cassette for its owner only; whatever happens, the file is the old one or the new one.
---@param path string
---@param texts string[]
---@return true? ok
---@return lurcher.Error? err
function file.write(path, texts)
  local list = texts[1] and "\n" .. table.concat(texts, ",\n") or ""
  return native.write(path, HEAD .. list .. TAIL, true)
end

return file
