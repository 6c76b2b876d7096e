-- What each option of curl means: commands that curl itself runs, too, and a server that has to receive the same.

local files = require "spec.support.files"
local fs = require "lurcher.fs"
local like_curl = require "spec.support.like_curl"
local process = require "spec.support.process"

-- One a line; a here-document goes on to its end. FILE is a file.
local COMMANDS = [==[
curl HOST/x -T FILE -X POST
curl HOST/ -T FILE
curl HOST -T FILE
curl HOST/a/ -T 'DIR/a b.txt'
curl HOST/u1 HOST/u2 -T FILE -T DIR/b.txt
curl -T - HOST/t < FILE
curl -T - HOST/t <<< text
curl --data-urlencode 'a=b c~-._*/' --data-urlencode '=d e&' --data-urlencode 'f g' HOST/e
curl --data-urlencode '@FILE' --data-urlencode 'n@FILE' --data-urlencode 'ä=ä@ö' HOST/e
curl -G --data-urlencode 'a=b c' -d x=y HOST/e?q=1
curl -G -d x=y -d @FILE HOST/e
curl -G HOST/e
curl -G -I -d a HOST/e
curl -G -X POST -d a HOST/e
curl --url-query 'a=b c' --url-query '+x+y=z' --url-query 'n@FILE' HOST/e?q=1
curl --url-query '@FILE' --url-query 'ä~ä' HOST/e?q=1
curl --url-query a=b 'HOST/e?'
curl --url-query a=b 'HOST/e?x&#f'
curl --url-query a=b -G -d c=d HOST/e
curl --json '{"a":' --json '1}' -H 'accept: x' HOST/j
curl -d b --json c HOST/j
curl --json @FILE -d c HOST/j
curl -d @FILE --json c -H 'Content-Type: x/y' HOST/j
curl -d '' HOST/d
curl -d a -d '' -d @FILE -d b --data-binary @FILE HOST/d
curl --data-raw @FILE --data-ascii @FILE HOST/d
curl --data-binary @FILE HOST/d
curl --data-binary @- HOST/d < FILE
curl -d @- HOST/d <<'E'
$not `run` \here
  'a' "b"
E
curl -d @- HOST/d <<-E
	value is $VALUE and ${VALUE}s, \$VALUE \\ \a
	two \
lines
	E
curl -d"$VALUE" -d '$VALUE' -d $'$VALUE\t\x41\101é\u20ac\U1F600\cA\'\"\?\e' HOST/d
curl -d "a\"b\$c\`d\\e\f" -d a\ b\'c HOST/d # a comment
curl -F a=b -F 'c=@FILE' HOST/f
curl -F 'a=<FILE' -F 'h=<DIR/x.html' -F 'e=@FILE;type=text/html;charset=utf8' HOST/f
curl -F 'c="q\"u\\o;te";type=text/x' -F 'g=x;y=z' -F 'h;a="b=c' -F 'r=  lead' HOST/f
curl -F 'd=@FILE;filename="a\"b.txt"' -F 'z="a;b";filename=x.png' -F 'f=v;headers="X-A: 1"' HOST/f
curl -F 'd=@"FILE";filename=q q ;type=a/b' -F 'j=@DIR/x.json' -F 'k=@DIR/x.html' -F 'n=@DIR/none' HOST/f
curl -F 'b=@FILE,DIR/b.txt;type=a/b' -F c=d HOST/f
curl --form-string 'a=@FILE;type=x' HOST/f
curl -X PUT -F a=b HOST/f
curl -H 'Content-Type: multipart/form-data' -F a=b HOST/f
curl -H 'Content-Type: multipart/mixed' -F a=b -F c=@FILE HOST/f
curl -H 'Content-Type: multipart/mixed' -F 'a=b;headers="Z: 1";headers="Y: 2";headers="X: 3";headers="Z: 4"' HOST/f
curl -F 'a=b;headers="X-A: 1";headers="X-A: 2";headers="X-B: 3"' HOST/f
curl -F 'b=@FILE;headers="Z: 1";headers="Y: 2";headers="X: 3";headers="W: 4",DIR/b.txt;headers="B: 5"' HOST/f
curl -e 'http://a/;auto' -b a=b -b 'c=d; e=f' HOST/h
curl -b a=b -H 'Cookie: x=y' HOST/h
curl -b DIR/cookies.txt HOST/h
curl -b DIR/cookies.txt HOST/none
curl -b '' -A '' -e '' HOST/h
curl -A me/1 HOST/h
curl -A me/1 -H 'User-Agent: you' HOST/h
curl -H 'X-Empty;' -H 'Host: foo' -H 'X-Two: 1' -H 'x-two: 2' HOST/h
curl -H 'Content-Type:' -d a HOST/h
curl -H 'Accept: text/html' -H 'X-A:b' -H 'X-B:    c' HOST/h
curl -H @DIR/h.txt HOST/h
curl -r 600 HOST/h
curl -r 1-2,3-4 HOST/h
curl -C 5 HOST/h
curl -z 'Tue, 01 Jan 2019 00:00:00 GMT' HOST/h
curl -z '-Tue, 01 Jan 2019 00:00:00 GMT' HOST/h
curl -u a:b HOST/a
curl -u 'a:b:c d"' HOST/a
curl http://us%40er:p@HOST/a
curl -u a:b http://c:d@HOST/a
curl -u a:b -H 'Authorization: x' HOST/a
curl --oauth2-bearer t HOST/a
curl --oauth2-bearer t -u a:b HOST/a
curl --netrc-file DIR/netrc HOST/a
curl -u a:b --digest HOST/a
curl -I HOST/m
curl -XPATCH -d a HOST/m
curl -X DELETE HOST/m
curl -sSLXOPTIONS -iv HOST/m
curl --request GET --data-binary a HOST/m
curl --no-silent --no-location HOST/m
curl 'HOST/g?item[]=1'
curl 'HOST/g?{a,b}[1-2]'
curl 'HOST/a[1-7:3]' 'HOST/a[b-d]x[08-10]' 'HOST/a{x}' 'HOST/a[c-h:2]'
curl 'HOST/a\[b-d\]x'
curl -g 'HOST/a?[1-2]' -d x
curl HOST/p/../q/./r
curl --path-as-is HOST/p/../q/./r?s
curl --request-target '*' -X OPTIONS HOST/p
curl 'HTTP://HOST/x#frag'
curl HOST/1 --next -d a HOST/2 --next -I HOST/3
curl --compressed HOST/c
curl --compressed -H 'Accept-Encoding: br' HOST/c
curl -x PROXY http://a.test/x
curl -x PROXY -U 'us@er:p w' http://a.test/x
curl -x http://u:p@PROXY --noproxy a.test,b.test http://c.test/x
curl -x 'http://127.0.0.1:1' --noproxy '*' HOST/x
curl --resolve a.test:PORT:127.0.0.1 a.test:PORT/r
curl --connect-to a.test:PORT:127.0.0.1:PORT a.test:PORT/r
curl --connect-to ::127.0.0.1: a.test:PORT/r
curl --http1.1 -4 -k -m 50 --connect-timeout 50 HOST/w
curl HOST/1 ; curl HOST/2 && curl HOST/3 | cat >/dev/null
VALUE=x curl HOST/1 2>/dev/null >/dev/null
if true; then curl HOST/1; fi
for i in 1; do curl "HOST/1"; done
! \curl HOST/x & wait
]==]

