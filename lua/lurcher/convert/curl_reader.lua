--- Commands of curl, as a text for a shell or as a list of words, to requests.

local cmd_words = require "lurcher.convert.cmd_words"
local cookie_file = require "lurcher.http.cookies.file"
local cookie_jar = require "lurcher.http.cookies.jar"
local curl_arguments = require "lurcher.convert.curl_arguments"
local curl_request = require "lurcher.convert.curl_request"
local curl_settings = require "lurcher.convert.curl_settings"
local data = require "lurcher.convert.data"
local parameters = require "lurcher.convert.parameters"
local refusal = require "lurcher.convert.refusal"
local shell_words = require "lurcher.convert.shell_words"

local curl_reader = {}

local MAX_SHOWN = 60 -- bytes of a command that a warning quotes

-- Words of a shell that may stand before a command, and programs that run another.
local BEFORE = {}
for word in ("$ { ! time do then else if while until sudo command exec env nohup"):gmatch("%S+") do
  BEFORE[word] = true
end

local function is_curl(word)
  return (word:match("[^/\\]*$"):lower():gsub("%.exe$", "")) == "curl"
end

-- Where "curl" stands in a command's words: behind assignments and such. Nil when it is another program's.
local function curl_at(words)
  for i, word in ipairs(words) do
    if is_curl(word) then return i end
    if not BEFORE[word] and not word:find("^[%a_][%w_]*=") then return nil end
  end
  return nil
end

local function shown_command(text, command)
  local piece = parameters.shown(text:sub(command.from, command.to)):gsub("%s+", " ")
  return #piece > MAX_SHOWN and piece:sub(1, MAX_SHOWN) .. "…" or piece
end

-- ---- what is left out ----

local function warn_of_other(text, command, before, warnings)
  local piece = shown_command(text, command)
  if piece == "" or piece == "done" or piece == "fi" or piece == "}" then return end
  if before and before.after == "&" and before.is_curl then
    warnings[#warnings + 1] = ("an unquoted & ended the command before '%s': put the URL in quotes"):format(piece)
  elseif command.before == "|" or command.after == "|" then
    warnings[#warnings + 1] = ("the pipe's other command is left out: %s"):format(piece)
  else
    warnings[#warnings + 1] = ("what is no curl command is left out: %s"):format(piece)
  end
end

local function warn_of_redirections(command, warnings)
  for _, piece in ipairs(command.redirected) do
    warnings[#warnings + 1] = ("the redirection %s is left out: the body is in res.body"):format(piece)
  end
end

-- ---- requests ----

-- Adds the requests of a command's words behind "curl"; they share its warnings.
local function add_command(words, input, warnings, requests)
  local before = #requests
  for _, block in ipairs(curl_arguments.read(words)) do
    curl_request.add(curl_settings.read(block, input, warnings), requests)
  end
  for i = before + 1, #requests do requests[i].warnings = warnings end
end

-- The words from one on: there may be more than a stack holds.
local function words_from(words, first)
  local rest = {}
  for i = first, #words do rest[#rest + 1] = words[i] end
  return rest
end

local function from_list(words, requests)
  local list = words_from(words, words[1] and is_curl(words[1]) and 2 or 1)
  for i, word in ipairs(list) do
    if word:find("\0", 1, true) then refusal.raise(("word %d holds a NUL byte"):format(i)) end
  end
  add_command(list, nil, {}, requests)
end

-- What is told of other commands goes to the one before them, or to the first.
local function from_text(text, values, requests)
  local read = cmd_words.is_cmd(text) and cmd_words or shell_words
  local before, warnings = nil, {}
  for _, command in ipairs(read.read(text, values)) do
    local at = curl_at(command.words)
    if at then
      command.is_curl = true
      if #requests > 0 then warnings = {} end
      warn_of_redirections(command, warnings)
      add_command(words_from(command.words, at + 1), command.input, warnings, requests)
    else
      warn_of_other(text, command, before, warnings)
    end
    before = command
  end
  if #requests == 0 then refusal.raise "there is no curl command" end
end

-- The scheme of credentials, which holds them where nobody prints them.
local function with_scheme(auth)
  if not auth.scheme then return auth end
  local module = auth.scheme == "aws_sigv4" and "sigv4" or auth.scheme
  return require("lurcher.http.auth." .. module)(unpack(auth))
end

-- What only those can heed who send the request at once.
local function leave_out_output(request)
  local output = request.shown.output
  request.shown = nil
  if not output then return end
  table.insert(request.warnings, ("--output %s is left out: the body is in res.body; res:save and http.download \z
    write files"):format(parameters.shown(output)))
end

local function read(source, values, sends)
  local requests = {}
  if type(source) == "table" then
    from_list(source, requests)
  else
    from_text(source, values, requests)
  end
  for _, request in ipairs(requests) do
    request.parameters = parameters.settle(request)
    request.opts.auth = request.opts.auth and with_scheme(request.opts.auth)
    if not sends then leave_out_output(request) end
  end
  return requests
end

---The requests of curl commands, with files that they name not read yet: `opts.body` and values of parts may be
---a lurcher.ConvertData, and `client` are the options of the client that sends them.
---@param source string|string[] commands for a shell, or the words of one
---@param values? table<string, string>|fun(name: string): string? of variables
---@return lurcher.CurlRequest[]? requests
---@return lurcher.Error? err
function curl_reader.unread(source, values)
  return refusal.catch(type(source) == "string" and source or nil, read, source, values)
end

-- ---- files ----

local function read_cookies(request)
  local jar = cookie_jar.new()
  local path = request.client.cookies
  request.client = nil
  local ok, err = cookie_file.load(jar, path, true)
  if not ok then refusal.raise(err.message, nil, err.kind) end
  local headers = request.opts.headers or {}
  for name in pairs(headers) do
    if name:lower() == "cookie" then return end
  end
  local line = jar:header(request.url)
  if line then
    headers.Cookie = line
    request.opts.headers = headers
  end
end

local function read_files(request)
  local opts = request.opts
  if data.is(opts.body) then opts.body = data.text(opts.body) end
  for _, part in ipairs(opts.multipart or {}) do
    if data.is(part.value) then part.value = data.text(part.value) end
  end
  if request.client then read_cookies(request) end
end

local function read_whole(source, values, sends)
  local requests = read(source, values, sends)
  for _, request in ipairs(requests) do read_files(request) end
  return requests
end

---The same with the files read, so that `http.request` can send them.
---@param source string|string[]
---@param values? table<string, string>|fun(name: string): string?
---@param sends? boolean they are sent at once: `shown` tells what curl would show, in place of warnings
---@return lurcher.CurlRequest[]? requests
---@return lurcher.Error? err
function curl_reader.read(source, values, sends)
  return refusal.catch(type(source) == "string" and source or nil, read_whole, source, values, sends)
end

return curl_reader
