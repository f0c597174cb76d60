// The journey of docs/journey.md with the TypeScript client: who travels, and what they tell. The same in node and in pages.

import { connect } from '@worldshard/client';

/** @typedef {import('@worldshard/client').Client} Client */
/** @typedef {import('@worldshard/client').ClientEvent} ClientEvent */
/** @typedef {import('@worldshard/client').ClientOptions} ClientOptions */
/** @typedef {import('./scene.mjs').Scene} Scene */

/** All on their way at the same time, until each is dead. @param {Scene} scene @param {ClientOptions} [options] */
export async function travel({ baggage, cut }, options = {}) {
  const { url, detour, forged, ann, bob, bobNext } = await baggage();
  const bobs = [{ token: bobNext, by: /** @type {const} */ ('subprotocol') }];
  const travellers = [
    new Traveller('nobody', url, options),
    new Traveller('forger', url, { ...options, auth: { token: forged } }),
    new Traveller('forger by subprotocol', url, { ...options, auth: { token: forged, by: 'subprotocol' } }),
    new Ann(cut, detour, { ...options, auth: { token: ann } }),
    // However short a session was, its end may be followed by another question.
    new Traveller('bob', url, { ...options, steadyMs: 0, auth: { token: bob, by: 'subprotocol' } }, () => bobs.shift()),
  ];
  await Promise.all(travellers.map(({ client }) => client.finished));
  return travellers.map(({ name, lines }) => [name, ...lines.map((line) => `  ${line}`), ''].join('\n')).join('');
}

/** A server that is not heard any more, though it hears. @param {Scene} scene @param {ClientOptions} [options] */
export async function fallSilent({ baggage, mute }, options = {}) {
  const { detour, ann } = await baggage();
  const client = connect(detour, { ...options, auth: { token: ann }, pingIntervalMs: 500, pongDeadlineMs: 500 });
  /** @type {string[]} */
  const told = [];
  await new Promise((done) => client.onAny((event) => {
    if (event.type === 'delta') return;
    const { type } = event;
    told.push(type === 'connecting' ? `${type} ${event.attempt}` : type === 'live' && event.resumed ? 'resumed' : type);
    if (type === 'joined') void mute();
    if (type === 'live' && told.includes('joined')) done(undefined);
    else if (type === 'live') client.world.join();
  }));
  client.close();
  return told.join(', ');
}

class Traveller {
  /** @type {string[]} */
  lines = [];
  /** What was asked, by its number. @type {Map<number, string>} */
  asked = new Map();
  renewals = 0;
  /** @type {number | undefined} */
  session;
  /** @type {number | undefined} */
  avatar;

  /** @param {string} name @param {string} url @param {ClientOptions} options @param {ClientOptions['refresh']} [refresh] */
  constructor(name, url, options, refresh) {
    this.name = name;
    this.client = connect(url, refresh === undefined ? options : {
      ...options,
      refresh: () => {
        this.renewals += 1;
        return refresh();
      },
    });
    this.client.onAny((event) => {
      const line = this.tell(event);
      if (line !== undefined) this.lines.push(line);
      this.goOn(event);
    });
  }

  /** What is done when this is heard. @param {ClientEvent} _event */
  goOn(_event) {}

  /** What is told of it. @param {ClientEvent} event @returns {string | undefined} */
  tell(event) {
    const what = 'id' in event ? this.asked.get(event.id) : undefined;
    switch (event.type) {
      case 'delta':
      case 'overview':
        return undefined;
      case 'connecting':
        this.tellRenewals();
        return `connecting ${event.attempt}`;
      case 'live':
        return this.greeted(event);
      case 'joined':
        this.avatar = event.entity;
        return 'joined';
      case 'opened':
      case 'disconnected':
      case 'closedBySelf':
        return event.type;
      case 'closedByServer':
        return `closedByServer ${event.code} ${event.reason}`;
      case 'dead':
        this.tellRenewals();
        return ['dead', event.cause, ...event.unsent].join(' ');
      case 'response':
        return `${what}: response ${JSON.stringify(event.data)}`;
      case 'reject':
        return `${what}: reject ${event.code}: ${event.msg}`;
      case 'ack':
      case 'responseLost':
        return `${what}: ${event.type}`;
      case 'error':
        return `error ${event.code}: ${event.msg}`;
      default:
        // Nothing else is to be told.
        return JSON.stringify(event);
    }
  }

  tellRenewals() {
    if (this.renewals > 0) this.lines.push(`asked ${this.renewals}`);
  }

  /** @param {Extract<ClientEvent, {type: 'live'}>} live */
  greeted({ greeting, resumed }) {
    const before = this.session;
    this.session = greeting.session;
    const session = before === undefined ? '' : before === greeting.session && resumed ? ', the same session' : ', another session';
    const isSame = resumed && this.avatar !== undefined && this.client.world.entity === this.avatar && greeting.entity === this.avatar;
    return `live as ${greeting.user ?? 'nobody'}${session}${isSame ? ', the same avatar' : ''}`;
  }
}

class Ann extends Traveller {
  wasCut = false;
  /** The number of the command to walk, once it is said. @type {number | undefined} */
  walk;

  /** @param {Scene['cut']} cut @param {string} url @param {ClientOptions} options */
  constructor(cut, url, options) {
    super('ann', url, options);
    this.cut = cut;
  }

  /** @param {ClientEvent} event @override */
  goOn(event) {
    const { world } = this.client;
    switch (event.type) {
      case 'live':
        if (event.resumed) this.ask('wave');
        else world.join();
        return;
      case 'joined':
        return this.ask('who am i');
      case 'response':
        if (![...this.asked.values()].includes('wait')) return this.ask('wave');
        // What was said before this was asked is heard, too.
        return void this.cut();
      case 'reject':
        this.ask('wait');
        return this.ask('who am i');
      case 'disconnected':
        this.wasCut = true;
        return;
      case 'ack':
        if (!this.wasCut) return this.ask('fly');
        this.walk = world.steer([1, 0, 0]);
        return;
      case 'delta':
        if (this.walk === undefined || event.commandSequence < this.walk || !world.view.get(Number(this.avatar))) return;
        this.walk = undefined;
        this.lines.push('walks in sight');
        this.client.close();
    }
  }

  /** @param {string} what */
  ask(what) {
    this.asked.set(this.client.request(what).id, what);
  }
}
