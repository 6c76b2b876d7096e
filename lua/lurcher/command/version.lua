--- What `lurcher --version` prints: its version, and those of the libraries that it runs on.

local ffi = require "ffi"

ffi.cdef [[
  const char *curl_version(void);
  const char *uv_version_string(void);
]]

local version = {}

function version.print()
  print("lurcher " .. require "lurcher.native.version")
  local libcurl = ffi.load "libcurl.so.4" -- which the command itself loads with the first client
  local curl = ffi.string(libcurl.curl_version()):gsub("/", " "):gsub(" (%a)", ", %1"):gsub("^libcurl, ", "libcurl ")
  print(("%s, libuv %s, %s"):format(jit.version, ffi.string(ffi.C.uv_version_string()), curl))
end

return version
