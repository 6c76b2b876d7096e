-- What a sandboxed script can neither read nor write, however it asks: each way is one row, and all run in one process.
-- What counts is what is there afterwards, and that no byte of the secret came out.

local files = require "spec.support.files"
local process = require "spec.support.process"

local BEGIN = [[
local root, pid = ...
local fs, http, server = require "lurcher.fs", require "lurcher.http", require "lurcher.server"
local pages, mock, task = require "lurcher.pages", require "lurcher.mock", require "lurcher.task"
local process = require "lurcher.process"
local inside, secret = root .. "/in", root .. "/out/secret"
local function first(iterator) return iterator() end
local function kind_of(err) return type(err) == "table" and err.kind or tostring(err) end
local function try(way, fn)
  local ok, res, err = pcall(fn)
  if not ok then res, err = nil, res end
  print(way .. ": " .. (res and "done" or kind_of(err)))
end
local c = http.client { retry = false }
local answering = assert(server.start(function()
  return { headers = { ["Content-Type"] = "application/json" }, body = '{"access_token":"x","expires_in":9}' }
end))
]]

local READING = {
  plain = "fs.read(secret)",
  ["by dots"] = "fs.read(inside .. '/../out/secret')",
  ["by slashes"] = "fs.read('//' .. secret)",
  ["from the current folder"] = "fs.read('out/secret')",
  ["by a link"] = "fs.read(inside .. '/link')",
  ["by an absolute link"] = "fs.read(inside .. '/absolute')",
  ["by a link to a link"] = "fs.read(inside .. '/twice')",
  ["by a link to a folder"] = "fs.read(inside .. '/folder/secret')",
  ["by a link to the root"] = "fs.read(inside .. '/top' .. secret)",
  ["by /proc/self/root"] = "fs.read('/proc/self/root' .. secret)",
  ["by /proc/self/cwd"] = "fs.read('/proc/self/cwd/out/secret')",
  ["by the process's number"] = "fs.read('/proc/' .. pid .. '/root' .. secret)",
  ["by the thread's"] = "fs.read('/proc/thread-self/root' .. secret)",
  ["a descriptor"] = "fs.read('/dev/fd/3')",
  ["the environment"] = "fs.read('/proc/self/environ')",
  ["the memory"] = "fs.read('/proc/self/mem')",
  ["a name that only begins the same"] = "fs.read(root .. '/inner')",
  lines = "first(fs.lines(secret))",
  ["a reader"] = "fs.open(secret)",
  ["a folder"] = "fs.list(root .. '/out')",
  ["a folder, by a link"] = "fs.list(inside .. '/folder')",
  ["whether it is there"] = "fs.exists(secret)",
  ["a copy"] = "fs.copy(secret, inside .. '/copy')",
  ["a copy of a link"] = "fs.copy(inside .. '/link', inside .. '/copy')",
  ["its name"] = "fs.rename(secret, inside .. '/mine')",
  ["the name of its folder"] = "fs.rename(root .. '/out', inside .. '/mine')",
  ["an upload"] = "c:post('http://127.0.0.1:1/', { body = http.file(secret) })",
  ["an upload of a link"] = "c:post('http://127.0.0.1:1/', { body = http.file(inside .. '/link') })",
  ["a form"] = "c:post('http://127.0.0.1:1/', { multipart = { { name = 'f', file = secret } } })",
  cookies = "http.client { cookies = secret }",
  ["a CA"] = "c:get('https://127.0.0.1:1/', { tls = { ca = secret } })",
  ["a CA, by a link"] = "c:get('https://127.0.0.1:1/', { tls = { ca = inside .. '/link' } })",
  ["a certificate"] = "c:get('https://127.0.0.1:1/', { tls = { cert = secret } })",
  ["a key"] = "c:get('https://127.0.0.1:1/', { tls = { cert = inside .. '/file', key = secret } })",
  ["a proxy's CA"] = "c:get('http://127.0.0.1:1/', { proxy = { url = 'https://127.0.0.1:1', tls = { ca = secret } } })",
  ["a digest"] = "require('lurcher.crypto').file('sha256', secret)",
  ["a table"] = "first(require('lurcher.csv').rows(secret))",
  ["a cassette"] = "require('lurcher.cassette').open(secret, { mode = 'none' })",
  netrc = "c:get('http://127.0.0.1:1/', { auth = http.netrc(secret) })",
  ["a server's certificate"] = "server.start(print, { tls = { cert = secret } })",
  ["a server's CA"] = "server.start(print, { tls = { client_ca = inside .. '/link' } })",
  ["the folder of a program"] = "process.run('true', {}, { cwd = root .. '/out' })",
}