-- curl 8 appends a file's name to no URL with a query, puts no & behind data that is empty, takes no options that are
-- not written out, and sends the CR of a file's line.
local OLD = [[
curl HOST?x=1 -T FILE
curl -d '' -d b HOST/d
curl --sil --inc --data a HOST/m
curl -H @DIR/crlf.txt HOST/h
]]

local function commands()
  local list, ending = {}, nil
  for line in ((like_curl.is_old() and OLD or "") .. COMMANDS):gmatch "[^\n]+" do
    local last = list[#list]
    if ending then
      last.text = last.text .. line .. "\n"
      if line:gsub("^\t", "") == ending then ending = nil end
    else
      list[#list + 1] = { name = tostring(#list + 1), text = line:gsub("FILE", "DIR/f.txt") .. "\n" }
      ending = line:match "<<%-?'?(%a+)'?$"
    end
  end
  return list
end

local directory

before_each(function()
  directory = files.begin()
  for name, text in pairs {
    ["f.txt"] = "file\r\ntext\n", ["b.txt"] = "b", ["a b.txt"] = "blank", ["x.html"] = "<p>", ["x.json"] = "{}",
    none = "no ending", ["h.txt"] = "X-From: file\n# no comment\nX-Too: 2\n",
    ["crlf.txt"] = "X-From: file\n# no comment\r\nX-Too: 2\r\n",
    netrc = "machine 127.0.0.1 login n password p\n",
    ["cookies.txt"] = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/h\tFALSE\t0\tname\tvalue\n"
      .. "127.0.0.1\tFALSE\t/\tFALSE\t1\told\tgone\nelse.test\tFALSE\t/\tFALSE\t0\tother\tx\n",
  } do
    assert(fs.write(files.path(name), text))
  end
  process.shell('chmod 600 "$1"', files.path "netrc")
end)
after_each(files.finish)

describe("what curl sends and what is sent for it", function()
  it("are the same", function()
    local list = commands()
    local all = like_curl.run(list, directory, { VALUE = "some 'text'" })
    for _, command in ipairs(list) do
      local both = all[command.name]
      assert.is_true(#both.curl > 0, command.text)
      assert.same(both.curl, both.ours, command.text)
    end
  end)
end)
