local fs = require "lurcher.fs"
local help = require "lurcher.command.help"
local markdown = require "lurcher.command.markdown"
local process = require "spec.support.process"
local units = require "lurcher.base.units"

local TERMINAL = "spec/support/on_terminal.py"

-- What the command writes to a terminal of so many columns, with these variables ("PAGER=cat").
local function on_terminal(columns, variables, ...)
  local words = { unpack(variables) }
  for _, word in ipairs { "/usr/bin/python3", TERMINAL, columns, process.lurcher, ... } do words[#words + 1] = word end
  return (process.run(words, { command = "env" }).out:gsub("\r", ""))
end

local PAGE = [[
# A page

Some words with `code in it`, and a [link](other.md).

| option | default | meaning |
|---|---|---|
| `first` | 10 | what it means, in words that do not fit into one line of a narrow terminal |
| `a\|b` | | |

```lua
print("a very long line of code that is never broken, however narrow the terminal may be")
```

1. one
2. two, with words enough to go on in
   the next line
]]

describe("lurcher help", function()
  it("lists the topics without an argument", function()
    local ended = process.run { "help" }
    assert.are.equal(0, ended.status)
    assert.are.equal("", ended.err)
    assert.matches("retries", ended.out, 1, true)
    assert.matches("command-line", ended.out, 1, true)
  end)

  it("shows a page as plain text where nobody looks", function()
    local ended = process.run { "help", "retries" }
    assert.are.equal(0, ended.status)
    assert.matches("^RETRIES\n", ended.out)
    assert.is_nil(ended.out:find("[\27`\1\2]"))
  end)

  it("finds a page by module name, by its words, in any case, in singular and plural", function()
    local first = process.run({ "help", "command-line" }).out
    for _, words in ipairs { { "Command", "Line" }, { "command_line" }, { "cli" } } do
      assert.are.equal(first, process.run({ "help", unpack(words) }).out)
    end
    assert.are.equal(process.run({ "help", "json" }).out, process.run({ "help", "lurcher.json" }).out)
    assert.are.equal(process.run({ "help", "retries" }).out, process.run({ "help", "lurcher.retry" }).out)
    assert.are.equal(process.run({ "help", "timeouts" }).out, process.run({ "help", "timeout" }).out)
  end)

  it("knows other words for its topics", function()
    local pages = { index = "", tasks = "", limits = "", breakers = "", ["coming-from"] = "", server = "" }
    for topic, page in pairs {
      topics = "index", serve = "server", semaphores = "tasks", ["rate limits"] = "limits", Queue = "tasks",
      ["circuit_breakers"] = "breakers", ["--rate"] = "limits", httpx = "coming-from", ["lurcher.breaker"] = "breakers",
    } do
      assert.are.equal(page, (help.find(pages, topic)))
    end
  end)

  it("ends with status 2 and the nearest topic when there is none of that name", function()
    local ended = process.run { "help", "retires" }
    assert.are.equal(2, ended.status)
    assert.are.equal("", ended.out)
    assert.are.equal("lurcher: help has no topic 'retires'; did you mean 'retries'?\n", ended.err)
    ended = process.run { "help", "xyzzy" }
    assert.are.equal(2, ended.status)
    assert.are.equal("lurcher: help has no topic 'xyzzy'; lurcher help lists all\n", ended.err)
  end)

  it("says which pages speak of what is no topic", function()
    local ended = process.run { "help", "max_retry_after" }
    assert.are.equal(2, ended.status)
    assert.matches("It is spoken of in: [%w, -]*retries", ended.err)
    assert.matches("It is spoken of in: [%w, -]*command%-line", process.run({ "help", "--max-time" }).err)
  end)

  it("has heads in bold on a terminal, but not on a dumb one", function()
    assert.matches("^\27%[1mRETRIES\27%[0m\n", on_terminal(80, { "PAGER=cat" }, "help", "retries"))
    assert.is_nil(on_terminal(80, { "PAGER=cat", "TERMINAL=dumb" }, "help", "retries"):find("\27", 1, true))
  end)

  it("goes through the pager on a terminal", function()
    assert.matches("^paged: .*RETRIES", on_terminal(80, { "PAGER=sed 's/^/paged: /'" }, "help", "retries"))
    assert.is_nil(process.run({ "PAGER=sed 's/^/paged: /'", process.lurcher, "help", "retries" },
      { command = "env" }).out:find("paged", 1, true))
  end)

  it("starts no pager of its own on a dumb terminal", function()
    local text = on_terminal(80, { "-u", "PAGER", "TERMINAL=dumb" }, "help", "retries")
    assert.matches("^RETRIES\n", text)
  end)

  it("starts no pager for a topic that does not exist", function()
    assert.matches("^lurcher: help has no topic", on_terminal(80, { "PAGER=echo paged" }, "help", "retires"))
  end)
end)

describe("the completion of lurcher help", function()
  it("knows every topic", function()
    local row = assert(fs.read "runtime/cli/options.def"):match 'COMMAND%("help".-SOURCE_HELP,(.-),%s*"show'
    local topics = {}
    for text in row:gmatch '"([^"]*)"' do topics[#topics + 1] = text end
    local names = {}
    for _, file in ipairs(assert(fs.list "lua/lurcher/help")) do
      local name = file:match "^(.*)%.md$"
      if name ~= "index" then names[#names + 1] = name end
    end
    assert.are.equal(table.concat(names, " "), table.concat(topics))
  end)
end)

describe("a page of the manual", function()
  it("is fitted to the width", function()
    assert.are.equal([[
A PAGE

Some words with code in it, and a link.

option  default  meaning
first   10       what it means, in words that do
                 not fit into one line of a narrow
                 terminal
a|b

    print("a very long line of code that is never broken, however narrow the terminal may be")

  1. one
  2. two, with words enough to go on in the next
     line]], help.render(PAGE, 50, false))
  end)

  it("shows a table of options as a list where it is too wide", function()
    local page = "| option | type | default | meaning |\n|---|---|---|---|\n" ..
      "| `limit` | number | 100 | how many there may be in all, at the same time |\n"
    assert.are.equal("limit: number, default 100\n    how many there may be in all, at the\n    same time",
      help.render(page, 40, false))
  end)

  it("shows a comparison as a list where it is too wide", function()
    local page = "| here | there | elsewhere | beyond |\n|---|---|---|---|\n" ..
      "| `first` | one thing | | and another thing that is longer |\n"
    assert.are.equal("first\n    there: one thing\n    beyond: and another thing that is\n    longer",
      help.render(page, 40, false))
  end)

  it("breaks no line within short code", function()
    assert.are.equal("Some words, and then\ntls = { verify = false }", help.render(
      "Some words, and then `tls = { verify = false }`", 40, false))
  end)

  it("marks bold words anew on each line", function()
    local page = "Words that are **bold on more than one single line of this text**"
    assert.are.equal("Words that are \27[1mbold on more than one\27[0m\n" ..
      "\27[1msingle line of this text\27[0m", help.render(page, 40, true))
  end)

  local pages, names = {}, assert(fs.list "lua/lurcher/help")
  for _, file in ipairs(names) do
    pages[file:match("^(.*)%.md$")] = assert(fs.read("lua/lurcher/help/" .. file))
  end

  -- The sentences of a text, with each code as one word.
  local function check_sentences(text)
    text = text:gsub("`[^`]*`", "code"):gsub("%[([^%]]*)%]%([^)]*%)", "%1") .. " "
    for sentence in text:gmatch("(.-)[.:;?!]%s") do
      assert(select(2, sentence:gsub("%S+", "")) <= 30, "a sentence is too long: " .. sentence)
    end
  end

  for name, page in pairs(pages) do
    it("about " .. name .. " has short sentences", function()
      for _, block in ipairs(markdown.parse(page)) do
        for _, text in ipairs(block.items or { block.text }) do check_sentences(text) end
      end
    end)

    it("about " .. name .. " is in the list of topics and fits any terminal", function()
      assert(name == "index" or pages.index:find("(" .. name .. ".md)", 1, true), "not in index.md")
      for _, columns in ipairs { 40, 60, 80, 100 } do
        for line in help.render(page, columns, false):gmatch("[^\n]+") do
          local is_code, has_long_word = line:find "^    ", line:find(("%S"):rep(20))
          assert(is_code or has_long_word or units.width(line) <= columns, line)
        end
      end
    end)

    it("about " .. name .. " leads to pages that exist", function()
      for target in page:gmatch("%]%(([%w-]+)%.md") do
        assert(pages[target], ("%s.md leads to %s.md"):format(name, target))
      end
    end)
  end
end)
