// What a client tells its program. Types only; README.md says in which order they come.

import type { Overview } from '../../reader/worldshard-reader.js';

/** Three metres: x, y, z. */
export type Triple = [number, number, number];

/** Who a session is and what its world is like, as docs/wire.md section 4 has it. */
export interface Greeting {
  session: number;
  /** Who the server takes the client for; absent when for nobody. */
  user?: string;
  tenant?: string;
  /** Finds this session in the server's logs. */
  trace?: string;
  /** What the client said of itself when it connected. */
  connect?: unknown;
  layout: number;
  tick: number;
  tick_rate_hz: number;
  shards: number;
  home: number;
  world: string;
  space: { min: Triple; max: Triple; metric: string; cell_edge_m: number };
  territories: { shard: number; min: Triple; max: Triple }[];
  interest: { radius_m: number; hysteresis_m: number; radius_max_m: number };
  border_m: number;
  components: { index: number; name: string }[];
  /** The avatar, once there is one. */
  entity?: number;
  /** There when the session goes on: the last command that was taken. */
  command_sequence?: number;
  /** What the next connection resumes the session by. */
  resume?: string;
}

/** The connection has ended, or the attempt to make one. */
export type EndEvent =
  /** Broken off, or never made. */
  | { type: 'disconnected'; why: string }
  /** By a close frame of the server. */
  | { type: 'closedByServer'; code: number; reason: string }
  /** By {@link Core.close}. */
  | { type: 'closedBySelf' };

/** Where the client is in its life. */
export type LifeEvent =
  /** An attempt begins; the first since the client was live is 1. */
  | { type: 'connecting'; attempt: number }
  /** The connection is a WebSocket; the server has not greeted yet. */
  | { type: 'opened' }
  /** From now on the program may send. */
  | { type: 'live'; greeting: Greeting; resumed: boolean }
  | EndEvent
  /** Nothing comes any more. `unsent` are the ids that were still to be sent when the client died. */
  | { type: 'dead'; cause: Cause; unsent: number[] };

/** Why a client does not go on. */
export type Cause =
  | 'closedBySelf'
  /** And {@link Policy.reconnectOnServerClose} does not want another connection. */
  | 'closedByServer'
  /** And {@link Policy.reconnectOnDrop} is off. */
  | 'dropped'
  /** As many failed as {@link Policy.attemptsMax} allows. */
  | 'attemptsSpent'
  /** And there is no other, or it was refused too. */
  | 'credentialRefused'
  /** The upgrade, in a way that another attempt would not change. */
  | 'refused'
  /** The server speaks another layout, or does not greet. */
  | 'unreadable';

/** How a request ended. Each has exactly one. */
export type Outcome<Response = unknown> =
  | { type: 'response'; id: number; data: Response }
  | { type: 'ack'; id: number }
  | { type: 'reject'; id: number; code: string; msg: string }
  /** It never left. */
  | { type: 'sendFailed'; id: number }
  /** It left; whether it was done is not known. */
  | { type: 'responseLost'; id: number }
  /** Nobody answered within the deadline; whether it is done is not known. */
  | { type: 'timedOut'; id: number };

/** A message that never left. */
export interface MessageFailed {
  type: 'messageFailed';
  id: number;
}

/** What the server says. */
export type ServerEvent<Message = unknown> =
  /** The application, as JSON. */
  | { type: 'message'; data: Message }
  /** The application, as bytes. */
  | { type: 'bytes'; bytes: Uint8Array }
  /** A refusal of something the client said: `seq` is the number of a command, when it had one. */
  | { type: 'error'; code: string; msg: string; seq: number | undefined }
  /** Another session takes this one's place; the server closes the connection next. */
  | { type: 'kicked'; reason: string }
  /** Any other text, for services that this package does not know. */
  | { type: 'envelope'; svc: string; name: string; room: string | undefined; data: unknown };

/** What becomes of the world and of the client's viewpoint in it. */
export type WorldEvent =
  | { type: 'joined'; entity: number | undefined; tick: number }
  | { type: 'left' }
  | { type: 'avatarLost'; entity: number }
  /** The view shows another tick: how many entities entered, changed and left. */
  | { type: 'delta'; tick: number; entered: number; changed: number; left: number; commandSequence: number }
  | { type: 'overview'; overview: Overview };

/** A message for the world that waits to be read: its view changes when its turn comes, not before. */
export interface WorldFrame {
  type: 'worldFrame';
  bytes: ArrayBuffer;
}

/** What {@link Core} tells, in order. */
export type CoreEvent = LifeEvent | Outcome | MessageFailed | ServerEvent | WorldFrame;

/** What {@link Client} tells, in order. */
export type ClientEvent<Message = unknown, Response = unknown> =
  LifeEvent | Outcome<Response> | MessageFailed | ServerEvent<Message> | WorldEvent;
