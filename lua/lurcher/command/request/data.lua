--- The items that make the body of a request.

local data = {}

---@param opts table
---@param list lurcher.command.Item[]
---@param settings table
function data.add(opts, list, settings)
  if settings.form then
    opts.form = {}
    for i, item in ipairs(list) do opts.form[i] = { item.name, item.value } end
    return
  end
  local members = {}
  for i, item in ipairs(list) do
    local value = item.separator == ":=" and item.value or require("lurcher.json").encode(item.value)
    members[i] = require("lurcher.json").encode(item.name) .. ":" .. value
  end
  opts.body = "{" .. table.concat(members, ",") .. "}"
  opts.headers = opts.headers or {}
  opts.headers["Content-Type"] = "application/json"
end

return data
