--- What `lurcher --version` prints: its version, and those of the libraries that it runs on.

local ffi = require "ffi"

ffi.cdef [[
  const char *curl_version(void);
  const char *uv_version_string(void);
]]

local version = {}

function version.print()
  local curl = ffi.string(ffi.C.curl_version()):gsub("/", " "):gsub(" (%a)", ", %1"):gsub("^libcurl, ", "libcurl ")
  print("lurcher " .. require "lurcher.native.version")
  print(("%s, libuv %s, %s"):format(jit.version, ffi.string(ffi.C.uv_version_string()), curl))
end

return version
