// The package's table of contents, in reading order.

export { Client, connect } from './client.js';
export type { Channel, ClientOptions, ClientRequest } from './client.js';
export type {
  Cause, ClientEvent, CoreEvent, EndEvent, Greeting, LifeEvent, MessageFailed, Outcome, ServerEvent, Triple, WorldEvent, WorldFrame,
} from './events.js';
export type { MessageHandle, MessageStatus, RequestHandle, RequestStatus } from './ledger.js';
export type { Auth } from './handshake.js';
export { POLICY, QueueFull } from './policy.js';
export type { Policy } from './policy.js';
export type { Socket, SocketConstructor } from './socket.js';

export { World } from './world.js';
export type { JoinWish, WorldLink } from './world.js';
export { Prediction } from './prediction.js';

// For those who bring their own socket and clock.
export { Core } from './core.js';
export type { Action, CoreOptions, Loss } from './core.js';
export { Backoff } from './backoff.js';
export type { Curve } from './backoff.js';
export { Random } from './random.js';

// The reader: all of it is at `@worldshard/client/reader`.
export { ReaderError, View } from '../../reader/worldshard-reader.js';
export type { Dot, Entity, InterestWish, Overview, Seen } from '../../reader/worldshard-reader.js';
