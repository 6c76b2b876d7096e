--- What `lurcher test` asks the system: which descriptors are open, and which processes there are.
---
--- The names in C are our own, so that specs can declare the functions as they like.

local ffi = require "ffi"

ffi.cdef [[
  struct lurcher_test_entry { uint64_t inode; int64_t next; uint16_t size; uint8_t type; char name[256]; };
  void *lurcher_test_opendir(const char *) __asm__("opendir");
  struct lurcher_test_entry *lurcher_test_readdir(void *) __asm__("readdir64");
  int lurcher_test_closedir(void *) __asm__("closedir");
  long lurcher_test_readlink(const char *, char *, size_t) __asm__("readlink");
  int lurcher_test_getrusage(int, long *) __asm__("getrusage");
  int lurcher_test_getpid(void) __asm__("getpid");
  int lurcher_test_kill(int, int) __asm__("kill");
  int lurcher_test_setenv(const char *, const char *, int) __asm__("setenv");
]]

local C = ffi.C
local open = io.open -- that of specs notes who opened what

local SIZE = 4096
local CHILDREN, MINOR_FAULTS = -1, 8 -- of getrusage: whose, and which of the longs
local KILL = 9
local MAX_READ = 2 ^ 20
local scratch, usage = ffi.new("char[?]", SIZE), ffi.new("long[64]")

local system = { pid = C.lurcher_test_getpid() }

---The numbers that files in a folder of /proc have as their names.
---@param folder string
---@return integer[]
function system.numbers(folder)
  local list, directory = {}, C.lurcher_test_opendir(folder)
  if directory == nil then return list end
  while true do
    local entry = C.lurcher_test_readdir(directory)
    if entry == nil then break end
    list[#list + 1] = tonumber(ffi.string(entry.name))
  end
  C.lurcher_test_closedir(directory)
  return list
end

---What a symbolic link says; nil: it is gone.
---@param path string
---@return string?
function system.link(path)
  local length = tonumber(C.lurcher_test_readlink(path, scratch, SIZE))
  return length >= 0 and ffi.string(scratch, length) or nil
end

---The bytes of a file of /proc; "" when it is gone.
---@param path string
---@return string
function system.read(path)
  local file = open(path, "rb")
  if not file then return "" end
  local text = file:read(MAX_READ)
  file:close()
  return text or ""
end

---A number that changes whenever a child of this process ends.
---@return integer
function system.ended()
  C.lurcher_test_getrusage(CHILDREN, usage)
  return tonumber(usage[MINOR_FAULTS])
end

---Ends a process at once.
---@param pid integer
function system.kill(pid) C.lurcher_test_kill(pid, KILL) end

---A variable for all processes that are started from now on.
---@param name string
---@param value string
function system.set_variable(name, value) C.lurcher_test_setenv(name, value, 1) end

return system
