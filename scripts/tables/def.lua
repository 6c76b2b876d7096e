-- Reads the tables of the C sources: files of macro calls with names, numbers and texts as arguments.

local def = {}

local ESCAPES = { n = "\n", t = "\t", ['"'] = '"', ["\\"] = "\\" }
local WORDS = { ["true"] = true, ["false"] = false }

-- The arguments of a call whose "(" is just before `at`, and where it ends.
local function arguments(text, at)
  local list, current = { n = 0 }, nil
  while true do
    local literal, after = "", text:match('^%s*""()', at)
    if not after then literal, after = text:match('^%s*"(.-[^\\])"()', at) end
    local word, past = text:match("^%s*([%w_]+)()", at)
    local mark, beyond = text:match("^%s*([,)])()", at)
    if literal then
      current = (current or "") .. literal:gsub("\\(.)", ESCAPES)
      at = after
    elseif word then
      current, at = word, past
      if WORDS[word] ~= nil then current = WORDS[word] elseif word == "NULL" then current = nil end
    elseif mark then
      list.n = list.n + 1
      list[list.n], current, at = current, nil, beyond
      if mark == ")" then return list, at end
    else
      error("cannot read: " .. text:sub(at, at + 60))
    end
  end
end

---The calls of `macro` in a file, each as the list of its arguments.
---@param path string
---@param macro string
---@return table[]
function def.read(path, macro)
  local file = assert(io.open(path))
  local text = file:read("*a"):gsub("/%*.-%*/", "")
  file:close()
  local calls, at = {}, 1
  while true do
    local _, opened = text:find("%f[%w_]" .. macro .. "%(", at)
    if not opened then return calls end
    calls[#calls + 1], at = arguments(text, opened + 1)
  end
end

return def
