--- Cassettes made of HAR archives, and archives of cassettes.

local clean = require "lurcher.cassette.clean"
local file = require "lurcher.cassette.file"
local format = require "lurcher.cassette.format"
local fs = require "lurcher.fs"
local har = require "lurcher.cassette.har"
local native = require "lurcher.native.fs"
local redactor = require "lurcher.cassette.redactor"

local archive = {}

-- The texts of entries without secrets; nil and the first entry that would hold one.
local function clean_texts(path, entries, redact)
  local own = redactor.new(redact)
  local cleaned, texts = {}, {}
  for i, entry in ipairs(entries) do cleaned[i] = clean.entry(own, entry) end
  for i, entry in ipairs(cleaned) do
    texts[i] = format.entry(clean.entry(own, entry)) -- of what was learned since
    local found = own.known:find(texts[i])
    if found then
      return nil, file.problem(path, ("was not written: its entry %d would hold a secret, %s"):format(i, found))
    end
  end
  return texts
end

---@param from string path of the archive
---@param to string path of the cassette
---@param redact table
---@return integer? entries
---@return lurcher.Error? err
function archive.read(from, to, redact)
  local text, err = fs.read(from)
  if not text then return nil, err end
  local entries, what = har.parse(text)
  if not entries then return nil, file.problem(from, what) end
  local texts
  texts, err = clean_texts(to, entries, redact)
  if not texts then return nil, err end
  local ok
  ok, err = file.write(to, texts)
  if not ok then return nil, err end
  return #texts
end

---@param from string path of the cassette
---@param to string path of the archive
---@return integer? entries
---@return lurcher.Error? err
function archive.write(from, to)
  local entries = {}
  local opened, err = file.open(from, function(text, offset)
    local entry, what = format.parse(text)
    if not entry then return file.damaged(from, offset, what) end
    entries[#entries + 1] = entry
  end)
  if not opened then return nil, err end
  opened:close()
  local ok
  ok, err = native.write(to, har.format(entries), true)
  if not ok then return nil, err end
  return #entries
end

return archive
