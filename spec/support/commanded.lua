-- One request as the command makes it, in this process: what it writes, and the status it would end with.
--
--   local ended = commanded.run("get", s.url, "--pick=a")        -- { status=, out=, err= }
--   local ended = commanded.on_terminal(80, "get", s.url)        -- as if standard output were a terminal

local request = require "lurcher.command.request"

local commanded = {}

local function collector()
  local parts = {}
  return { write = function(self, ...)
    for i = 1, select("#", ...) do parts[#parts + 1] = (select(i, ...)) end
    return self
  end, flush = function() end, text = function() return table.concat(parts) end }
end

local function perform(columns, word, ...)
  local out, err = collector(), collector()
  local status = request.perform(word, { ... }, { out = out, err = err, columns = columns, error_columns = columns })
  return { status = status, out = out.text(), err = err.text() }
end

function commanded.run(word, ...) return perform(nil, word, ...) end

function commanded.on_terminal(columns, word, ...) return perform(columns, word, ...) end

---The same of another word's module: `perform` of it is given the arguments.
function commanded.call(perform_word, ...)
  local out, err = collector(), collector()
  local status = perform_word({ ... }, { out = out, err = err })
  return { status = status, out = out.text(), err = err.text() }
end

return commanded
