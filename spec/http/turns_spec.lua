-- Coded bodies: decoding goes on in turns, between which other tasks and the limits of time have theirs.

local assert = require "luassert"
local faults = require "spec.support.faults"
local task = require "lurcher.task"

local MIB = 1024 * 1024

-- A zstd frame of so many blocks of 128 KiB, each one byte repeated: 4 bytes a block.
local function zstd_bomb(blocks)
  local parts = { "\40\181\47\253\0\56" }
  for i = 1, blocks do
    local head = 128 * 1024 * 8 + 2 + (i == blocks and 1 or 0)
    parts[i + 1] = string.char(head % 256, math.floor(head / 256) % 256, math.floor(head / 65536), 0)
  end
  return table.concat(parts)
end

local function answer(coding, body)
  return faults.answering(("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s"):format(coding,
    #body, body))
end

-- Counts the turns that another task has while `fn` runs.
local function turns_during(fn)
  local turns = 0
  local ticker = task.spawn(function()
    while true do
      task.yield()
      turns = turns + 1
    end
  end)
  fn()
  ticker:cancel()
  return turns
end

describe("while a coded body is decoded", function()
  it("other tasks have their turns: buffered", function()
    local s = answer("zstd", zstd_bomb(256)) -- a thousand bytes become 32 MiB
    local turns = turns_during(function()
      assert.equal(32 * MIB, #assert(faults.client():get(s.url)).body)
    end)
    assert.is_true(turns >= 256, turns) -- 64 KiB a turn
  end)

  it("other tasks have their turns: streamed", function()
    local s = answer("zstd", zstd_bomb(256))
    local turns = turns_during(function()
      local size = 0
      for piece in assert(faults.client():get(s.url, { stream = true })):chunks() do size = size + #piece end
      assert.equal(32 * MIB, size)
    end)
    assert.is_true(turns >= 256, turns)
  end)

  it("other tasks have their turns: one long line", function()
    local s = answer("zstd", zstd_bomb(256))
    local turns = turns_during(function()
      local res = assert(faults.client { max_body = false }:get(s.url, { stream = true }))
      assert.equal(32 * MIB, #res:lines { max = 2 ^ 30 }())
    end)
    assert.is_true(turns >= 256, turns)
  end)

  it("other tasks have their turns though it gives nothing", function()
    -- a gzip body in a zstd body, which ends and is followed by zeros: more than may follow
    local gzip = "\31\139\8\0\0\0\0\0\0\3\203\72\205\201\201\7\0\134\166\16\54\5\0\0\0"
    local raw = string.char((#gzip * 8 + 1) % 256, math.floor(#gzip * 8 / 256), 0) .. gzip
    local body = "\40\181\47\253\0\56" .. raw .. zstd_bomb(1024)
    local s = answer("gzip, zstd", body)
    for _, stream in ipairs { false, true } do
      local err
      local turns = turns_during(function()
        local res
        res, err = faults.client():get(s.url, { stream = stream })
        if stream then err = select(2, assert(res):read_all()) end
      end)
      assert.equal("decode", err.kind)
      assert.is_true(turns >= 3, turns) -- a mebibyte is skipped, 256 KiB a turn
    end
  end)

  -- 320 KB become 10 GB while the peer is held back; 80 KB become 2.6 GB after the exchange is over.
  for _, case in ipairs { { false, 80000 }, { true, 80000 }, { false, 20000 }, { true, 20000 } } do
    local stream, blocks = unpack(case)
    local how = (stream and "streamed, " or "buffered, ") .. blocks .. " blocks"

    it("the limits of time hold: " .. how, function()
      local s = answer("zstd", zstd_bomb(blocks))
      local client = faults.client { timeout = { total = 0.05 }, max_body = stream and false or 2 ^ 40 }
      local res, err = client:get(s.url, { stream = stream })
      if stream then
        assert(res)
        local ok
        ok, err = pcall(function() for _ in res:chunks() do end end)
        assert.is_false(ok)
      end
      assert.equal("timeout", err.kind)
      assert.equal("total", err.phase)
      faults.settled(client)
    end)

    it("it can be cancelled: " .. how, function()
      local s = answer("zstd", zstd_bomb(blocks))
      local client = faults.client { max_body = false }
      local reader = task.spawn(function()
        local res = assert(client:get(s.url, { stream = stream }))
        for _ in res:chunks() do end
      end)
      faults.eventually(function() return s:connections() == 1 end)
      task.sleep(0.02)
      for _ = 1, 20 do task.yield() end
      reader:cancel()
      assert.is_false((pcall(reader.join, reader)))
      faults.settled(client)
    end)
  end

  it("what is too large ends it", function()
    local s = answer("zstd", zstd_bomb(80000))
    local res, err = faults.client { max_body = 8 * MIB }:get(s.url)
    faults.check({ kind = "too_large", phase = "read" }, res, err)
  end)

  it("the peer is held back", function()
    local sent = 0
    local s = faults.server(function(conn)
      local body = zstd_bomb(80000)
      conn:write("HTTP/1.1 200 OK\r\nContent-Encoding: zstd\r\nTransfer-Encoding: chunked\r\n\r\n")
      local chunk = ("%x\r\n%s\r\n"):format(#body, body)
      while sent < 400 * #body and conn:write(chunk) do sent = sent + #body end
    end)
    local client = faults.client { timeout = { total = 0.1 }, max_body = 2 ^ 40 }
    local res, err = client:get(s.url)
    faults.check({ kind = "timeout", phase = "total" }, res, err)
    assert.is_true(sent < 400 * 320000, sent)
  end)

  it("the end of the coded data is missed only when all is decoded", function()
    local body = zstd_bomb(64)
    local s = answer("zstd", body:sub(1, -5))
    local res, err = faults.client():get(s.url)
    faults.check({ kind = "truncated", phase = "read" }, res, err)
  end)
end)
