--- Media types by the endings of files' names.

local media_types = {}

media_types.UNKNOWN = "application/octet-stream"

local TYPES = {
  bin = media_types.UNKNOWN, bmp = "image/bmp", bz2 = "application/x-bzip2", css = "text/css", csv = "text/csv",
  doc = "application/msword", gif = "image/gif", gz = "application/gzip", htm = "text/html", html = "text/html",
  ico = "image/vnd.microsoft.icon", jpeg = "image/jpeg", jpg = "image/jpeg", js = "text/javascript",
  json = "application/json", log = "text/plain", lua = "text/x-lua", md = "text/markdown", mp3 = "audio/mpeg",
  mp4 = "video/mp4", ndjson = "application/x-ndjson", ogg = "audio/ogg", pdf = "application/pdf",
  png = "image/png", svg = "image/svg+xml", tar = "application/x-tar", tif = "image/tiff", tiff = "image/tiff",
  tsv = "text/tab-separated-values", txt = "text/plain", wav = "audio/wav", webm = "video/webm",
  webp = "image/webp", xml = "application/xml", yaml = "application/yaml", yml = "application/yaml",
  mjs = "text/javascript", wasm = "application/wasm", woff2 = "font/woff2", zip = "application/zip",
  zst = "application/zstd",
  xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  docx = "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
}

---@param name string
---@return string? type
function media_types.of(name)
  local ending = name:match("%.([%w]+)$")
  return ending and TYPES[ending:lower()]
end

return media_types
