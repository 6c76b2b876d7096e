-- Images, byte for byte, and which is given for what Accept asks.

local assert = require "luassert"

local FILES = { png = "pig_icon.png", jpeg = "jackal.jpg", webp = "wolf_1.webp", svg = "svg_logo.svg" }
local TYPES = { png = "image/png", jpeg = "image/jpeg", webp = "image/webp", svg = "image/svg+xml" }

local routes = {}

local function check(bin, name, path, headers)
  local response = assert(bin.api:get(path, { headers = headers }))
  assert.equal(TYPES[name], response.headers["content-type"]:match "^[^;]+")
  assert.is_true(response.body == bin.template("images/" .. FILES[name]))
end

for name in pairs(FILES) do
  local path = "/image/" .. name
  routes[path] = function(bin) check(bin, name, path) end
end

routes["/image"] = function(bin)
  for name, kind in pairs(TYPES) do check(bin, name, "/image", { Accept = kind }) end
  check(bin, "png", "/image", { Accept = "image/*" })
  local refused = assert(bin.api:get("/image", { headers = { Accept = "text/html" } }))
  assert.equal(406, refused.status)
  assert.same({ "image/webp", "image/svg+xml", "image/jpeg", "image/png", "image/*" }, assert(refused:json()).accept)
end

return routes
