--- What busted writes for other programs, so that they can read it: XML has no control characters, and in TAP a `#`
--- of a name would be a directive ("not ok 1 - # SKIP" is no failure).

local text = require "lurcher.base.text"

local reports = {}

-- What XML cannot hold; line ends and tabs may stand.
local function clean_xml(document)
  return text.utf8((document:gsub("[%z\1-\8\11\12\14-\31\127]", function(c) return ("\\x%02X"):format(c:byte()) end)))
end

local function clean_name(name) return (text.printable(name):gsub("#", "\\#")) end

local function junit()
  local xml = require "pl.xml"
  local write = xml.tostring
  function xml.tostring(...) return clean_xml(write(...)) end
end

local function tap()
  local make = require "busted.outputHandlers.base"
  package.loaded["busted.outputHandlers.base"] = function(...)
    local handler = make(...)
    local full_name = handler.getFullName
    function handler.getFullName(...) return clean_name(full_name(...)) end
    return handler
  end
end

---@param output string? what -o says
function reports.install(output)
  if output == "junit" then junit() elseif output == "TAP" then tap() end
end

return reports
