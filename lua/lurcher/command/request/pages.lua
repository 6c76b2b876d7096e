--- `--pages`: every item of every page as a line of JSON, as the server wrote it.

local caret = require "lurcher.command.caret"
local errors = require "lurcher.base.errors"
local json_text = require "lurcher.command.json_text"
local overlay = require("lurcher.base.tables").overlay
local pages = require "lurcher.pages"
local path = require "lurcher.pages.path"
local pick = require "lurcher.command.show.pick"
local printing = require "lurcher.command.show.printing"
local send = require "lurcher.command.request.send"

local command = {}

local FORMS = "--pages is link, cursor:PARAM:PATH, offset[:PARAM], number[:PARAM] or url:PATH"

local NEXT = {
  link = function(rest) return rest == nil and pages.link() end,
  cursor = function(rest)
    local param, place = (rest or ""):match("^([^:]+):(.+)$")
    return param and pages.cursor { param = param, path = place }
  end,
  offset = function(rest) return rest ~= "" and pages.offset { param = rest } end,
  number = function(rest) return rest ~= "" and pages.number { param = rest } end,
  url = function(rest) return rest and rest ~= "" and pages.url { path = rest } end,
}

---Where the next page is, as `--pages=HOW` says it; raises wrong usage.
---@param how string|true
---@return lurcher.NextPage
function command.next_page(how)
  if how == true then return pages.link() end
  local name, rest = how:match("^([^:]*):(.*)$")
  local make = NEXT[name or how]
  local argument = "--pages=" .. how
  if not make then caret.refuse(FORMS, argument, 9, #argument) end
  return make(rest) or caret.refuse(FORMS, argument, 9 + #(name or how), #argument)
end

---The same as a script has it.
---@param how string|true
---@return string
function command.next_page_source(how)
  command.next_page(how)
  local name, rest = how == true and "link" or how:match("^[^:]*"), how ~= true and how:match("^[^:]*:(.*)$")
  if name == "cursor" then
    return ("pages.cursor { param = %q, path = %q }"):format(rest:match("^([^:]+):(.+)$"))
  end
  if not rest then return ("pages.%s()"):format(name) end
  return ("pages.%s { %s = %q }"):format(name, name == "url" and "path" or "param", rest)
end

---Has the first page requested, and whatever comes of it left away: for --offline.
---@param record lurcher.command.Record whose client sees the request and answers it
---@param settings table
function command.request_first(record, settings)
  local following = command.next_page(settings.pages)
  local opts = overlay(record.opts, { method = record.method, next = following, items = settings.items })
  local iterator = pages.each(send.client(record), record.url, opts)
  local ok, err = pcall(iterator)
  iterator:close()
  if not ok and not errors.is_error(err) then error(err, 0) end
end

-- The JSON text of a page's list; nil: it has none.
local function list_of(res, settings)
  if res.status == 204 then return nil end
  local value, err = res:json()
  if err then error(err, 0) end
  local text = pick.compact(assert(res:text()))
  if settings.items then text = pick.text(text, settings.items) or "[]" end
  if json_text.kind(text) == "array" then return text end
  if settings.items then return nil end -- null, or an empty object
  error(errors.new { kind = "decode", method = res.method, url = res.url, message =
    ("the page is %s, not a list; --items=PATH says where in it the list is"):format(path.outline(value)) }, 0)
end

local function each_item(settings, printer, iterator)
  for res in iterator do
    local list = list_of(res, settings)
    for item in list and json_text.members(list) or function() end do
      local ok, err = printer:value(item)
      if not ok then return nil, err end
    end
    printer:flush()
  end
  return true
end

-- Messages speak of options of scripts.
local function in_words_of_the_shell(err)
  err.message = err.message:gsub("the option `items`", "--items=PATH")
  return err
end

---@param record lurcher.command.Record
---@param settings table
---@param streams lurcher.command.Streams
---@return integer status
function command.run(record, settings, streams)
  local ok, following = pcall(command.next_page, settings.pages)
  if not ok then
    if not caret.is(following) then error(following, 0) end
    streams.err:write(tostring(following))
    return 2
  end
  local printer, failure = printing.new(settings, streams)
  if not printer then return printing.fail(streams, failure) end
  local opts = overlay(record.opts, { method = record.method, next = following, items = settings.items })
  local iterator = pages.each(send.client(record), record.url, opts)
  local done, written, err = pcall(each_item, settings, printer, iterator)
  if not done and not errors.is_error(written) then error(written, 0) end
  iterator:close()
  if not done then err = in_words_of_the_shell(written) end
  return printer:finish(done and written and true or nil, err)
end

return command
