-- The commands of curlconverter's tests, run by curl itself and sent by what curl.parse_all makes of them: to a
-- server on loopback, which has to receive the same.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local like_curl = require "spec.support.like_curl"

local CORPUS = "spec/data/curlconverter/commands.txt"

-- What curl refuses, too, and what is refused here.
local REFUSED_BY_BOTH = {
  j_data_priority_than_f = "--data and --form exclude each other, for curl too",
  put_with_T_option = "--data and --upload-file exclude each other, for curl too",
  multiple_urls = "--data and --upload-file exclude each other, for curl too",
}
local REFUSED = {
  redirect_command_data = "`echo myfile.jg` is never run",
  redirect_command_url_query = "is never run: write its output in its place",
  socks_proxy = "is not understood: http, https, socks5 and socks5h are",
}

local FILES = { "add_params.xml", "NewDoc.pdf", "image.jpg", "myfile.jpg", "file.txt", "my_file.txt", "new_file",
  "sample.sparql", "47.htz", "input_redirected_file.txt", "test/fixtures/curl_commands/delete.sh", "path/to/cert",
  "path/to/key", "path/to/ca/a", "path/to/ca-bundle.crt", "path/to/the/cert", "var/www/html/voice/test.mp3",
  "C:/Users/Admin/Downloads/file.txt", "Users/myuser/Desktop/weird\\dir/ss.png", "startvariable.txtend",
  "variable.txt" }

-- curl 8 takes no options that are not written out.
local OLD = { get_silent = true }

local VALUES = { DO_API_TOKEN = "token-1", MYVARIABLE = "some text", FILENAME = "variable.txt" }

local function commands()
  local list = {}
  for line in io.lines(CORPUS) do
    local name, last = line:match "^=== (.*)$", list[#list]
    if name then
      list[#list + 1] = { name = name, text = "", is_ours = REFUSED[name] ~= nil }
    elseif last then
      last.text = last.text .. line .. "\n"
    end
  end
  return list
end

local directory

before_each(function()
  directory = files.begin()
  for _, name in ipairs(FILES) do
    assert(fs.mkdir(files.path(name):match("^(.*)/"), { parents = true }))
    assert(fs.write(files.path(name), "bytes of\r\n" .. name .. "\n"))
  end
  local cookies = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tname\tvalue\n"
  assert(fs.write(files.path "cookies.txt", cookies))
  assert(fs.write(files.path "cookie.txt", cookies))
end)
after_each(files.finish)

describe("the commands of curlconverter's tests", function()
  it("make requests whose bytes are those of curl", function()
    local list, equal, refused = commands(), 0, 0
    local all, is_old = like_curl.run(list, directory, VALUES), like_curl.is_old()
    for _, command in ipairs(list) do
      local name, both = command.name, all[command.name]
      if both.ours.err then
        assert.matches(REFUSED[name] or REFUSED_BY_BOTH[name] or "none is expected", both.ours.err, 1, true)
        assert.same({}, both.curl, name)
        refused = refused + 1
      else
        assert.is_true(#both.ours > 0, name)
        if is_old or not OLD[name] then assert.same(both.curl, both.ours, name) end
        equal = equal + 1
      end
    end
    assert.same({ 102, 6 }, { equal, refused })
  end)
end)
