local links = require "lurcher.http.links"

local BASE = "https://api.example.com/items?page=1"

local function parse(text) return links.parse(text, BASE) end

describe("Link headers", function()
  it("give targets by relation", function()
    local found = parse('<https://api.example.com/items?page=2>; rel="next", </items?page=9>; rel=last')
    assert.are.equal("https://api.example.com/items?page=2", found.next.url)
    assert.are.equal("https://api.example.com/items?page=9", found.last.url)
  end)

  it("give other parameters", function()
    local found = parse('<a>; rel="next"; title="a \\"b\\", c; d"; TYPE=text/html')
    assert.are.equal('a "b", c; d', found.next.title)
    assert.are.equal("text/html", found.next.type)
    assert.are.equal("https://api.example.com/a", found.next.url)
  end)

  it("know several relations of one link", function()
    local found = parse('<x>; rel="next Prefetch"')
    assert.are.equal(found.next, found.prefetch)
  end)

  it("keep the first of a relation", function()
    assert.are.equal("https://api.example.com/1", parse("<1>; rel=next, <2>; rel=next").next.url)
  end)

  it("pass over empty parameters", function()
    for _, text in ipairs { '</n>;; rel="next"', '</n>; ; rel="next"', '</n>;;;rel=next;', '</n>; rel="next";;' } do
      assert.are.equal("https://api.example.com/n", (parse(text).next or {}).url, text)
    end
  end)

  it("take single quotes for quotes, and blanks around a target for none of it", function()
    assert.are.equal("https://api.example.com/n", parse("</n>; rel='next'").next.url)
    local found = parse("</n>; rel='next last'; title='x', </m>; rel=first")
    assert.are.equal("https://api.example.com/n", found.last.url)
    assert.are.equal("x", found.last.title)
    assert.are.equal("https://api.example.com/m", found.first.url)
    assert.are.equal("https://api.example.com/n", parse('< /n >; rel="next"').next.url)
  end)

  it("allow commas and semicolons in a target", function()
    assert.are.equal("https://h/a,b;c", parse("<https://h/a,b;c>; rel=next").next.url)
  end)

  it("are empty without sense", function()
    assert.are.same({}, parse(""))
    assert.are.same({}, parse("nonsense"))
    assert.are.same({}, parse("<a>"))
    assert.are.same({}, parse('<a>; rel="'))
    assert.are.equal("https://api.example.com/b", parse("junk, <b>; rel=next").next.url)
  end)
end)
