--- Commands of curl as requests, and requests as commands of curl.
---
---    local request = assert(curl.parse [[curl -d a=1 https://api.example.com/items]])
---    local res = assert(http.request(request.method, request.url, request.opts))
---    print(curl.format(request.method, request.url, request.opts))

local check = require "lurcher.base.check"
local curl_reader = require "lurcher.convert.curl_reader"
local errors = require "lurcher.base.errors"

local curl = {}

-- ---- from commands ----

local function check_source(source, values, name)
  check.argument(source, "string|table", 1, name)
  if type(source) == "table" then
    for i = 1, #source do
      if type(source[i]) ~= "string" then errors.raise(("%s: word %d is no string"):format(name, i)) end
    end
  end
  if values ~= nil then check.argument(values, "table|callable", 2, name) end
end

---The request of a curl command. Nothing is run, but files that the command sends are read. What is not understood
---is named by an error of kind "decode"; what makes no difference to the request stands in `warnings`.
---@param source string|string[] a command for a shell (or cmd.exe), or its words
---@param values? table<string, string>|fun(name: string): string? values of variables; others become `parameters`
---@return lurcher.CurlRequest? request
---@return lurcher.Error? err kind "decode", or "file" where a file cannot be read
function curl.parse(source, values)
  check_source(source, values, "curl.parse")
  local requests, err = curl_reader.read(source, values)
  if not requests then return nil, err end
  if #requests > 1 then
    return nil, errors.new { kind = "decode",
      message = ("these are %d requests: curl.parse_all gives them as a list"):format(#requests) }
  end
  return requests[1]
end

---The requests of curl commands: of several, of those with `--next`, several URLs, or sets in them.
---@param source string|string[] commands for a shell (or cmd.exe), or the words of one
---@param values? table<string, string>|fun(name: string): string? values of variables; others become `parameters`
---@return lurcher.CurlRequest[]? requests
---@return lurcher.Error? err kind "decode", or "file" where a file cannot be read
function curl.parse_all(source, values)
  check_source(source, values, "curl.parse_all")
  return curl_reader.read(source, values)
end

-- ---- to commands ----

---The curl command that sends the request: one line for any POSIX shell. Secrets are `"$TOKEN"`, `"$PASSWORD"` and
---the like.
---@param method string
---@param url string
---@param opts? table as for http.request; those of http.client too
---@param how? { secrets?: boolean } true: secrets are written as they are
---@return string? command
---@return lurcher.Error? err kind "url"
function curl.format(method, url, opts, how)
  if opts ~= nil then check.argument(opts, "table", 3, "curl.format") end
  local curl_command = require "lurcher.convert.curl_command"
  local request, err = curl_command.request(method, url, opts, "curl.format")
  if not request then return nil, err end
  return curl_command.of_call(request, how, "curl.format")
end

---The Lua script that sends a request, or several. Secrets are read from the environment; a file that is sent is
---named. Raises where a request has no method or URL.
---@param requests table `{ method =, url =, opts = }` as curl.parse gives it, or a list of these
---@param how? { secrets?: boolean } true: secrets are written as they are (default false)
---@return string script
function curl.script(requests, how)
  check.argument(requests, "table", 1, "curl.script")
  how = check.options(how, { secrets = "boolean" }, "curl.script")
  return require("lurcher.convert.script").of(requests, how)
end

return curl
