local files = require "spec.support.files"
local process = require "spec.support.process"

local run = process.run

describe("lurcher --sandbox=log", function()
  before_each(files.begin)
  after_each(files.finish)

  it("allows everything, and tells each flag once that was not given", function()
    local ended = run { "--sandbox=log", "--allow-read=" .. files.path "a", "-e", ([[
      local path, port = %q, nil
      assert(fs.write(path .. "/b", "x"))
      for _ = 1, 2 do assert(fs.read(path .. "/b") == "x") end
      print(fs.exists(path .. "/a"), type(os.getenv "PATH"), process.run("true", {}).status)
      local s = assert(server.start(function() return "hello" end))
      print(assert(http.get(s.url)).body)
      http.get("http://[::ffff:127.0.0.1]:" .. s.port, { retry = false }) -- where there is IPv6 it comes there
      print(s.port)]]):format(files.path "") }
    local port = ended.out:match "(%d+)\n$"
    assert.equal("false\tstring\t0\nhello\n" .. port .. "\n", ended.out)
    local told = {}
    for flag in ended.err:gmatch "lurcher: the sandbox would want (%S+)\n" do told[#told + 1] = flag end
    assert.same({
      "--allow-write=" .. files.path "b", "--allow-read=" .. files.path "b", "--allow-env=PATH", "--allow-run=true",
      "--allow-net=127.0.0.1", "--allow-net=127.0.0.1:" .. port,
    }, told)
    assert.equal(0, ended.status)
  end)
end)

describe("the permissions of lurcher --sandbox", function()
  it("are refused without it", function()
    local ended = run { "--allow-read=/", "-e", "print(1)" }
    assert.same({ "", 2 }, { ended.out, ended.status })
    assert.matches("are for --sandbox", ended.err, 1, true)
  end)

  it("are for scripts", function()
    for _, arguments in ipairs { { "--sandbox", "get", "http://127.0.0.1:1/" }, { "--sandbox", "test" },
      { "--sandbox", "--record=a.json", "-e", "" }, { "--sandbox", "new", "a.lua" } } do
      local ended = run(arguments)
      assert.same({ arguments[2], "", 2 }, { arguments[2], ended.out, ended.status })
      assert.matches("^lurcher: %-%-sandbox ", ended.err)
    end
  end)

  it("are refused where they make no sense", function()
    for flag, said in pairs {
      ["--allow-net=10.0.0.0/33"] = "give hosts", ["--allow-net=host:99999"] = "give hosts",
      ["--deny-net=2130706433"] = "give hosts", ["--allow-net=a.test,"] = "give hosts",
      ["--allow-net=[a.test]"] = "give hosts", ["--allow-net=.a.test"] = "give hosts",
      ["--deny-net=*.a..test"] = "give hosts", ["--deny-net"] = "needs a value",
      ["--allow-write=/none/such/path"] = false, ["--allow-env="] = "give names",
      ["--allow-env=*"] = "not patterns", ["--allow-env=A=b"] = "give names",
      ["--allow-run=git-*"] = "give names",
      ["--sandbox=some"] = "--sandbox=log",
    } do
      local ended = run { "--sandbox", flag, "-e", "" }
      assert.same({ flag, said and 2 or 0 }, { flag, ended.status })
      if said then assert.matches(said, ended.err, 1, true) end
    end
  end)
end)
