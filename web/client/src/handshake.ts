// What a client says of itself until it is greeted: its address, the subprotocols it offers, its first message.
// Knows no order of events and keeps no secret longer than it is given it.

import { writeEnvelope } from './envelope.js';

/** Who the client says it is. */
export interface Auth {
  /** A token or a secret. Without one the client says who it is and proves nothing. */
  token?: string;
  /** Whom a secret, or nothing, is to stand for; a token names its user itself. */
  user?: string;
  /**
   * Where the token is shown: in the first message, or in a subprotocol, which saves a turn but needs a token of
   * characters that a header may hold.
   */
  by?: 'message' | 'subprotocol';
}

/** What every connection of a client says of it. */
export interface Identity {
  auth: Auth;
  /** Told to the server's application with each connection; at most 4096 bytes of JSON. */
  connect: unknown;
  env: 'native' | 'browser';
  protocolVersion: string | undefined;
}

/**
 * Refuses what no server would take, before anybody is asked.
 *
 * @throws {RangeError}
 */
export function checkIdentity({ auth, connect, protocolVersion }: Identity): void {
  const { token, user, by } = auth;
  if (by === 'subprotocol' && !HEADER_TOKEN.test(token ?? '')) {
    throw new RangeError('the token cannot stand in a subprotocol: show it by message');
  }
  if (user !== undefined && !USER.test(user)) {
    throw new RangeError('a user is 1 to 64 characters of A-Z, a-z, 0-9 and ._@-');
  }
  if (new TextEncoder().encode(JSON.stringify(connect) ?? '').length > CONNECT_BYTES_MAX) {
    throw new RangeError(`connect takes more than ${CONNECT_BYTES_MAX} bytes`);
  }
  if (protocolVersion !== undefined && protocolVersion.length > VERSION_MAX) {
    throw new RangeError(`a protocol version has at most ${VERSION_MAX} characters`);
  }
}

/** The address to connect to. Never holds a credential: addresses end up in logs. */
export function addressOf(url: string, { auth, connect, env, protocolVersion }: Identity): string {
  const address = new URL(url);
  const query = address.searchParams;
  if (protocolVersion !== undefined) query.set('v', protocolVersion);
  if (!showsByMessage(auth)) {
    query.set('env', env);
    if (auth.user !== undefined) query.set('user', auth.user);
    if (connect !== undefined) query.set('connect', JSON.stringify(connect));
  }
  return address.href;
}

/** What to offer: the token of a session to go on with, or else what shows the credential. */
export function offeredProtocols({ auth }: Identity, resume: string | undefined): string[] {
  if (resume !== undefined) return [`${RESUME_PREFIX}${resume}`];
  return auth.by === 'subprotocol' ? ['worldshard.1', `worldshard.auth.${auth.token}`] : [];
}

/** Whether the server's answer goes on with a session. */
export function isResumed(protocol: string): boolean {
  return protocol.startsWith(RESUME_PREFIX);
}

/** What to say before anything else, unless nothing need be said. */
export function firstMessage({ auth, connect, env }: Identity): string | undefined {
  if (!showsByMessage(auth)) return undefined;
  const { token, user } = auth;
  return writeEnvelope('sys', 'auth', { data: { token, user, connect, env } });
}

function showsByMessage({ token, by }: Auth): boolean {
  return token !== undefined && by !== 'subprotocol';
}

const RESUME_PREFIX = 'worldshard.resume.';
const HEADER_TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const USER = /^[A-Za-z0-9._@-]{1,64}$/;
const CONNECT_BYTES_MAX = 4096;
const VERSION_MAX = 20;
