// The lanes as far as an application speaks them: texts of the ext lane, and the hot lane's application service.
// docs/wire.md sections 2, 3 and 9 have the formats. What the world says is the reader's.

import { ReaderError, writeHot } from '../../reader/worldshard-reader.js';

/** The application's number on the hot lane. */
export const APP_SVC = 3;

/** The application's opcodes on the hot lane. */
export const APP_OPCODE = Object.freeze({ message: 0, request: 1, response: 2, ack: 3, reject: 4 });

/** One text of the ext lane. */
export interface Envelope {
  svc: string;
  type: string;
  seq: number | undefined;
  room: string | undefined;
  data: unknown;
}

/**
 * Reads a server's text. Fields that are not known are skipped.
 *
 * @throws {ReaderError} it is no envelope, or of another version
 */
export function readEnvelope(text: string): Envelope {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new ReaderError('not JSON');
  }
  const { v, svc, type, seq, room, data } = Object(parsed) as Record<string, unknown>;
  if (v !== 1) throw new ReaderError('unsupported version');
  if (typeof svc !== 'string' || typeof type !== 'string') throw new ReaderError('svc or type is missing');
  return { svc, type, seq: numberOr(seq), room: textOr(room), data };
}

/** A text of the ext lane. `data` is left out when it is undefined. */
export function writeEnvelope(svc: string, type: string, { seq, data }: { seq?: number; data?: unknown } = {}): string {
  return JSON.stringify({ v: 1, svc, type, seq, data });
}

/** What goes over a socket in one message. */
export type Frame = string | Uint8Array<ArrayBuffer>;

/** A message to the application: bytes on the hot lane, anything else on the ext lane. */
export function messageFrame(data: unknown): Frame {
  if (!(data instanceof Uint8Array)) return writeEnvelope('app', 'message', { data });
  return writeHot({ svc: APP_SVC, opcode: APP_OPCODE.message, seq: null, deltaAck: null }, data);
}

/** A request to the application, which is answered on the lane that it came on. */
export function requestFrame(seq: number, data: unknown): Frame {
  if (!(data instanceof Uint8Array)) return writeEnvelope('app', 'request', { seq, data });
  return writeHot({ svc: APP_SVC, opcode: APP_OPCODE.request, seq, deltaAck: null }, data);
}

/** Why a request was rejected. */
export interface Rejection {
  code: string;
  msg: string;
}

/** Reads the `data` of a rejection or an error on the ext lane. */
export function readRejection(data: unknown): Rejection {
  const { code, msg } = Object(data) as Record<string, unknown>;
  return { code: textOr(code) ?? 'INTERNAL', msg: textOr(msg) ?? '' };
}

/** Reads the payload of a rejection on the hot lane: the code, a zero byte, the message. */
export function readRejectionBytes(payload: Uint8Array): Rejection {
  const end = payload.indexOf(0);
  if (end < 0) throw new ReaderError('a rejection without its zero byte');
  const text = new TextDecoder();
  return { code: text.decode(payload.subarray(0, end)), msg: text.decode(payload.subarray(end + 1)) };
}

function numberOr(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

function textOr(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
