-- The programs in C of the manual's pages: each section's are compiled and run, and print what it says.

local children = require "spec.support.process"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local fs = require "lurcher.fs"
local process = require "lurcher.process"

-- Sections with code that is run: { title, blocks = { { kind, text } }, prints }.
local function sections(page)
  local list, section, block = {}, nil, nil
  for line in fs.lines("lua/lurcher/help/" .. page) do
    local kind = line:match "^```(%l+)$"
    if block and line == "```" then
      block = nil
    elseif block then
      table.insert(block.lines, line)
    elseif kind then
      block = { kind = kind, lines = {} }
      table.insert(section.blocks, block)
    elseif line:match "^## " then
      section = { title = line:sub(4), blocks = {} }
      list[#list + 1] = section
    end
  end
  return list
end

-- Indented lines stand in main: options before lur_open, others after it. Others are functions.
local function place_of(text)
  if text:find "int main%(" then return "program" end
  if not text:find "^  " then return "functions" end
  return text:find "^  options%." and "options" or "calls"
end

-- The programs of a section by their languages, and what they print together.
local function programs_of(section, first)
  local parts, prints = { functions = "", options = "", calls = "" }, ""
  local programs = {}
  for _, block in ipairs(section.blocks) do
    local text = table.concat(block.lines, "\n") .. "\n"
    local place = place_of(text)
    if block.kind == "text" then
      prints = prints .. text
    elseif place == "program" then
      programs[#programs + 1] = { kind = block.kind, text = text }
    else
      parts[place] = parts[place] .. text
    end
  end
  if parts.calls ~= "" then
    local text = first:gsub("\n  run%(.-;\n", function() return "\n" .. parts.calls end)
    text = text:gsub("\nint main%(", function() return "\n" .. parts.functions .. "\nint main(" end)
    text = text:gsub("\n  if %(lur_open", function() return "\n" .. parts.options .. "  if (lur_open" end)
    table.insert(programs, 1, { kind = "c", text = text })
  end
  return programs, prints
end

local FLAGS = { "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iruntime/include" }
local COMPILERS = {
  c = { command = "cc", flags = { "-std=gnu11", "-Wno-unused-function" } },
  cpp = { command = "c++", flags = { "-std=c++17" } },
}

local function compile(program, name)
  local source, built = files.path(name .. "." .. program.kind), files.path(name)
  assert(fs.write(source, program.text))
  local build = children.lurcher:match "^(.*)/"
  local arguments = { unpack(COMPILERS[program.kind].flags) }
  for _, flag in ipairs(FLAGS) do arguments[#arguments + 1] = flag end
  if faults.sanitized() then arguments[#arguments + 1] = "-fsanitize=address,undefined" end
  for _, word in ipairs { source, "-o", built, "-L" .. build, "-llurcher", "-Wl,-rpath," .. build, "-pthread" } do
    arguments[#arguments + 1] = word
  end
  local done = assert(process.run(COMPILERS[program.kind].command, arguments))
  assert.equal("", done.stdout .. done.stderr)
  return built
end

describe("the manual: the program of", function()
  before_each(files.begin)
  after_each(files.finish)

  local list = sections "embedding.md"
  local first = table.concat(list[1].blocks[1].lines, "\n") .. "\n"
  for _, section in ipairs(sections "sandbox.md") do list[#list + 1] = section end

  for _, section in ipairs(list) do
    if section.blocks[1] then
      it('"' .. section.title .. '" prints what it says', function()
        local programs, wanted = programs_of(section, first)
        local printed = ""
        for i, program in ipairs(programs) do
          local done = assert(process.run(compile(program, "program" .. i)))
          assert.equal("", done.stderr)
          printed = printed .. done.stdout
        end
        assert.equal(wanted, printed)
      end)
    end
  end
end)
