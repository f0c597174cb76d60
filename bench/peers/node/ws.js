// `ws` 8 as a server to measure, by the `echo` and `broadcast` examples of its README.
//
// Settings: no compression, its default and its advice; the optional `bufferutil` is installed, as the README recommends for
// this node; payloads come as they are, without a copy to text.
import { WebSocket, WebSocketServer } from "ws";
import { args, ready } from "./args.js";

const { host, port, scenario } = args();
const server = new WebSocketServer({ host, port, backlog: 4096, perMessageDeflate: false });

server.on("listening", () => ready(server.address()));
server.on("connection", (socket) => {
  // A client that goes, goes.
  socket.on("error", () => {});
  socket.on("message", (payload, binary) => {
    if (scenario === "echo") {
      socket.send(payload, { binary });
      return;
    }
    for (const client of server.clients) {
      if (client.readyState === WebSocket.OPEN) {
        client.send(payload, { binary });
      }
    }
  });
});
