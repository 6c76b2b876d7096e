-- What a command line means, as a table: arguments, and the request they make or the place of what is wrong.

local arguments = require "lurcher.command.request.arguments"
local build = require "lurcher.command.request.build"
local caret = require "lurcher.command.caret"
local files = require "spec.support.files"

local U = "https://x.example" -- for cases that are not about the URL

-- The request of a word and its arguments; or nil and the wrong usage.
local function parse(word, list)
  local ok, result, settings = pcall(function()
    return build.request(arguments.parse(word, list))
  end)
  if ok then return result, settings end
  if not caret.is(result) then error(result, 0) end
  return nil, result
end

-- ---- what is right: { arguments, field = value … }; a word that is not "post" stands in `word` ----

local REQUESTS = {
  ["methods and URLs"] = {
    { { U }, word = "get", method = "GET", url = U },
    { { U }, word = "head", method = "HEAD" },
    { { U }, method = "POST" },
    { { U }, word = "put", method = "PUT" },
    { { U }, word = "patch", method = "PATCH" },
    { { U }, word = "delete", method = "DELETE" },
    { { U }, word = "options", method = "OPTIONS" },
    { { "PURGE", U }, word = "request", method = "PURGE", url = U },
    { { "purge", U }, word = "request", method = "purge" },
    { { "M-SEARCH", U, "a=1" }, word = "request", method = "M-SEARCH", body = '{"a":"1"}' },
    { { U, "a=1" }, word = "get", method = "GET", body = '{"a":"1"}' },
    { { "http://x.example/a?b=c#d" }, url = "http://x.example/a?b=c#d" },
    { { "HTTPS://X.example" }, url = "HTTPS://X.example" },
    { { "x.example" }, url = "https://x.example" },
    { { "x.example/a" }, url = "https://x.example/a" },
    { { "x.example:8443/a" }, url = "https://x.example:8443/a" },
    { { "x.example?a=http://y" }, url = "https://x.example?a=http://y" },
    { { "me:pw@x.example" }, url = "https://me:pw@x.example" },
    { { "//x.example/a" }, url = "https://x.example/a" },
    { { "://x.example/a" }, url = "https://x.example/a" },
    { { ":3000" }, url = "http://localhost:3000" },
    { { ":3000/x?y" }, url = "http://localhost:3000/x?y" },
    { { ":/x" }, url = "http://localhost/x" },
    { { ":" }, url = "http://localhost" },
    { { ":/" }, url = "http://localhost/" },
    { { "/" }, url = "http://localhost/" },
    { { "/x/y" }, url = "http://localhost/x/y" },
    { { "localhost" }, url = "http://localhost" },
    { { "LocalHost:8080/x" }, url = "http://LocalHost:8080/x" },
    { { "a.localhost" }, url = "http://a.localhost" },
    { { "localhost.example" }, url = "https://localhost.example" },
    { { "127.0.0.1" }, url = "http://127.0.0.1" },
    { { "10.1.2.3:80/x" }, url = "http://10.1.2.3:80/x" },
    { { "me@10.1.2.3" }, url = "http://me@10.1.2.3" },
    { { "1.2.3.4.example" }, url = "https://1.2.3.4.example" },
    { { "[::1]:3000/x" }, url = "http://[::1]:3000/x" },
    { { "bücher.example/ü" }, url = "https://bücher.example/ü" },
    { { "x.example/a b" }, url = "https://x.example/a b" }, -- lurcher.http encodes it
    { { "x.example/{a}|b" }, url = "https://x.example/{a}|b" },
  },

  ["where options and items stand"] = {
    { { "--form", U, "a=1" }, form = { { "a", "1" } } },
    { { U, "--form", "a=1" }, form = { { "a", "1" } } },
    { { U, "a=1", "--form" }, form = { { "a", "1" } } },
    { { "--form", "--", U, "--b=1" }, form = { { "--b", "1" } } },
    { { U, "--", "-i=1" }, body = '{"-i":"1"}' },
    { { U, "--", "--", "a=1" }, wrong = "item", at = 1 },
    { { "--", U }, url = U },
    { { "--session-like=1", "--", U }, url = U, settings = { session_like = "1" } },
    { { U, "-o", "out" }, settings = { output = "out" } },
    { { "-o", "a=1", U }, settings = { output = "a=1" } },
    { { "-o=out", U }, settings = { output = "out" } },
    { { "--output=a=b", U }, settings = { output = "a=b" } },
    { { "-i", "-v", U }, settings = { include = true, verbose = true } },
    { { "--pages", U }, settings = { pages = true } },
    { { "--pages=cursor:c:meta.next", U }, settings = { pages = "cursor:c:meta.next" } },
    { { "--pick=", U }, settings = { pick = "" } },
    { { "--no-color", "--any-status", U }, settings = { no_color = true, any_status = true } },
    { { "--concurrency=4", "--concurrency=8", U }, settings = { concurrency = 8 } },
  },

  ["query parameters"] = {
    { { U, "a==1" }, params = { { "a", "1" } } },
    { { U, "a==" }, params = { { "a", "" } } },
    { { U, "==1" }, params = { { "", "1" } } },
    { { U, "a==1", "a==2" }, params = { { "a", "1" }, { "a", "2" } } },
    { { U, "z==1", "a==2" }, params = { { "z", "1" }, { "a", "2" } } },
    { { U, "a===1" }, params = { { "a", "=1" } } },
    { { U, "a==b=c:d@e;f" }, params = { { "a", "b=c:d@e;f" } } },
    { { U, "a b==ü &" }, params = { { "a b", "ü &" } } },
    { { U, [[a\:b==1]] }, params = { { "a:b", "1" } } },
    { { U, [[a\=b==1]] }, params = { { "a=b", "1" } } },
    { { U, [[a==\=1]] }, params = { { "a", "=1" } } },
    { { U, "a[]==1" }, params = { { "a[]", "1" } } },
    { { U, "a==true" }, params = { { "a", "true" } } },
    { { U .. "?z=0", "a==1" }, url = U .. "?z=0", params = { { "a", "1" } } },
  },

  ["headers"] = {
    { { U, "A:1" }, headers = { A = "1" } },
    { { U, "A: 1" }, headers = { A = " 1" } }, -- lurcher.http trims it
    { { U, "A:" }, headers = { A = false } },
    { { U, "A;" }, headers = { A = "" } },
    { { U, "A:1", "A:2" }, headers = { A = { "1", "2" } } },
    { { U, "A:1", "a:2", "A:3" }, headers = { A = { "1", "2", "3" } } },
    { { U, "A:1", "A:" }, headers = { A = false } },
    { { U, "A:", "A:1" }, headers = { A = "1" } },
    { { U, "A:1", "A;" }, headers = { A = { "1", "" } } },
    { { U, "A:b=c" }, headers = { A = "b=c" } },
    { { U, "A:b:c" }, headers = { A = "b:c" } },
    { { U, "A:b==c" }, headers = { A = "b==c" } },
    { { U, "A:b;c@d" }, headers = { A = "b;c@d" } },
    { { U, "Date:Thu, 01 Jan 1970 00:00:00 GMT" }, headers = { Date = "Thu, 01 Jan 1970 00:00:00 GMT" } },
    { { U, [[A:\:b]] }, headers = { A = ":b" } },
    { { U, [[A:\n]] }, headers = { A = [[\n]] } },
    { { U, [[A:\\]] }, headers = { A = [[\\]] } },
    { { U, [[A:\=\@\;\:]] }, headers = { A = "=@;:" } },
    { { U, "A:ü" }, headers = { A = "ü" } },
    { { U, [[Referer:https\://y]] }, headers = { Referer = "https://y" } },
    { { U, "Referer:https://y" }, headers = { Referer = "https://y" } },
    { { U, "X-A_b.c:1" }, headers = { ["X-A_b.c"] = "1" } },
    { { U, "Content-Type:x/y", "a=1" }, headers = { ["Content-Type"] = "x/y" }, body = '{"a":"1"}' },
    { { U, "content-type:", "a=1" }, headers = { ["content-type"] = false }, body = '{"a":"1"}' },
    { { U, "a=1" }, headers = { ["Content-Type"] = "application/json" }, body = '{"a":"1"}' },
    { { U, "A:1", "a=1" }, body = '{"a":"1"}',
      headers = { A = "1", ["Content-Type"] = "application/json" } },
    { { U, "--json={}" }, headers = { ["Content-Type"] = "application/json" }, body = "{}" },
  },

  ["texts and values in JSON"] = {
    { { U, "a=1" }, body = '{"a":"1"}' },
    { { U, "a=" }, body = '{"a":""}' },
    { { U, "=a" }, body = '{"":"a"}' },
    { { U, "=" }, body = '{"":""}' },
    { { U, "a=b=c" }, body = '{"a":"b=c"}' },
    { { U, "a=b:c" }, body = '{"a":"b:c"}' },
    { { U, [[a=b\\c]] }, body = [[{"a":"b\\\\c"}]] },
    { { U, [[a=b\c]] }, body = [[{"a":"b\\c"}]] },
    { { U, [[a=b\=c]] }, body = '{"a":"b=c"}' },
    { { U, [[a=\]] }, body = [[{"a":"\\"}]] },
    { { U, [[a=\@]] }, body = '{"a":"@"}' },
    { { U, [[a\=b=c]] }, body = '{"a=b":"c"}' },
    { { U, [[a\:b=c]] }, body = '{"a:b":"c"}' },
    { { U, [[a\@b=c]] }, body = '{"a@b":"c"}' },
    { { U, [[a\;b=c]] }, body = '{"a;b":"c"}' },
    { { U, [[a\\=c]] }, body = [[{"a\\":"c"}]] },
    { { U, [[a\b=c]] }, body = [[{"a\\b":"c"}]] },
    { { U, [[\:\==c]] }, body = '{":=":"c"}' },
    { { U, 'a="' }, body = [[{"a":"\""}]] },
    { { U, "a=x\ny" }, body = [[{"a":"x\ny"}]] },
    { { U, "ü=ä" }, body = '{"ü":"ä"}' },
    { { U, "a b=c d" }, body = '{"a b":"c d"}' },
    { { U, "z=1", "a=2", "m=3" }, body = '{"z":"1","a":"2","m":"3"}' },
    { { U, "a=1", "b=2", "a=3" }, body = '{"a":"3","b":"2"}' },
    { { U, "a:=1" }, body = '{"a":1}' },
    { { U, "a:=1.50" }, body = '{"a":1.50}' },
    { { U, "a:=12345678901234567890" }, body = '{"a":12345678901234567890}' },
    { { U, "a:=-1e5" }, body = '{"a":-1e5}' },
    { { U, "a:=true", "b:=false", "c:=null" }, body = '{"a":true,"b":false,"c":null}' },
    { { U, 'a:="x y"' }, body = '{"a":"x y"}' },
    { { U, 'a:={"z": 1, "b": [1, 2]}' }, body = '{"a":{"z":1,"b":[1,2]}}' },
    { { U, 'a:= [ "x , y" , { } ] ' }, body = '{"a":["x , y",{}]}' },
    { { U, 'a:="\\u00e4\\"\\\\"' }, body = '{"a":"\\u00e4\\"\\\\"}' },
    { { U, ':={"a":1}' }, body = '{"":{"a":1}}' },
    { { U, ":=[1,2,3]", "foo=bar" }, body = '{"":[1,2,3],"foo":"bar"}' },
    { { U, 'a:={"x":1,"x":2}' }, body = '{"a":{"x":1,"x":2}}' },
  },

  ["nested JSON"] = {
    { { U, "a[b]=1" }, body = '{"a":{"b":"1"}}' },
    { { U, "a[b][c]=1" }, body = '{"a":{"b":{"c":"1"}}}' },
    { { U, "a[]=1" }, body = '{"a":["1"]}' },
    { { U, "a[]=1", "a[]:=2" }, body = '{"a":["1",2]}' },
    { { U, "a[b][]=1", "a[b][]=2" }, body = '{"a":{"b":["1","2"]}}' },
    { { U, "a[0]=x" }, body = '{"a":["x"]}' },
    { { U, "a[2]=x" }, body = '{"a":[null,null,"x"]}' },
    { { U, "a[1]=x", "a[0]=y" }, body = '{"a":["y","x"]}' },
    { { U, "a[007]=x" }, body = '{"a":[null,null,null,null,null,null,null,"x"]}' },
    { { U, "a[]=x", "a[2]=y", "a[4]=z" }, body = '{"a":["x",null,"y",null,"z"]}' },
    { { U, "a[0]:=1", "a[]:=2", "a[]:=3", "a[][]:=4", "a[][]:=5" }, body = '{"a":[1,2,3,[4],[5]]}' },
    { { U, "k[]:=1", "k[][]:=2", "k[][][]:=3", "k[][][]:=4" }, body = '{"k":[1,[2],[[3]],[[4]]]}' },
    { { U, "p[0][s]=D", "p[0][n]=H", "p[1][s]=F" }, body = '{"p":[{"s":"D","n":"H"},{"s":"F"}]}' },
    { { U, "w[s][d][3][m][!]=A" }, body = '{"w":{"s":{"d":[null,null,null,{"m":{"!":"A"}}]}}}' },
    { { U, "f[b][2][]:=5", "f[b][]:=6", "f[b][][x]=y" }, body = '{"f":{"b":[null,null,[5],6,{"x":"y"}]}}' },
    { { U, "a:=[1, 2]", "a[]:=3" }, body = '{"a":[1,2,3]}' },
    { { U, "a:=[1, [2]]", "a[1][]=x", "a[0]:=9" }, body = '{"a":[9,[2,"x"]]}' },
    { { U, 'a:={"x": {"y": 1}}', "a[x][z]:=2" }, body = '{"a":{"x":{"y":1,"z":2}}}' },
    { { U, 'a:={"x": 1}', "a[x]:=2" }, body = '{"a":{"x":2}}' },
    { { U, "a:=[null]", "a[0][b]=1" }, body = '{"a":[{"b":"1"}]}' },
    { { U, "a:={}", "a[b]=1" }, body = '{"a":{"b":"1"}}' },
    { { U, "a:=[]", "a[]=1" }, body = '{"a":["1"]}' },
    { { U, 'a:={"\\u00e4\\"": "]},"}', 'a[ä"]=1' }, body = '{"a":{"ä\\"":"1"}}' },
    { { U, "[]:=1", "[]=foo" }, body = '[1,"foo"]' },
    { { U, "[0][a]=1", "[0][b]=2" }, body = '[{"a":"1","b":"2"}]' },
    { { U, "[]:=0", "[3]:=3", "[]:=4" }, body = "[0,null,null,3,4]" },
    { { U, "[][a][b][]:=1", "[0][a][b][]:=2", "[][]:=2" }, body = '[{"a":{"b":[1,2]}},[2]]' },
    { { U, "0=x" }, body = '{"0":"x"}' },
    { { U, "0[1]=x" }, body = '{"0":[null,"x"]}' },
    { { U, [=[a\[b\]=1]=] }, body = '{"a[b]":"1"}' },
    { { U, [=[a\[b\][c]=1]=] }, body = '{"a[b]":{"c":"1"}}' },
    { { U, [=[a[\[b\]]=1]=] }, body = '{"a":{"[b]":"1"}}' },
    { { U, [=[\[\]=1]=] }, body = '{"[]":"1"}' },
    { { U, [=[\]=1]=] }, body = '{"]":"1"}' },
    { { U, [=[\[1\]\]=1]=] }, body = '{"[1]]":"1"}' },
    { { U, [=[a[\1]=x]=] }, body = '{"a":{"1":"x"}}' },
    { { U, [=[a[\0]=x]=], [=[a[\1]=y]=] }, body = '{"a":{"0":"x","1":"y"}}' },
    { { U, [=[\1=x]=], [=[\2[\3]=y]=] }, body = '{"1":"x","2":{"3":"y"}}' },
    { { U, [=[a[\\1]=x]=] }, body = [=[{"a":{"\\1":"x"}}]=] },
    { { U, [=[a[\\]=x]=] }, body = [=[{"a":{"\\":"x"}}]=] },
    { { U, [=[a[b\\]=x]=] }, body = [=[{"a":{"b\\":"x"}}]=] },
    { { U, [=[a[\b]=x]=] }, body = [=[{"a":{"\\b":"x"}}]=] },
    { { U, [=[a[b \2012]=x]=] }, body = [=[{"a":{"b \\2012":"x"}}]=] },
    { { U, [=[a[b\:c\=d]=x]=] }, body = '{"a":{"b:c=d":"x"}}' },
    { { U, "a[k 2]=x y" }, body = '{"a":{"k 2":"x y"}}' },
    { { U, "a[1.5]=x" }, body = '{"a":{"1.5":"x"}}' },
    { { U, "a[1x]=x" }, body = '{"a":{"1x":"x"}}' },
    { { U, "=e", "f=b", "b[z][q]=t" }, body = '{"":"e","f":"b","b":{"z":{"q":"t"}}}' },
    { { U, "a[ü][ö]=ß" }, body = '{"a":{"ü":{"ö":"ß"}}}' },
    { { U, "z[b]=1", "a=2", "z[a]=3" }, body = '{"z":{"b":"1","a":"3"},"a":"2"}' },
  },

  ["forms"] = {
    { { "--form", U, "a=1", "a=2", "b=" }, form = { { "a", "1" }, { "a", "2" }, { "b", "" } } },
    { { "--form", U, "n:=5" }, form = { { "n", "5" } } },
    { { "--form", U, "n:=12345678901234567890" }, form = { { "n", "12345678901234567890" } } },
    { { "--form", U, "n:=true", "m:=null" }, form = { { "n", "true" }, { "m", "null" } } },
    { { "--form", U, 'n:="x y"' }, form = { { "n", "x y" } } },
    { { "--form", U, "a[b]=1" }, form = { { "a[b]", "1" } } },
    { { "--form", U, [[a\=b=1]] }, form = { { "a=b", "1" } } },
    { { "--form", U, [[a\\=1]] }, form = { { [[a\\]], "1" } } },
    { { "--form", U, "=1" }, form = { { "", "1" } } },
    { { "--form", U, "z=1", "a=2" }, form = { { "z", "1" }, { "a", "2" } } },
    { { "--form", U }, form = nil },
    { { "--multipart", U, "a=1", "b:=2" },
      multipart = { { name = "a", value = "1" }, { name = "b", value = "2" } } },
    { { "--form", "--multipart", U, "a=1" }, multipart = { { name = "a", value = "1" } } },
  },

  ["bodies that are given as they are"] = {
    { { "--body=a=1", U }, body = "a=1" },
    { { "--body=", U }, body = "" },
    { { [[--body=\@x]], U }, body = "@x" },
    { { [[--body=\-]], U }, body = "-" },
    { { [[--body=\-x]], U }, body = "-x" },
    { { [[--body=\\@]], U }, body = [[\\@]] },
    { { [[--body=-x]], U }, body = "-x" },
    { { "--body=a\nb", U, "A:1", "q==1" }, body = "a\nb", headers = { A = "1" }, params = { { "q", "1" } } },
    { { '--json={"b": 1, "a": 2}', U }, body = '{"b": 1, "a": 2}' },
    { { "--json=12345678901234567890", U }, body = "12345678901234567890" },
    { { "--json=[]", U, "Content-Type:a/b" }, body = "[]", headers = { ["Content-Type"] = "a/b" } },
  },

  ["options of the request"] = {
    { { "--timeout=2.5", U }, opts = { timeout = 2.5 } },
    { { "--timeout=.5", U }, opts = { timeout = 0.5 } },
    { { "--retry=5", U }, opts = { retry = 5 } },
    { { "--retry=0", U }, opts = { retry = false } },
    { { "--redirects=0", U }, opts = { redirects = 0 } },
    { { "--http=1.1", U }, opts = { http_version = "1.1" } },
    { { "--http=2", U }, opts = { http_version = "2" } },
    { { "--proxy=env", U }, opts = { proxy = "env" } },
    { { "--proxy=socks5h://p:1080", U }, opts = { proxy = "socks5h://p:1080" } },
    { { "--insecure", U }, opts = { tls = { verify = false } } },
    { { "--unix-socket=/run/x", U }, opts = { unix_socket = "/run/x" } },
    { { "--resolve=x.example:443:127.0.0.1", U }, opts = { resolve = { ["x.example:443"] = "127.0.0.1" } } },
    { { "--resolve=x:80:::1", "--resolve=y:81:1.1.1.1", U },
      opts = { resolve = { ["x:80"] = "::1", ["y:81"] = "1.1.1.1" } } },
    { { "--auth=me:pw", U }, opts = { auth = { "me", "pw" } } },
    { { "--auth=me:", U }, opts = { auth = { "me", "" } } },
    { { "--auth=me:a:b", U }, opts = { auth = { "me", "a:b" } } },
    { { "--auth=:x", U }, opts = { auth = { "", "x" } } },
    { { "--rate=0.5", U }, client = { limits = { rate = 0.5 } } },
  },
}

-- ---- what is wrong: arguments, a part of what is said, where the caret is (of what argument, byte, and how long) ----

local WRONG = {
  ["without what is needed"] = {
    { {}, "no URL" },
    { { "--form" }, "no URL" },
    { {}, "no method", word = "request" },
    { { "GET" }, "no URL", word = "request" },
    { { "G T", U }, "no method", "G T", 1, 3, word = "request" },
    { { "", U }, "no method", "", 1, word = "request" },
  },

  ["in the URL"] = {
    { { "" }, "empty", "", 1 },
    { { "http://a b/" }, "space", "http://a b/", 9 },
    { { "a b" }, "space", "a b", 2 },
    { { ":70000/x" }, "port", ":70000/x", 2 },
    { { "http://x:y/" }, "port", "http://x:y/", 10 },
    { { "http://" }, "no host", "http://", 8 },
    { { "ftp://x.example/a" }, "only http", "ftp://x.example/a", 1, 3 },
    { { "file:///etc/passwd" }, "only http", "file:///etc/passwd", 1, 4 },
    { { "x.example/a\nb" }, "line feed", "x.example/a\nb", 12 },
    { { "[::1" }, "", "[::1", nil },
  },

  ["in an item"] = {
    { { U, "foo" }, "an item is", "foo", 1, 3 },
    { { U, "" }, "an item is", "", 1 },
    { { U, [[foo\=bar]] }, "an item is", [[foo\=bar]], 1, 8 },
    { { U, "A;b" }, "nothing behind it", "A;b", 3, 1 },
    { { U, "a;b=c" }, "nothing behind it", "a;b=c", 3, 3 },
    { { U, ":b" }, "header name", ":b", 1 },
    { { U, "A b:c" }, "header name", "A b:c", 1, 3 },
    { { U, "Ü:c" }, "header name", "Ü:c", 1, 2 },
    { { U, "A:b\r\nC: d" }, "control character", "A:b\r\nC: d", 3, 7 },
    { { U, "Content-Length:3" }, "Content%-Length", "Content-Length:3", 1, 14 },
    { { U, "transfer-encoding:chunked" }, "transfer%-encoding", "transfer-encoding:chunked", 1, 17 },
    { { U, "@x" }, "needs a name", "@x", 1 },
    { { U, "a@/no/such/file" }, "No such file", "a@/no/such/file", 3, 13 },
    { { U, "a@/no/such;type=x/y" }, "No such file", "a@/no/such;type=x/y", 3, 8 },
    { { U, "a@" }, "no path", "a@", 3 },
    { { U, "a@/" }, "Is a directory", "a@/", 3, 1 },
    { { U, "a=@/no/such" }, "No such file", "a=@/no/such", 4, 8 },
    { { U, "a:=@/no/such" }, "No such file", "a:=@/no/such", 5, 8 },
    { { U, "A:@/no/such" }, "No such file", "A:@/no/such", 4, 8 },
    { { U, "a==@/no/such" }, "No such file", "a==@/no/such", 5, 8 },
  },

  ["in JSON"] = {
    { { U, "a:=x" }, "expected a value", "a:=x", 4 },
    { { U, "a:=" }, "", "a:=", 4 },
    { { U, 'a:={"x":1,,}' }, "key in double quotes", 'a:={"x":1,,}', 11 },
    { { U, "a:=[1,2" }, "", "a:=[1,2", 8 },
    { { U, "a:=1 2" }, "", "a:=1 2", 6 },
    { { U, "a:=01" }, "", "a:=01" },
    { { U, [[a:="\:", x]] }, "", [[a:="\:", x]], 8 },
    { { U, 'ü:=["ä",]' }, "", 'ü:=["ä",]', 11 },
    { { U, "a=\255" }, "UTF%-8", "a=\255", 3 },
    { { U, "a=ü\255x" }, "UTF%-8", "a=ü\255x", 5 },
    { { U, "a=\195" }, "UTF%-8", "a=\195", 3 },
    { { U, "a\254b=1" }, "UTF%-8", "a\254b=1", 2 },
    { { U, 'a:="\255"' }, "", 'a:="\255"' },
    { { U, '--json={"a":}' }, "expected a value", '--json={"a":}', 13 },
    { { U, "--json=" }, "", "--json=", 8 },
    { { U, "--json=@/no/such" }, "No such file", "--json=@/no/such", 9, 8 },
  },

  ["in a nested name"] = {
    { { U, "A[:=1" }, "a name, a number or '%]'", "A[:=1", 3 },
    { { U, "A[1:=1" }, "expected '%]'", "A[1:=1", 4 },
    { { U, "A[text:=1" }, "expected '%]'", "A[text:=1", 7 },
    { { U, "A[text][:=1" }, "a name, a number or '%]'", "A[text][:=1", 9 },
    { { U, "A[text]1:=1" }, "expected '%['", "A[text]1:=1", 8 },
    { { U, "A]:=1" }, "expected '%['", "A]:=1", 2 },
    { { U, "]:=1" }, "a name or '%['", "]:=1", 1 },
    { { U, "[a]:=1" }, "a number or '%]'", "[a]:=1", 2 },
    { { U, [=[A\[]:=1]=] }, "expected '%['", [=[A\[]:=1]=], 4 },
    { { U, [=[A[b\]:=1]=] }, "expected '%]'", [=[A[b\]:=1]=], 6 },
    { { U, "a[b][1]][]:=2" }, "expected '%['", "a[b][1]][]:=2", 8 },
    { { U, "a[b][1]more[]:=2" }, "expected '%['", "a[b][1]more[]:=2", 8, 4 },
    { { U, "a[b[c]=1" }, "expected '%]'", "a[b[c]=1", 4 },
    { { U, "ä[ö[c]=1" }, "expected '%]'", "ä[ö[c]=1", 6 },
    { { U, "a[-1]=x" }, "from 0 to 9999", "a[-1]=x", 3, 2 },
    { { U, "a[10000]=x" }, "from 0 to 9999", "a[10000]=x", 3, 5 },
    { { U, "a[99999999999999999999]=x" }, "from 0 to 9999", "a[99999999999999999999]=x", 3, 20 },
    { { U, "a" .. ("[b]"):rep(101) .. "=x" }, "deeper than 100", nil },
    { { U, "a=1", "a[b]:=2" }, "'a' is a string", "a[b]:=2", 2, 3 },
    { { U, "a=1", "a[0]:=2" }, "'a' is a string", "a[0]:=2", 2, 3 },
    { { U, "a=1", "a[]:=2" }, "'a' is a string", "a[]:=2", 2, 2 },
    { { U, "a:=5", "a[b]:=2" }, "'a' is a number", "a[b]:=2", 2, 3 },
    { { U, "a:=true", "a[]:=2" }, "'a' is a boolean", "a[]:=2", 2, 2 },
    { { U, "a:=null", "a[b]:=2" }, "'a' is a null", "a[b]:=2", 2, 3 },
    { { U, "d[k]=v", "d[0]=v" }, "'d' is an object", "d[0]=v", 2, 3 },
    { { U, "d[k]=v", "d[]=v" }, "'d' is an object", "d[]=v", 2, 2 },
    { { U, "f[b][z][1]:=[1]", "f[b][z][k][]:=5" }, "'f%[b%]%[z%]' is an array", "f[b][z][k][]:=5", 8, 3 },
    { { U, "f[0]:=1", [[f[\2]:=3]] }, "'f' is an array", [[f[\2]:=3]], 2, 4 },
    { { U, "x=y", "[]:=2" }, "the body is an object", "[]:=2", 1, 2 },
    { { U, "[]:=2", "x=y" }, "the body is an array", "x=y", 1 },
    { { U, ":=[1]", "[]:=4" }, "the body is an object", "[]:=4", 1, 2 },
    { { U, "[]:=4", ":=[1]" }, "the body is an array", ":=[1]", 1 },
  },

  ["in a form"] = {
    { { "--form", U, "n:=[1]" }, "no place for an array", "n:=[1]", 4, 3 },
    { { "--form", U, 'n:={"a":1}' }, "no place for an object", 'n:={"a":1}', 4, 7 },
    { { "--multipart", U, "n:=[]" }, "no place for an array", "n:=[]", 4, 2 },
    { { "--form", U, "n:=x" }, "expected a value", "n:=x", 4 },
  },

  ["by two bodies"] = {
    { { "--body=x", U, "a=1" }, "two bodies: %-%-body", "a=1", 1, 3 },
    { { "--json={}", U, "a=1" }, "two bodies: %-%-json", "a=1", 1, 3 },
    { { "--body=x", "--json={}", U }, "two bodies: %-%-body", "--json={}", 1, 9 },
    { { "--form", "--body=x", U }, "two bodies: %-%-body", "--form", 1, 6 },
    { { "--json={}", "--multipart", U }, "two bodies: %-%-json", "--multipart", 1, 11 },
    { { "--body=x", U, "f@/etc/passwd" }, "two bodies", "f@/etc/passwd", 1, 13 },
  },

  ["in an option"] = {
    { { "--timeout=0", U }, "above 0", "--timeout=0", 11 },
    { { "--timeout=-1", U }, "above 0", "--timeout=-1", 11, 2 },
    { { "--timeout=1s", U }, "above 0", "--timeout=1s", 11, 2 },
    { { "--timeout=inf", U }, "above 0", "--timeout=inf", 11, 3 },
    { { "--timeout=", U }, "above 0", "--timeout=", 11 },
    { { "--retry=1.5", U }, "whole number", "--retry=1.5", 9, 3 },
    { { "--redirects=x", U }, "whole number", "--redirects=x", 13 },
    { { "--concurrency=0", U }, "at least 1", "--concurrency=0", 15 },
    { { "--rate=0", U }, "above 0", "--rate=0", 8 },
    { { "--http=3", U }, "1.1 or 2", "--http=3", 8 },
    { { "--pretty=yes", U }, "auto, all or none", "--pretty=yes", 10, 3 },
    { { "--resolve=x", U }, "HOST:PORT:ADDRESS", "--resolve=x", 11 },
    { { "--resolve=x:80:y", U }, "IP address", "--resolve=x:80:y", 11, 6 },
    { { "--cacert=/no/such", U }, "No such file", "--cacert=/no/such", 10, 8 },
    { { "--cert=", U }, "no value", "--cert=", 8 },
    { { "--auth=me", U }, "USER:PASSWORD", "--auth=me", 8, 2 },
    { { "--auth=env:LURCHER_NOT_SET", U }, "LURCHER_NOT_SET is not set", "--auth=env:LURCHER_NOT_SET", 8, 19 },
    { { "--auth=me:env:LURCHER_NOT_SET", U }, "is not set", "--auth=me:env:LURCHER_NOT_SET", 11, 19 },
    { { "--bearer=env:LURCHER_NOT_SET", U }, "is not set", "--bearer=env:LURCHER_NOT_SET", 10, 19 },
    { { "--bearer=env:", U }, "name of a variable", "--bearer=env:", 10, 4 },
    { { "--bearer=", U }, "empty", "--bearer=", 10 },
    { { "--bearer=a\nb", U }, "", "--bearer=a\nb", 10, 3 },
    { { "--auth=a:b", "--bearer=c", U }, "given already", "--bearer=c", 1, 10 },
    { { "--session=a/b", U }, "no '/'", "--session=a/b", 11, 3 },
    { { "--session=", U }, "no '/'", "--session=", 11 },
    { { "--each=/dev/null", "--pages", U }, "%-%-pages does not go with %-%-each", "--pages", 1, 7 },
    { { "-v", "--each=/dev/null", U }, "%-%-verbose does not go with %-%-each", "-v", 1, 2 },
    { { "--lua", "--each=/dev/null", U }, "%-%-lua does not go with %-%-each", "--lua", 1, 5 },
    { { "--download=x", "--pages", U }, "%-%-download does not go with %-%-pages", "--download=x", 1, 12 },
    { { "--curl", "--pages=number", U }, "%-%-curl does not go with %-%-pages", "--curl", 1, 6 },
    { { "--download", "-o", "x", U }, "%-%-output does not go with %-%-download", "x", 1, 1 },
    { { "--items=a", U }, "%-%-items is for %-%-pages", "--items=a", 1, 9 },
  },
}

local function named(list) return table.concat(list, " | ") end

describe("a request from the shell", function()
  for section, cases in pairs(REQUESTS) do
    it("is built: " .. section, function()
      for _, case in ipairs(cases) do
        local record, settings = parse(case.word or "post", case[1])
        local shown = named(case[1])
        if case.wrong then
          assert.is_nil(record, shown)
          assert.truthy(settings.message:find(case.wrong), shown)
          assert.equal(case.at, settings.first, shown)
        else
          assert(record, ("%s: %s"):format(shown, tostring(settings)))
          for _, name in ipairs { "headers", "params", "body", "form", "multipart" } do
            local is_told = case[name] ~= nil or not (name == "headers" and record.opts.body)
            if is_told then assert.same(case[name], record.opts[name], shown .. ": " .. name) end
          end
          for name, value in pairs(case.opts or {}) do assert.same(value, record.opts[name], shown .. ": " .. name) end
          for name, value in pairs(case.settings or {}) do assert.same(value, settings[name], shown) end
          assert.same(case.client, record.client, shown)
          assert.equal(case.method or "POST", record.method, shown)
          assert.equal(case.url or U, record.url, shown)
        end
      end
    end)
  end

  for section, cases in pairs(WRONG) do
    it("is refused for what is wrong " .. section, function()
      for _, case in ipairs(cases) do
        local record, problem = parse(case.word or "post", case[1])
        local shown = named(case[1])
        assert.is_nil(record, shown)
        assert.truthy(problem.message:find(case[2]), ("%s: %s"):format(shown, problem.message))
        if case[3] then assert.equal(case[3], problem.argument, shown) end
        if case[4] then assert.equal(case[4], problem.first, shown) end
        if case[5] then assert.equal(case[5], problem.last - problem.first + 1, shown) end
      end
    end)
  end

  describe("that takes from files", function()
    before_each(files.begin)
    after_each(files.finish)

    local function write(name, content)
      local file = assert(io.open(files.path(name), "wb"))
      file:write(content)
      file:close()
      return files.path(name)
    end

    local function body_of(...) return assert(parse("post", { U, ... })).opts end

    it("puts their texts into values, and one line end less into headers and parameters", function()
      local path = write("note", "one\ntwo\n\n")
      assert.equal('{"a":"one\\ntwo\\n\\n","b":{"c":["one\\ntwo\\n\\n"]}}',
        body_of("a=@" .. path, "b[c][]=@" .. path).body)
      assert.same({ { "a", "one\ntwo\n\n" } }, body_of("--form", "a=@" .. path).form)
      assert.same({ { "q", "one\ntwo\n" } }, body_of("q==@" .. path).params)
      assert.same({ A = "token" }, body_of("A:@" .. write("token", "token\r\n")).headers)
    end)

    it("puts their JSON into values", function()
      local path = write("value.json", '{ "z": 12345678901234567890,\n "a": [ ] }\n')
      assert.equal('{"v":{"z":12345678901234567890,"a":[],"b":1}}', body_of("v:=@" .. path, "v[b]:=1").body)
      assert.equal(files.read "value.json", body_of("--json=@" .. path).body)
      local broken = write("broken.json", '{\n"a": }')
      local _, problem = parse("post", { U, "v:=@" .. broken })
      assert.matches("broken.json' does not parse at line 2 column 6", problem.message, 1, true)
      assert.equal(5, problem.first)
    end)

    it("sends them as parts and as bodies without reading them", function()
      local path = write("a.txt", "text")
      assert.same({ { name = "f", file = path }, { name = "g", file = path, type = "text/x" },
        { name = "a", value = "1" }, { name = "n", value = "5" } },
        body_of("f@" .. path, "g@" .. path .. ";type=text/x", "a=1", "n:=5").multipart)
      local file = body_of("--body=@" .. path).body
      assert.equal(path, file.path)
      assert.is_false(file.type)
    end)

    it("escapes what would be their type", function()
      local path = write("a;type=b", "text")
      assert.same({ { name = "f", file = path } }, body_of("f@" .. path:gsub(";", "\\;")).multipart)
    end)

    it("refuses those that are no UTF-8 in JSON, and those that have what a header cannot", function()
      local path = write("binary", "a\255")
      local _, problem = parse("post", { U, "a=@" .. path })
      assert.matches("UTF-8", problem.message, 1, true)
      _, problem = parse("post", { U, "A:@" .. write("lines", "a\nb\n") })
      assert.matches("control character", problem.message, 1, true)
      assert.same({ { "a", "a\255" } }, body_of("--form", "a=@" .. path).form)
    end)
  end)
end)
