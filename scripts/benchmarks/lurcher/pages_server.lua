-- PORT: a list of items {id, name, price} in pages, by cursor: /items?count=N&limit=N&cursor=N.

local json, server, task = require "lurcher.json", require "lurcher.server", require "lurcher.task"

assert(server.start { port = tonumber((...)), record = 0, handler = function(req)
  local count, limit = tonumber(req.query.count) or 0, tonumber(req.query.limit) or 100
  local first = (tonumber(req.query.cursor) or 0) + 1
  local last = math.min(first + limit - 1, count)
  local data = json.array {}
  for id = first, last do data[id - first + 1] = { id = id, name = "item " .. id, price = id % 1000 / 4 } end
  return { headers = { ["Content-Type"] = "application/json" },
    body = json.encode { data = data, next_cursor = last < count and last or json.null } }
end })
task.sleep(math.huge)
