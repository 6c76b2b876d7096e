--- What a module of the runtime keeps for scripts. Confined scripts share none of it; the others share all.

local script_of_current = require("lurcher.native.task").script

local script = {}

---Makes a store: a function that gives what is kept for the script that runs, a table to write into; whether it is that
---of all scripts; and whether no other script was ever started.
---@return fun(): table, boolean, boolean
function script.store()
  local everyones = {}
  local of_confined = setmetatable({}, { __mode = "k" }) -- what stands for a script -> what is kept for it
  return function()
    local key, is_alone = script_of_current()
    if key == nil then return everyones, true, true end
    local kept = of_confined[key]
    if not kept then
      kept = {}
      of_confined[key] = kept
    end
    return kept, false, is_alone
  end
end

return script
