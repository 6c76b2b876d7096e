// A WebSocket server of node's ws that echoes. Prints its port. usage: echo_ws.js [CERT KEY]
const fs = require('fs');
const { Server } = require('/usr/share/nodejs/ws');
const files = process.argv.slice(2);
const server = files.length
  ? require('https').createServer({ cert: fs.readFileSync(files[0]), key: fs.readFileSync(files[1]) })
  : require('http').createServer();
const sockets = new Server({ server, perMessageDeflate: { threshold: 0 }, maxPayload: 2 ** 26 });
sockets.on('connection', (socket) => socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary })));
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
