--- How things are shown: on a terminal or into a pipe, with colours or without.

local native = require "lurcher.native.terminal"
local palette = require "lurcher.command.show.palette"

local style = {}

local COLUMNS = 80 -- of a terminal that does not say

---@class lurcher.ShowStyle
---@field is_terminal boolean standard output is one
---@field is_pretty boolean JSON is indented
---@field colours lurcher.Palette of standard output
---@field error_colours lurcher.Palette of standard error
---@field columns integer
---@field is_compact? boolean JSON has one line

-- The width of a stream that is a terminal; nil: it is none.
local function columns_of(streams, name, descriptor)
  if streams[name] then return streams[name] end
  if streams.out ~= io.stdout then return nil end
  return native.columns(descriptor)
end

local function is_dumb()
  local terminal = os.getenv "TERM"
  return not terminal or terminal == "" or terminal == "dumb"
end

local function no_color()
  local wish = os.getenv "NO_COLOR"
  return wish ~= nil and wish ~= ""
end

---@param settings table the options: pretty, no_color
---@param streams lurcher.command.Streams
---@return lurcher.ShowStyle
function style.of(settings, streams)
  local columns = columns_of(streams, "columns", 1)
  local pretty = settings.pretty or "auto"
  local allowed = pretty ~= "none" and not settings.no_color and not no_color()
  local on_terminal = allowed and not is_dumb()
  local function colours(is_on) return is_on and palette.coloured or palette.plain end
  return {
    is_terminal = columns ~= nil, columns = columns and columns > 0 and columns or COLUMNS,
    is_pretty = pretty == "all" or pretty == "auto" and columns ~= nil,
    colours = colours(columns and on_terminal or not columns and allowed and pretty == "all"),
    error_colours = colours(columns_of(streams, "error_columns", 2) and on_terminal),
  }
end

return style
