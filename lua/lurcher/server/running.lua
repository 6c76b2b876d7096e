--- The servers that were started and not collected, for `lurcher test`, which stops those that a spec left.

return setmetatable({}, { __mode = "k" })
