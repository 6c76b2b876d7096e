--- Local files, without blocking the loop: the work is done on a thread pool while other tasks run.
---
--- What the world refuses comes back as `nil, err`: err.kind is "file", err.code the errno's name ("ENOENT"),
--- and the message names the path. Iterators raise the same object.

local check = require "lurcher.base.check"
local errors = require "lurcher.base.errors"
local owned = require "lurcher.task.owned"
local native = require "lurcher.native.fs"

local MIB = 1024 * 1024

local fs = {}

local function check_path(path, what, index)
  index = index or 1
  check.argument(path, "string", index, what)
  if path:find("\0", 1, true) then
    errors.raise(("bad argument #%d to '%s' (a path cannot contain a NUL byte)"):format(index, what))
  end
  return path
end

local read_options = { max = "size|huge" }

---Reads a whole file.
---@param path string
---@param opts? { max?: integer } `max`: bytes; a larger file is kind "too_large". Default: 1 GiB
---@return string? data
---@return lurcher.Error? err
function fs.read(path, opts)
  check_path(path, "fs.read")
  check.options(opts, read_options, "fs.read")
  local data, err = native.read(path, opts and opts.max or 1024 * MIB)
  if not data then return nil, err end
  return data
end

---Writes a whole file, atomically: the data goes to a temporary file beside it, to the disk, and takes the
---place of the old file, whose mode is kept. Whatever happens, the file holds either the old bytes or the new
---ones. A symbolic link is followed. Devices, pipes and sockets are written to directly, and so is what a process
---has open ("/dev/stdout").
---@param path string
---@param data string
---@return true? ok
---@return lurcher.Error? err
function fs.write(path, data)
  check_path(path, "fs.write")
  check.argument(data, "string", 2, "fs.write")
  return native.write(path, data)
end

---Adds to the end of a file, which is made when it is missing. For many small pieces `fs.writer` is faster.
---@param path string
---@param data string
---@return true? ok
---@return lurcher.Error? err
function fs.append(path, data)
  check_path(path, "fs.append")
  check.argument(data, "string", 2, "fs.append")
  return native.append(path, data)
end

---Whether there is something of that name; a link that leads nowhere is nothing.
---@param path string
---@return boolean? exists
---@return lurcher.Error? err when that cannot be found out
function fs.exists(path)
  return native.exists(check_path(path, "fs.exists"))
end

local mkdir_options = { parents = "boolean" }

---Makes a directory.
---@param path string
---@param opts? { parents?: boolean } `parents`: make those above it, too; one that is there already is fine
---@return true? ok
---@return lurcher.Error? err
function fs.mkdir(path, opts)
  check_path(path, "fs.mkdir")
  check.options(opts, mkdir_options, "fs.mkdir")
  return native.mkdir(path, opts and opts.parents or false)
end

local list_options = { details = "boolean" }

---The names in a directory, sorted.
---@param path string
---@param opts? { details?: boolean } `details`: instead of names, tables of `name`, `type` ("file", "link",
---"directory", "other"), `size` (bytes) and `modified` (seconds since 1970)
---@return table? entries
---@return lurcher.Error? err
function fs.list(path, opts)
  check_path(path, "fs.list")
  check.options(opts, list_options, "fs.list")
  return native.list(path, opts and opts.details or false)
end

local remove_options = { recursive = "boolean" }

---Removes a file, a link or an empty directory.
---@param path string
---@param opts? { recursive?: boolean } `recursive`: and all that is in it; links in it are not followed
---@return true? ok
---@return lurcher.Error? err
function fs.remove(path, opts)
  check_path(path, "fs.remove")
  check.options(opts, remove_options, "fs.remove")
  return native.remove(path, opts and opts.recursive or false)
end

---Gives a file or directory another name, on the same file system; a file that has that name is replaced.
---@param from string
---@param to string
---@return true? ok
---@return lurcher.Error? err
function fs.rename(from, to)
  check_path(from, "fs.rename")
  return native.rename(from, check_path(to, "fs.rename", 2))
end

---Copies the bytes of a file, atomically as `fs.write`. A new file gets the mode of the old one.
---@param from string
---@param to string a file, not a directory
---@return true? ok
---@return lurcher.Error? err
function fs.copy(from, to)
  check_path(from, "fs.copy")
  return native.copy(from, check_path(to, "fs.copy", 2))
end

-- ---- reading piece by piece ----

---@class lurcher.FileReader
local Reader = {}
Reader.__index = Reader

---The next bytes: as many as are there, at most `size`; nil at the end.
---@param size? integer default 64 KiB
---@return string? bytes
---@return lurcher.Error? err
function Reader:read(size)
  if size ~= nil then check.argument(size, "count", 1, "read") end
  local file = self.native
  while true do
    local bytes = file:take(size or 65536)
    if bytes then return bytes end
    if file:ended() then return nil end
    local ok, err = file:fill()
    if not ok then return nil, err end
  end
end

