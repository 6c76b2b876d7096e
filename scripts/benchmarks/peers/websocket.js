// URL CONNECTIONS WINDOW MESSAGES: what lurcher/websocket.lua does for "echo", by node's ws.
const WebSocket = require('/usr/share/nodejs/ws');
const [url, connections, window, messages] = [process.argv[2], ...process.argv.slice(3).map(Number)];
const share = Math.floor(messages / connections);
const text = 'x'.repeat(32);
const began = process.hrtime.bigint();
let open = connections;

for (let i = 0; i < connections; i++) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  let received = 0;
  socket.on('open', () => {
    for (let n = 0; n < window; n++) socket.send(text);
  });
  socket.on('message', (data) => {
    if (data.toString().length !== 32) throw new Error('wrong length');
    received++;
    if (received <= share - window) socket.send(text);
    if (received === share) socket.close();
  });
  socket.on('close', () => {
    if (--open > 0) return;
    const seconds = Number(process.hrtime.bigint() - began) / 1e9;
    console.log(JSON.stringify({ rate: Math.round((share * connections) / seconds), failed: 0 }));
  });
}
