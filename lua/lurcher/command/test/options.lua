--- The options of `lurcher test` that busted does not have, and which of its words are paths.

local options = {}

-- Options of busted whose value may be the next word.
local WITH_VALUE = {}
for word in ("-o -p -e -f -C -t -m -r -d -Xoutput -Xhelper --output --pattern --exclude-pattern --config-file "
  .. "--coverage-config-file --tags --exclude-tags --filter --filter-out --lpath --cpath --run --repeat --seed --lang "
  .. "--loaders --helper --lua --directory"):gmatch "%S+" do
  WITH_VALUE[word] = true
end

---@class lurcher.command.TestOptions
---@field jobs integer
---@field watch boolean
---@field coverage boolean

---Takes our own options out of the words.
---@param words string[]
---@return lurcher.command.TestOptions? own nil: the second says what is wrong
---@return string[]|string rest
function options.take(words)
  local own, rest = { jobs = 1, watch = false, coverage = false }, {}
  for _, word in ipairs(words) do
    local jobs = word:match "^%-%-jobs=(.*)$"
    if jobs then
      own.jobs = tonumber(jobs)
      if not own.jobs or own.jobs % 1 ~= 0 or own.jobs < 1 or own.jobs > 256 then
        return nil, "--jobs=N is a number of processes from 1 to 256, got '" .. jobs .. "'"
      end
    elseif word == "--watch" then
      own.watch = true
    elseif word == "--coverage" or word == "-c" then
      own.coverage = true
    else
      rest[#rest + 1] = word
    end
  end
  return own, rest
end

---Busted's words: its options, and the paths.
---@param words string[]
---@return string[] options
---@return string[] paths
---@return string? output what -o says
function options.split(words)
  local given, paths, output, at = {}, {}, nil, 1
  while words[at] do
    local word = words[at]
    if word:sub(1, 1) ~= "-" then
      paths[#paths + 1] = word
    else
      given[#given + 1] = word
      output = word:match "^%-%-output=(.*)$" or word:match "^%-o(.+)$" or output
      if WITH_VALUE[word] then
        at = at + 1
        given[#given + 1] = words[at]
        if word == "-o" or word == "--output" then output = words[at] end
      end
    end
    at = at + 1
  end
  return given, paths, output
end

return options
