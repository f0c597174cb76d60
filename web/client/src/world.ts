// A client's part in a world: its viewpoint, its commands and their numbers, what it sees and where that is between two
// deltas. Sans-IO as the core is; never draws.

import { View, encodeMessage, readHotHeader, readOverview } from '../../reader/worldshard-reader.js';
import { SERVER_OPCODE } from '../../reader/worldshard-reader.js';
import type { ClientMessage, InterestWish } from '../../reader/worldshard-reader.js';
import type { Frame } from './envelope.js';
import type { Greeting, Triple, WorldEvent } from './events.js';

/** Where the world's frames go: {@link Core}. */
export interface WorldLink {
  command(frame: Frame): boolean;
  acknowledge(frame: Frame): void;
}

export interface JoinWish {
  /** An avatar is an entity of the world; a camera only looks. */
  mode?: 'avatar' | 'camera';
  /** Where; else the world chooses. */
  at?: Triple;
  interest?: InterestWish;
  /** Everything in each delta, instead of what changed. */
  full?: boolean;
}

interface Command {
  seq: number;
  message: ClientMessage;
}

export class World {
  readonly #link: WorldLink;
  #view = new View();
  #greeting: Greeting | undefined;
  #standing: 'out' | 'joining' | 'in' | 'leaving' = 'out';
  #entity: number | undefined;
  #seq = 0;
  /** Commands that no delta contains yet, for a connection that goes on with the session. */
  #unconfirmed: Command[] = [];
  #deltaAt = 0;
  #deltaSpanMs = 1;

  constructor(link: WorldLink) {
    this.#link = link;
  }

  /** What the client sees, as of the last delta whose event has come. */
  get view(): View {
    return this.#view;
  }

  /** How far the server is with the viewpoint. */
  get standing(): 'out' | 'joining' | 'in' | 'leaving' {
    return this.#standing;
  }

  /** The avatar, while there is one. */
  get entity(): number | undefined {
    return this.#entity;
  }

  /** The number of the last command. */
  get commandSequence(): number {
    return this.#seq;
  }

  // -------------------------------------------------------------------------------------------------------------
  // What the client says. All of it returns false or undefined where the client is not live.