local WRITING = {
  plain = "fs.write(secret, 'x')",
  ["by a link"] = "fs.write(inside .. '/link', 'x')",
  ["by a link to nothing"] = "fs.write(inside .. '/dangling', 'x')",
  ["by a link to a folder"] = "fs.write(inside .. '/folder/new', 'x')",
  ["by dots"] = "fs.write(inside .. '/../out/new', 'x')",
  ["by /proc/self/root"] = "fs.write('/proc/self/root' .. root .. '/out/new', 'x')",
  ["at its end"] = "fs.append(inside .. '/link', 'x')",
  ["a writer"] = "fs.writer(inside .. '/dangling')",
  ["an atomic writer"] = "fs.writer(inside .. '/link', { atomic = true })",
  ["an appending writer"] = "fs.writer(secret, { append = true })",
  ["a folder"] = "fs.mkdir(root .. '/out/new')",
  ["a folder above one that was allowed"] = "fs.mkdir(root .. '/above/allowed/new', { parents = true })",
  ["a folder, by a link"] = "fs.mkdir(inside .. '/folder/new', { parents = true })",
  removing = "fs.remove(secret)",
  ["removing, by a link to its folder"] = "fs.remove(inside .. '/folder/secret')",
  ["removing its folder"] = "fs.remove(inside .. '/folder/', { recursive = true })",
  ["removing all"] = "fs.remove(root, { recursive = true })",
  ["a name there"] = "fs.rename(inside .. '/file', root .. '/out/file')",
  ["a name there, by a link"] = "fs.rename(inside .. '/file', inside .. '/folder/file')",
  ["a copy there"] = "fs.copy(inside .. '/file', inside .. '/dangling')",
  ["cookies at the end"] = "http.client { cookies = root .. '/out/new' }",
  ["a download"] = "c:download('http://127.0.0.1:1/', root .. '/out/new')",
  ["a download, by a link"] = "c:download('http://127.0.0.1:1/', inside .. '/dangling')",
  ["a response"] = "assert(c:stream('GET', answering.url)):save(root .. '/out/new')",
  ["a response, by a link"] = "assert(c:stream('GET', answering.url)):save(inside .. '/dangling')",
  ["a download into a folder"] = "c:download(answering.url, root .. '/out/')",
  ["a download into a folder that may not be read"] = "c:download(answering.url, root .. '/inner/')",
  ["a cassette"] = "require('lurcher.cassette').use(inside .. '/dangling', function() return c:get(answering.url) end)",
  ["tokens"] = [[c:get(answering.url, { auth = http.oauth2 { grant = "client_credentials", client_id = "a",
    client_secret = "b", token_url = answering.url, store = root .. "/out/new" } })]],
  ["a socket"] = "server.start(print, { unix_socket = inside .. '/folder/new' })",
  ["a checkpoint"] = [[first(pages.items(c, "http://127.0.0.1:1/", { next = pages.link(),
    checkpoint = root .. "/out/new" }))]],
}

local function script_of(tables)
  local lines, names = { BEGIN }, {}
  for what, ways in pairs(tables) do
    for way, code in pairs(ways) do
      local name = what .. ", " .. way
      names[#names + 1] = name
      lines[#lines + 1] = ("try(%q, function() return %s end)"):format(name, code)
    end
  end
  return table.concat(lines, "\n"), names
end

describe("lurcher --sandbox", function()
  local folder
  before_each(function()
    folder = files.begin()
    process.shell([[cd "$1" && mkdir in out inner && echo SECRET >out/secret && echo x >in/file &&
      ln -s ../out in/folder && ln -s ../out/secret in/link && ln -s link in/twice && ln -s / in/top &&
      ln -s ../out/new in/dangling && ln -s "$1/out/secret" in/absolute && ln -s ../out/secret in/moving]], folder)
  end)
  after_each(files.finish)

  local function run(text, ...)
    local arguments = { "--log=error", "--sandbox", ... }
    for _, argument in ipairs { process.script(text), folder, tostring(process.pid or 1) } do
      arguments[#arguments + 1] = argument
    end
    return process.run(arguments)
  end

  it("lets nothing be read or written that was not allowed, however it is named", function()
    local text, names = script_of { reading = READING, writing = WRITING }
    local ended = run(text, "--allow-read=" .. folder .. "/in", "--allow-write=" .. folder .. "/in",
      "--allow-write=" .. folder .. "/above/allowed", "--allow-net=127.0.0.1", "--allow-run=true")
    assert.equal("", ended.err)
    local got, wrong = {}, {}
    for way, kind in ended.out:gmatch "([^\n]*): ([^\n:]*)\n" do got[way] = kind end
    for _, way in ipairs(names) do
      if got[way] ~= "denied" then wrong[#wrong + 1] = ("%s: %s"):format(way, got[way]) end
    end
    table.sort(wrong)
    assert.same({}, wrong)
    assert.is_nil(ended.out:find("SECRET", 1, true))
    assert.equal("secret\n", (process.shell('ls -A "$1/out"', folder)))
    assert.equal("SECRET\n", files.read "out/secret")
    assert.is_true(#names >= 30)
  end)

  -- A link cannot be made by a script, but one that is there can be moved into the place of what was asked for.
  it("follows no link that takes the place of a file meanwhile", function()
    local ended = run(BEGIN .. [[
      local found, read, done = 0, 0, false
      task.spawn(function()
        while not done do
          fs.rename(inside .. "/moving", inside .. "/file")
          fs.rename(inside .. "/file", inside .. "/moving")
          fs.write(inside .. "/file", "x")
        end
      end)
      for i = 1, 20000 do
        if i > 300 and read > 10 then break end
        task.sleep(0)
        local text = fs.read(inside .. "/file")
        read = read + (text == "x" and 1 or 0)
        found = found + (text and text:find "SECRET" and 1 or 0)
        fs.append(inside .. "/file", "")
      end
      done = true
      print(found, read > 0)]], "--allow-net=127.0.0.1", "--allow-read=" .. folder .. "/in",
      "--allow-write=" .. folder .. "/in")
    assert.same({ "", "0\ttrue\n" }, { ended.err, ended.out })
    assert.equal("SECRET\n", files.read "out/secret")
  end)
end)
