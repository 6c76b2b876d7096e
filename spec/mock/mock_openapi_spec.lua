-- Mocks made of an OpenAPI document: what answers, and what is refused.

local http = require "lurcher.http"
local json = require "lurcher.json"
local message_of = require("spec.support.raising").message
local mock = require "lurcher.mock"

local function as_json(media) return { ["application/json"] = media } end

local DOCUMENT = {
  openapi = "3.0.3", info = { title = "Pets", version = "1" },
  servers = { { url = "https://{host}.test/v1", variables = { host = { default = "pets" } } } },
  paths = {
    ["/pets"] = {
      parameters = { { name = "X-Tenant", ["in"] = "header", required = true, schema = { type = "string" } } },
      get = {
        parameters = { { name = "limit", ["in"] = "query", schema = { type = "integer" } },
          { name = "sort", ["in"] = "query", schema = { type = "string", enum = { "up", "down" } } },
          { name = "filter", ["in"] = "query", style = "deepObject", schema = { type = "object" } } },
        responses = { ["200"] = { description = "",
          headers = { ["X-Total"] = { schema = { type = "integer", minimum = 3 } } }, content = as_json {
            schema = { type = "array", items = { ["$ref"] = "#/components/schemas/Pet" } } } } },
      },
      post = {
        requestBody = { required = true, content = as_json { schema = { ["$ref"] = "#/components/schemas/Pet" } } },
        responses = { ["201"] = { description = "", content = as_json { example = { id = 7 } } } },
      },
    },
    ["/pets/{id}"] = { get = { responses = {
      ["200"] = { description = "", content = { ["application/json"] = { examples = {
        a = { value = { name = "Ada" } }, b = { value = { name = "Bob" } } } } } },
      ["404"] = { ["$ref"] = "#/components/responses/Missing" } } } },
    ["/pets/mine"] = { get = { responses = {
      default = { description = "", content = { ["text/plain"] = { example = "mine" } } } } } },
    ["/tree"] = { get = { responses = { ["200"] = { description = "",
      content = { ["application/json"] = { schema = { ["$ref"] = "#/components/schemas/Tree" } } } } } } },
    ["/none"] = { delete = { responses = { ["204"] = { description = "" } } } },
  },
  components = {
    responses = { Missing = { description = "", content = { ["application/problem+json"] = { schema = { allOf = {
      { type = "object", properties = { title = { type = "string", example = "Not found" } } },
      { properties = { status = { type = "integer", enum = { 404 } } } } } } } } } },
    schemas = {
      Pet = { type = "object", required = { "name" }, additionalProperties = false, properties = {
        name = { type = "string" }, born = { type = "string", format = "date" },
        tags = { type = "array", items = { type = "string" } }, owner = { type = "string", nullable = true } } },
      Tree = { type = "object", properties = {
        children = { type = "array", items = { ["$ref"] = "#/components/schemas/Tree" } } } },
    },
  },
}

local function client(document)
  local m = mock.from_openapi(document or DOCUMENT)
  local api = http.client { transport = m, base_url = "https://pets.test/v1", headers = { ["X-Tenant"] = "t" },
    retry = false }
  return api, m
end

