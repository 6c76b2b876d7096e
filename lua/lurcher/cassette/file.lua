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
  return setmetatable({ path = path, size = size, places = new_places(path, reader.native) }, File)
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

-- ---- writing ----

---@class lurcher.cassette.Writer
---@field count integer entries
local Writer = {}
Writer.__index = Writer

---Writes a cassette beside its file, for its owner only; at the end it takes the file's place.
---@param path string
---@return lurcher.cassette.Writer? writer
---@return lurcher.Error? err
function file.writer(path)
  local out, err = native.open_writer(path, "atomic", 0, true)
  if not out then return nil, err end
  return setmetatable({ out = out, count = 0 }, Writer)
end

local function put(self, text)
  local has_room, err = self.out:put(text)
  if has_room == false then return self.out:room() end
  return has_room, err
end

---@param text string
---@return true? ok
---@return lurcher.Error? err
function Writer:add(text)
  self.count = self.count + 1
  return put(self, (self.count == 1 and HEAD .. "\n" or ",\n") .. text)
end

---@return true? ok
---@return lurcher.Error? err
function Writer:close()
  local ok, err = put(self, (self.count == 0 and HEAD or "") .. TAIL)
  if not ok then return nil, err end
  return self.out:close(false)
end

---Leaves the file as it was.
function Writer:discard()
  pcall(self.out.close, self.out, true) -- it is closed even where this task may not wait
end

---Writes all entries of a cassette.
---@param path string
---@param texts string[]
---@return true? ok
---@return lurcher.Error? err
function file.write(path, texts)
  local out, err = file.writer(path)
  if not out then return nil, err end
  for _, text in ipairs(texts) do
    local ok
    ok, err = out:add(text)
    if not ok then
      out:discard()
      return nil, err
    end
  end
  return out:close()
end

return file