---The next line, without its LF or CRLF; nil at the end. The last line may lack its end.
---@param max? integer bytes; a longer line is kind "too_large". Default: 1 MiB
---@return string? line
---@return lurcher.Error? err
function Reader:line(max)
  if max ~= nil then check.argument(max, "size|huge", 1, "line") end
  local file = self.native
  max = max or MIB
  while true do
    local line = file:take_line(max)
    if line then return line end
    if line == false then
      return nil, errors.new {
        kind = "too_large",
        message = ("a line of '%s' is longer than max = %d bytes"):format(self.path, max),
        limit = max,
      }
    end
    if file:ended() then return nil end
    local ok, err = file:fill()
    if not ok then return nil, err end
  end
end

---Closes the file. Nothing when it is closed already.
function Reader:close()
  self.native:close()
end

local function open_reader(path)
  local file, err = native.open_reader(path)
  if not file then return nil, err end
  return setmetatable({ native = file, path = path }, Reader)
end

---@class lurcher.FileLines
---@overload fun(): string?
local Lines = {}
Lines.__index = Lines

-- The iterator itself: opens at the first call, closes at the end and at a failure.
function Lines:__call()
  if self.closed then return nil end
  local reader, line, err = self.reader
  if not reader then
    reader, err = open_reader(self.path)
    self.reader = reader
  end
  if reader then
    line, err = reader:line(self.max)
  end
  if line then return line end
  self:close()
  if err then error(err, 0) end
  return nil
end

---Closes the file; the iteration is over. Only needed for a loop left early in a task that goes on for long.
function Lines:close()
  self.closed = true
  if self.reader then self.reader:close() end
end

local lines_options = { max = "size|huge" }

---Iterates over the lines of a file (LF or CRLF, which are not part of the line), reading ahead a bounded
---piece.
---    for line in fs.lines("urls.txt") do … end
---@param path string
---@param opts? { max?: integer } `max`: bytes; a longer line raises kind "too_large". Default: 1 MiB
---@return lurcher.FileLines iterator
function fs.lines(path, opts)
  check_path(path, "fs.lines")
  check.options(opts, lines_options, "fs.lines")
  return setmetatable({ path = path, max = opts and opts.max or MIB }, Lines)
end

-- ---- writing piece by piece ----

---@class lurcher.FileWriter
local Writer = {}
Writer.__index = Writer

---Adds to the buffer, which is written in the background; waits while it is full. Pieces of several tasks are
---never mixed within one call.
---@param data string
---@return true? ok
---@return lurcher.Error? err of an earlier piece, perhaps; nothing can be written any more
function Writer:write(data)
  if type(data) ~= "string" then check.argument(data, "string", 1, "write") end
  local file = self.native
  if not file:is_open() then errors.raise(("'%s' was closed before this write"):format(self.path)) end
  local room, err = file:put(data)
  if room then return true end
  if err then return nil, err end
  return file:room()
end

---Waits until all that was written so far has reached the operating system.
---@return true? ok
---@return lurcher.Error? err
function Writer:flush()
  return self.native:flush()
end

---Writes what is left and closes the file; an atomic one appears under its name now. Closing again gives the
---same.
---@return true? ok
---@return lurcher.Error? err
function Writer:close()
  self.open[self] = nil
  return self.native:close(false)
end

---Closes the file without completing it: an atomic one leaves nothing behind.
---@return true? ok
---@return lurcher.Error? err
function Writer:discard()
  self.open[self] = nil
  return self.native:close(true)
end

-- What a task left open: the data is kept, but an atomic file, being incomplete, is not.
local keep = owned.registry(function(open)
  local first_err
  for writer in pairs(open) do
    local _, err = writer.native:close(writer.atomic)
    first_err = first_err or err
  end
  if first_err then error(first_err, 0) end
end)

local function open_writer(path, mode)
  local file, err = native.open_writer(path, mode)
  if not file then return nil, err end
  local writer = setmetatable({ native = file, path = path, atomic = mode == "atomic" }, Writer)
  writer.open = keep(writer)
  return writer
end

local writer_options = { append = "boolean", atomic = "boolean" }

---Opens a file for writing from any number of tasks through one buffer.
---    local out = assert(fs.writer("items.ndjson", { append = true }))
---@param path string
---@param opts? { append?: boolean, atomic?: boolean } `append`: keep what is in the file. `atomic`: write
---beside it; the file appears, complete, at `close`. Without either the file is emptied first
---@return lurcher.FileWriter? writer closed at the latest when the task that opened it ends
---@return lurcher.Error? err
function fs.writer(path, opts)
  check_path(path, "fs.writer")
  check.options(opts, writer_options, "fs.writer")
  local append, atomic = opts and opts.append, opts and opts.atomic
  if append and atomic then errors.raise("fs.writer: options 'append' and 'atomic' exclude each other") end
  return open_writer(path, atomic and "atomic" or append and "append" or "truncate")
end

---Opens a file: "r" (the default) gives a reader, "w" (emptied) and "a" (appended to) a writer.
---@param path string
---@param mode? "r"|"w"|"a"
---@return lurcher.FileReader|lurcher.FileWriter|nil file
---@return lurcher.Error? err
function fs.open(path, mode)
  check_path(path, "fs.open")
  if mode ~= nil then check.argument(mode, "'r'|'w'|'a'", 2, "fs.open") end
  if mode == "w" then return open_writer(path, "truncate") end
  if mode == "a" then return open_writer(path, "append") end
  return open_reader(path)
end

return fs