describe("a mock of an OpenAPI document", function()
  it("answers by schemas, the same each time", function()
    local api = client()
    local res = assert(api:get("/pets", { params = { limit = 2, sort = "up", ["filter[name]"] = "x" } }))
    assert.are.same({ 200, "application/json", "3" },
      { res.status, res.headers["Content-Type"], res.headers["X-Total"] })
    assert.are.same({ { name = "string", born = "2024-01-01", tags = { "string" }, owner = "string" } }, res:json())
    assert.are.equal(res.body, api:get("/pets").body)
  end)

  it("answers by examples, and by what a request prefers", function()
    local api = client()
    assert.are.equal("Ada", api:get("/pets/1"):json().name)
    assert.are.equal("Bob", api:get("/pets/1", { headers = { Prefer = "example=b" } }):json().name)
    local res = api:get("/pets/1", { headers = { Prefer = "code=404" } })
    assert.are.same({ 404, "application/problem+json" }, { res.status, res.headers["Content-Type"] })
    assert.are.same({ title = "Not found", status = 404 }, res:json())
    assert.are.equal("mine", api:get("/pets/mine").body) -- not one of {id}
    assert.are.equal(201, api:post("/pets", { json = { name = "x", owner = json.null } }).status)
    assert.are.equal(204, api:delete("/none").status)
    assert.is_table(api:get("/tree"):json().children) -- a schema of itself ends
  end)

  -- { method, path, options, what the message says }
  for name, row in pairs {
    ["a path"] = { "GET", "/cats", nil, "does not know GET /v1/cats" },
    ["a method"] = { "PUT", "/pets", nil, "for this path it knows GET, POST" },
    ["another origin"] = { "GET", "https://other.test/v1/pets", nil, "its server is https://pets.test/v1" },
    ["a parameter that it does not know"] = { "GET", "/pets", { params = { page = 1 } }, "query parameter 'page'" },
    ["a parameter of another type"] = { "GET", "/pets", { params = { limit = "x" } }, "'limit' is no integer" },
    ["a choice that there is not"] = { "GET", "/pets", { params = { sort = "x" } }, "'sort' is none of its choices" },
    ["a header that is missing"] = { "GET", "/pets", { headers = { ["X-Tenant"] = false } }, "'X-Tenant' is missing" },
    ["a body that is missing"] = { "POST", "/pets", nil, "the body is missing" },
    ["a body where none is known"] = { "GET", "/pets", { json = {} }, "knows no body" },
    ["a body of another type"] = { "POST", "/pets", { form = { a = 1 } }, "no body of type 'application/x-www-form" },
    ["a member that is missing"] = { "POST", "/pets", { json = { born = "x" } }, "body.name is missing" },
    ["a member that it does not know"] = { "POST", "/pets", { json = { name = "x", age = 1 } },
      "body.age is not known" },
    ["a member of another type"] = { "POST", "/pets", { json = { name = 1 } }, "body.name is no string" },
    ["an item of another type"] = { "POST", "/pets", { json = { name = "x", tags = { "a", 2 } } },
      "body.tags[2] is no string" },
  } do
    it("refuses " .. name, function()
      local api, m = client()
      local res, err = api:request(row[1], row[2], row[3])
      assert.is_nil(res)
      assert.are.equal("mock", err.kind)
      assert.matches(row[4], err.message, 1, true)
      assert.is_nil((m:verify()))
    end)
  end

  it("lets entries of its own go first", function()
    local api, m = client()
    m:on("GET", "/v1/pets/1"):fail "timeout"
    local _, err = api:get "/pets/1"
    assert.are.equal("timeout", err.kind)
    assert.are.equal(200, api:get("/pets/1").status)
    assert(m:verify())
  end)

  it("takes JSON, and documents of Swagger 2.0", function()
    local api = client(json.encode {
      swagger = "2.0", host = "pets.test", basePath = "/v1", schemes = { "https" }, info = { title = "Old" },
      paths = { ["/a/{x}"] = { post = {
        parameters = { { ["in"] = "body", name = "b", required = true,
          schema = { type = "object", required = { "n" } } } },
        responses = { ["200"] = { description = "", schema = { type = "integer", minimum = 5 } } } } } },
    })
    assert.are.equal("5", api:post("/a/1", { json = { n = 1 } }).body)
    local _, err = api:post("/a/1", { json = { m = 1 } })
    assert.matches("body.n is missing", err.message, 1, true)
  end)

  it("bears what is odd in a document", function()
    local api = client { openapi = "3.1.0", servers = { { url = "/v1" } }, paths = {
      ["/odd/{a}.{b}"] = { parameters = { 1, { name = 2 } }, get = {
        parameters = { { ["$ref"] = "#/none" } },
        responses = { [200] = { content = as_json { schema = { ["$ref"] = "#/components/schemas/Ring" } } } } } },
      ["/no"] = { get = { responses = json.null } }, ["/ref"] = { ["$ref"] = "other.yaml#/x" } },
      components = { schemas = {
        Ring = { allOf = { { ["$ref"] = "#/components/schemas/Ring" } }, properties = {
          id = { type = { "null", "integer" } }, self = { ["$ref"] = "#/components/schemas/Loop" } } },
        Loop = { ["$ref"] = "#/components/schemas/Loop" } } } }
    assert.are.equal(0, api:get("/odd/x.y"):json().id)
    assert.are.equal(200, api:get("/no").status)
    assert.are.equal("mock", select(2, api:get "/ref").kind)
  end)

  it("raises for what is no document", function()
    assert.matches("is no OpenAPI document", message_of(mock.from_openapi, {}), 1, true)
    assert.matches("is no JSON", message_of(mock.from_openapi, '{"openapi": 3.0'), 1, true)
    for _, text in ipairs { "openapi: 3.0.0\npaths: {}", "# pets\n\n'swagger' : '2.0'", "---\nopenapi: 3.1.0" } do
      assert.matches("is YAML, and has to be JSON; convert it first", message_of(mock.from_openapi, text), 1, true)
    end
  end)

  -- A document with one schema, "N", that GET /n answers with and that POST /n takes.
  local function with_schema(n)
    local content = as_json { schema = { ["$ref"] = "#/components/schemas/N" } }
    return { openapi = "3.0.3", components = { schemas = { N = n } }, paths = { ["/n"] = {
      get = { responses = { ["200"] = { content = content } } },
      post = { requestBody = { content = content }, responses = { ["201"] = {} } },
    } } }
  end

  local function client_of(document) return http.client { transport = mock.from_openapi(document), retry = false } end

  it("makes small values of schemas that name themselves", function()
    local me, properties = { ["$ref"] = "#/components/schemas/N" }, {}
    for i = 1, 20 do properties["p" .. i] = me end
    properties.id, properties.list = { type = "integer" }, { type = "array", items = me }
    local api = client_of(with_schema { type = "object", properties = properties })
    assert.are.same({ id = 0, list = {} }, assert(api:get "http://a.test/n"):json())
    local schemas = {}
    for i = 1, 20 do
      local parts = {}
      for j = 1, 20 do parts["p" .. j] = { ["$ref"] = "#/components/schemas/S" .. j } end
      schemas["S" .. i] = { type = "object", properties = parts }
    end
    local document = with_schema { ["$ref"] = "#/components/schemas/S1" }
    for name, one in pairs(schemas) do document.components.schemas[name] = one end
    assert.is_true(#assert(client_of(document):get "http://a.test/n").body < 200000)
  end)

  it("ends its look at choices among choices", function()
    local me = { ["$ref"] = "#/components/schemas/N" }
    local api = client_of(with_schema { oneOf = { { type = "string" }, { allOf = { me } }, me, me } })
    assert(api:post("http://a.test/n", { json = { 1 } }))
    assert.are.equal(201, assert(api:post("http://a.test/n", { json = { x = "text" } })).status)
  end)

  it("counts the characters of texts", function()
    local api = client_of(with_schema { type = "object", properties = { s = { type = "string", minLength = 2,
      maxLength = 3 } } })
    for text, fits in pairs { ["\195\169"] = false, ["\195\169\195\169\195\169"] = true, abcd = false } do
      assert.are.equal(fits, api:post("http://a.test/n", { json = { s = text } }) ~= nil, text)
    end
  end)

  it("bears what is nonsense in a document", function()
    local api = client_of { openapi = 3, servers = { { url = 5 }, 7 }, info = 7, components = 9, paths = { [7] = {},
      ["/a"] = 5, ["/b"] = { get = 7 }, ["/c"] = { get = { parameters = 5, requestBody = 7, responses = 9 } },
      ["/d"] = { get = { parameters = { 1, {} }, responses = { ["abc"] = {}, ["100"] = {}, ["201"] = 5 } } },
      ["/e"] = { get = { responses = { ["200"] = { content = as_json { schema = { type = 5, properties = 7, enum = 9,
        allOf = 3, items = 2 } } } } } } } }
    local got = {}
    for i, where in ipairs { "a", "b", "c", "d", "e" } do
      local res = api:get("http://a.test/" .. where)
      got[i] = res and res.status or false
    end
    assert.are.same({ false, false, 200, 201, 200 }, got)
  end)
end)