  join({ mode = 'avatar', at, interest = { kind: 'default' }, full = false }: JoinWish = {}): boolean {
    if (!this.#say({ type: 'join', mode, at: at ?? null, interest, full, acks: true })) return false;
    this.#begin('joining', undefined);
    return true;
  }

  leave(): boolean {
    if (!this.#say({ type: 'leave' })) return false;
    this.#standing = 'leaving';
    return true;
  }

  /** Walks on in a direction of length at most 1; zero stops. @returns the command's number */
  steer(direction: Triple): number | undefined {
    return this.#command({ type: 'steer', direction });
  }

  /** Walks to a place. @returns the command's number */
  move(to: Triple): number | undefined {
    return this.#command({ type: 'move', to });
  }

  /** Moves the camera. @returns the command's number */
  look(at: Triple): number | undefined {
    return this.#command({ type: 'look', at });
  }

  /** Asks to see something else. @returns the command's number */
  wish(interest: InterestWish): number | undefined {
    return this.#command({ type: 'interest', interest });
  }

  /** A command of the world's own: 64 to 255. @returns the command's number */
  custom(opcode: number, payload: Uint8Array): number | undefined {
    return this.#command({ type: 'custom', opcode, payload });
  }

  /** Asks for the picture of the whole world, or not any more. Each connection is asked anew. */
  overview(on: boolean, ghosts = false): boolean {
    return this.#say({ type: 'overview', on, ghosts });
  }

  #command(message: ClientMessage): number | undefined {
    const seq = this.#seq + 1;
    if (!this.#say(message, seq)) return undefined;
    this.#seq = seq;
    this.#unconfirmed.push({ seq, message });
    // What is forgotten is not said again when the session goes on over another connection.
    if (this.#unconfirmed.length > UNCONFIRMED_MAX) this.#unconfirmed.shift();
    return seq;
  }

  #say(message: ClientMessage, seq: number | null = null): boolean {
    return this.#link.command(encodeMessage(message, { seq }));
  }

  // -------------------------------------------------------------------------------------------------------------
  // Where things are

  /**
   * Where an entity is, between the last two deltas; undefined when it is not seen.
   *
   * @param now by the clock that deltas are taken by
   */
  positionAt(id: number, now: number): Triple | undefined {
    return this.#view.positionAt(id, (now - this.#deltaAt) / this.#deltaSpanMs);
  }

  // -------------------------------------------------------------------------------------------------------------
  // What comes from the core, in order

  /** The client is live. A session that goes on says again what the server has not taken. */
  greeted(greeting: Greeting, resumed: boolean): void {
    this.#greeting = greeting;
    if (!resumed) {
      this.#seq = 0;
      this.#begin('out', undefined);
      return;
    }
    const again = this.#unconfirmed.filter(({ seq }) => seq > (greeting.command_sequence ?? 0));
    this.#begin(this.#standing, greeting.entity);
    this.#unconfirmed = again;
    for (const { seq, message } of again) this.#say(message, seq);
  }

  /** What the server says of the world in a text; undefined when it is not known. */
  text(name: string, data: unknown): WorldEvent | undefined {
    const { entity, tick } = Object(data) as { entity?: number | null; tick?: number };
    switch (name) {
      case 'joined':
        this.#begin('in', entity ?? undefined);
        return { type: 'joined', entity: this.#entity, tick: tick ?? 0 };
      case 'left':
        this.#begin('out', undefined);
        return { type: 'left' };
      case 'avatar_lost':
        this.#entity = undefined;
        return { type: 'avatarLost', entity: entity ?? 0 };
    }
    return undefined;
  }

  /** The server refused a command, or whatever else had this number. */
  refused(seq: number): void {
    this.#unconfirmed = this.#unconfirmed.filter((command) => command.seq !== seq);
  }

  /**
   * A message of the world service; undefined when it tells nothing.
   *
   * @throws {ReaderError} it cannot be read, or contradicts what is seen
   */
  bytes(now: number, bytes: ArrayBuffer): WorldEvent | undefined {
    const { opcode, seq, payloadOffset } = readHotHeader(bytes);
    if (opcode === SERVER_OPCODE.overview) return { type: 'overview', overview: readOverview(bytes, payloadOffset) };
    // A delta that was on its way when the viewpoint was given up is of no use any more.
    if (opcode !== SERVER_OPCODE.delta || this.#standing === 'out' || this.#standing === 'leaving') return undefined;
    const tickBefore = this.#view.tick;
    const { tick, entered, changed, left } = this.#view.apply(bytes, payloadOffset);
    const { commandSequence } = this.#view;
    this.#unconfirmed = this.#unconfirmed.filter((command) => command.seq > commandSequence);
    if (seq !== null) this.#link.acknowledge(encodeMessage({ type: 'ack' }, { deltaAck: seq }));
    const ticks = tickBefore < 0 ? 1 : Math.max(1, tick - tickBefore);
    this.#deltaAt = now;
    this.#deltaSpanMs = Math.min(SPAN_MS_MAX, (ticks * 1000) / (this.#greeting?.tick_rate_hz || 20));
    return { type: 'delta', tick, entered, changed, left, commandSequence };
  }

  /** The server tells a viewpoint all over again. */
  #begin(standing: World['standing'], entity: number | undefined): void {
    this.#standing = standing;
    this.#entity = entity;
    this.#view = new View();
    this.#unconfirmed = [];
  }
}

/** Commands that may wait for their delta. */
const UNCONFIRMED_MAX = 256;
/** After a pause entities do not crawl for longer than this. */
const SPAN_MS_MAX = 300;
