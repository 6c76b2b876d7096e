-- `lurcher completion SHELL`, in the shells that are there.

local process = require "spec.support.process"

local function completion(shell)
  local ended = process.run { "completion", shell }
  assert.equal(0, ended.status)
  assert.equal("", ended.err)
  return ended.out
end

local function is_there(shell)
  return process.run({ "-c", "command -v " .. shell }, { command = "sh" }).status == 0
end

-- What bash would offer for a command line, whose last word is being typed; bash itself cuts it at "=" and "@".
local function offered_by_bash(line)
  local words = {}
  for word in (line .. " "):gmatch("(%S*) ") do
    local name, mark, value = word:match("^([^=@]*)([=@]+)(.*)$")
    for _, part in ipairs(name and { name, mark, value ~= "" and value or nil } or { word }) do
      words[#words + 1] = "'" .. part .. "'"
    end
  end
  local ended = process.run({ "-c", ([[
    compopt() { :; }
    cd spec/command && eval "$1"
    COMP_WORDS=(%s) COMP_CWORD=%d
    _lurcher
    printf '%%s\n' "${COMPREPLY[@]}"]]):format(table.concat(words, " "), #words - 1), "bash",
    completion "bash" }, { command = "bash" })
  assert.equal("", ended.err)
  local offers = {}
  for offer in ended.out:gmatch("[^\n]+") do offers[#offers + 1] = offer end
  return offers
end

describe("the completion", function()
  it("wants to know for which shell", function()
    for _, shells in ipairs { {}, { "tcsh" }, { "bash", "x" } } do
      local ended = process.run { "completion", unpack(shells) }
      assert.equal(2, ended.status)
      assert.equal("", ended.out)
      assert.equal("lurcher: for which shell? lurcher completion bash, zsh or fish\n", ended.err)
    end
  end)

  for _, shell in ipairs { "bash", "zsh", "fish" } do
    it("for " .. shell .. " names every option of --help", function()
      local text = completion(shell)
      local count = 0
      for option in process.run({ "--help" }).out:gmatch("\n  [%-h,V ]*%-%-(%l[%l-]+)") do
        assert.truthy(text:find((shell == "fish" and "-l " or "--") .. option, 1, true), option)
        count = count + 1
      end
      assert.is_true(count > 8)
    end)

    it("for " .. shell .. " is read without complaint", function()
      if not is_there(shell) then return end
      local ended = process.run({ "-n" }, { command = shell, stdin = completion(shell) })
      assert.same({ 0, "", "" }, { ended.status, ended.out, ended.err })
    end)
  end

  it("offers options, the choices of their values, commands and scripts in bash", function()
    assert.same({ "--trace", "--trace=" }, offered_by_bash "lurcher --tr")
    assert.same({ "--max-requests=", "--max-bytes=", "--max-time=" }, offered_by_bash "lurcher --stats --max")
    assert.same({ "error", "warn", "info", "debug" }, offered_by_bash "lurcher --log=")
    assert.same({ "debug" }, offered_by_bash "lurcher --trace --log=d")
    assert.same({ "help", "help_spec.lua" }, offered_by_bash "lurcher hel")
    assert.same({ "bash", "zsh", "fish" }, offered_by_bash "lurcher completion ")
    assert.same({ "completion_spec.lua" }, offered_by_bash "lurcher --trace completion_")
    assert.same({ "completion_spec.lua" }, offered_by_bash "lurcher --report=completion_")
    assert.same({ "completion_spec.lua" }, offered_by_bash "lurcher x.lua --log completion_")
    assert.same({}, offered_by_bash "lurcher --grace=")
  end)

  it("offers the options of a command behind it in bash", function()
    assert.same({ "--form" }, offered_by_bash "lurcher post https://example.com --fo")
    assert.same({ "--max-requests=", "--max-bytes=", "--max-time=" }, offered_by_bash "lurcher get --max")
    assert.same({ "auto", "all", "none" }, offered_by_bash "lurcher --trace get --pretty=")
    assert.same({ "completion_spec.lua" }, offered_by_bash "lurcher get --output=completion_")
    assert.same({ "completion_spec.lua" }, offered_by_bash "lurcher post x file@completion_")
    assert.same({ "completion_spec.lua" }, offered_by_bash "lurcher post x --body=@completion_")
    assert.is_true(#offered_by_bash "lurcher post x file@" > 10)
    assert.same({ "HEAD" }, offered_by_bash "lurcher request HE")
    assert.same({}, offered_by_bash "lurcher ws --fo")
    assert.same({}, offered_by_bash "lurcher test --fo")
    assert.same({ "curl", "har" }, offered_by_bash "lurcher import ")
  end)

  it("offers files behind a name and @ in zsh", function()
    if not is_there "zsh" then return end
    local ended = process.run({ "-fc", [=[
      compset() { [[ $PREFIX == ${~2}* ]] && PREFIX=${PREFIX##${~2}} }
      _files() { print files $PREFIX }
      _arguments() { print arguments }
      eval "$1"
      for PREFIX in f@/etc/ho --body=@a name=@ --fo; do words=(post x $PREFIX); _lurcher_rest; done]=], "zsh",
      completion "zsh" }, { command = "zsh" })
    assert.same({ "arguments\nfiles /etc/ho\nfiles a\nfiles\narguments\n", "" }, { ended.out, ended.err })
  end)

  it("offers them in fish", function()
    if not is_there "fish" then return end
    -- fish 4 also names what only holds the letters typed, in that order
    local ended = process.run({ "-c", [[source (echo $argv[1] | psub)
      for typed in "--max-t" "--log=w" "completion z" "get --max-t" "post --fo" "test --fo"
        complete -C "lurcher $typed" | string match -e -- (string split -- " " $typed)[-1]
      end]], completion "fish" }, { command = "fish" })
    local offers = {}
    for offer in ended.out:gmatch("([^%s]+)[^\n]*\n") do offers[#offers + 1] = offer end
    assert.same({ "--max-time", "--log=warn", "zsh", "--max-time", "--form" }, offers)
  end)
end)
