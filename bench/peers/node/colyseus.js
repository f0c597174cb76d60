// Colyseus 0.18 as a server to measure: one room, its messages of bytes, its transport over `ws`.
//
// It does not speak in raw messages. A client takes a seat by opening `/p/ROOM?sessionId=N`, and says byte 10. Then each
// message is byte 17, the type "m" as a string (a1 6d), and the bytes. So that nobody has to ask for seats over HTTP first,
// they are reserved here.
//
// Settings: no state to patch (`patchRate` null), no limit of messages a second (the default), no pings, no compression;
// `broadcastBytes`, which lays a message out once. Its transport over uWebSockets.js is not to be had from the registry.
import { Room, Server, matchMaker } from "@colyseus/core";
import { WebSocketTransport } from "@colyseus/ws-transport";
import { args, ready } from "./args.js";

const SEATS = 5100;
const { host, port, scenario } = args();

class Messages extends Room {
  patchRate = null;
  autoDispose = false;

  async onCreate() {
    this.onMessageBytes("m", (client, payload) => {
      if (scenario === "echo") {
        client.sendBytes("m", payload);
      } else {
        this.broadcastBytes("m", payload, {});
      }
    });
  }
}

const transport = new WebSocketTransport({ pingInterval: 0, perMessageDeflate: false });
const server = new Server({ transport, greet: false });
server.define("messages", Messages);
await server.listen(port, host, 4096);
const { roomId } = await matchMaker.createRoom("messages", {});
const room = matchMaker.getLocalRoomById(roomId);
for (let seat = 0; seat < SEATS; seat += 1) {
  await room._reserveSeat(String(seat), {}, undefined, 600);
}
ready(transport.server.address(), `/p/${roomId}`);
