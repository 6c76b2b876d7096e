-- Downloads to disks that are full, forbidden or slow, and of files that nginx has in two forms.

local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local preload = require "spec.support.preload"
local process = require "spec.support.process"
local ranged = require "spec.support.ranged"
local servers = require "spec.support.servers"
local task = require "lurcher.task"

local is_root = process.shell "id -u" == "0\n"

local SCRIPT = [[
  local result, err = require("lurcher.http").download(...)
  print(err and err.kind, err and err.code, result and result.resumed)
]]

describe("a download", function()
  before_each(files.begin)
  after_each(files.finish)

  it("to a disk that is full is kind file, and goes on once there is room", function()
    local folder = files.path "small"
    assert(fs.mkdir(folder))
    local _, status = process.shell('mount -t tmpfs -o size=300k none "$1" 2>/dev/null', folder)
    if status ~= 0 then return pending "nothing can be mounted here" end
    task.defer(function() process.shell('umount "$1"', folder) end)
    local origin = ranged.start { etag = '"a"', body = ranged.bytes(500000) }
    local client = faults.client()
    for _, parts in ipairs { 1, 4 } do
      local path = folder .. "/" .. parts
      local res, err = client:download(origin.url, path, { parts = parts })
      files.fails("ENOSPC", path, res, err)
      assert.is_nil(fs.exists(path) or nil)
      process.shell('mount -o remount,size=2m "$1"', folder)
      local result = assert(client:download(origin.url, path, { parts = parts }))
      assert.is_true(result.resumed > 0 and result.resumed < 500000)
      assert.equal(origin.body, assert(fs.read(path)))
      assert(fs.remove(path))
      process.shell('mount -o remount,size=300k "$1"', folder)
    end
  end)

  it("into a folder that this user may not write to is kind file, before anything is asked", function()
    local origin = ranged.start { etag = '"a"' }
    assert(fs.mkdir(files.path "shut"))
    process.shell('chmod 755 "$1"; chmod 555 "$1"/shut', files.path "")
    local words = { process.lurcher, "-e", SCRIPT, origin.url .. "/a" }
    for _, target in ipairs { files.path "shut/a", files.path "shut/" } do
      words[5] = target
      local ended
      if is_root then
        local nobody = { "--reuid=65534", "--regid=65534", "--clear-groups" }
        for i, word in ipairs(words) do nobody[3 + i] = word end
        ended = process.run(nobody, { command = "setpriv" })
      else
        ended = process.run { unpack(words, 2) }
      end
      assert.equal("file\tEACCES\tnil\n", ended.out, ended.err)
    end
    assert.is_true(#origin.asked <= 1) -- a folder's name for it is the server's
  end)

  it("to a disk that is slower than the network holds the server back", function()
    local MIB, sent = 1048576, 0
    local origin = faults.server(function(conn)
      conn:write(("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"):format(64 * MIB))
      local piece = ("x"):rep(65536)
      for _ = 1, 64 * 16 do
        if not conn:write(piece) then return end
        sent = sent + #piece
      end
    end)
    local ended = preload.run("spec/support/slow_disk.c", [[
      local url, path, slack = ...
      local http, task = require "lurcher.http", require "lurcher.task"
      local moved, late = 0, 0
      task.spawn(function()
        while moved do
          local before = task.now()
          task.sleep(0.01)
          late = math.max(late, task.now() - before)
        end
      end)
      local result, err = task.timeout(3, http.download, url, path,
        { retry = false, progress = function(p) moved = p.received end })
      print(result == nil and err.kind, moved > 0 and moved < 32 * 1048576)
      moved = nil
      for line in io.lines "/proc/self/status" do
        local peak = line:match "^VmHWM:%s*(%d+)"
        if peak then print(tonumber(peak) < 60000 * slack or peak, late < 1 or late) end
      end
    ]], origin.url, files.path "a", tostring(faults.memory_slack()))
    assert.equal("timeout\ttrue\ntrue\ttrue\n", ended.out, ended.err)
    assert.is_true(sent < 48 * MIB, tostring(sent))
  end)
end)

describe("a file that nginx has compressed beside it", function()
  local CONFIG = [[
daemon off;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log warn;
events { worker_connections 100; }
http {
  access_log off;
  client_body_temp_path @DIR@/client; proxy_temp_path @DIR@/proxy; fastcgi_temp_path @DIR@/fcgi;
  uwsgi_temp_path @DIR@/uwsgi; scgi_temp_path @DIR@/scgi;
  root @DIR@/www;
  server {
    listen 127.0.0.1:@HTTP@;
    location /off { }
    location /on { gzip_static on; gzip_vary on; }
    location /always { gzip_static always; }
    location /made { gzip on; gzip_types *; }
  }
}
]]
  local nginx, plain, packed
  local FORMS = { off = "plain", on = "plain", always = "packed", made = "plain" }

  setup(function()
    nginx, plain = servers.nginx { config = CONFIG }, ranged.bytes(300000)
    for form in pairs(FORMS) do
      process.shell('mkdir "$1"', nginx.directory .. "/www/" .. form)
      servers.write(nginx.directory .. "/www/" .. form .. "/file", plain)
      process.shell('gzip -kn "$1"', nginx.directory .. "/www/" .. form .. "/file")
    end
    packed = assert(fs.read(nginx.directory .. "/www/on/file.gz"))
  end)
  teardown(function() nginx:stop() end)
  before_each(files.begin)
  after_each(files.finish)

  for form, kept in pairs(FORMS) do
    it("comes whole, in parts and in ranges: " .. form, function()
      local wanted, url = kept == "plain" and plain or packed, nginx.http .. "/" .. form .. "/file"
      local client = faults.client()
      for _, parts in ipairs { 1, 4 } do
        local path = files.path(tostring(parts))
        assert.equal(#wanted, assert(client:download(url, path, { parts = parts })).bytes)
        assert.is_true(wanted == files.read(tostring(parts)))
      end
      assert.is_true(plain == assert(client:get(url)).body)
      local part = assert(client:get(url, { headers = { Range = "bytes=1000-1999" } }))
      -- Of what it sends packed to everybody, nginx gives ranges since 1.23; before, that is a body like any other.
      assert.is_true(part.status == 206 or kept == "packed" and part.status == 200)
      assert.is_true((part.status == 206 and wanted:sub(1001, 2000) or plain) == part.body)
    end)
  end
end)
