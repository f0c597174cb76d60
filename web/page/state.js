// `window.worldshard`: the page's own state, for tests and for the curious. Reads everything, changes nothing.

/** @typedef {import('./session.js').Session} Session */
/** @typedef {import('./status.js').Status} Status */
/** @typedef {import('./lens.js').Lens} Lens */

/**
 * @typedef {object} PageState
 * @property {boolean} connected
 * @property {import('./session.js').Greeting | undefined} greeting
 * @property {string} standing how far the server is with the viewpoint: out, joining, in, leaving
 * @property {number} tick of the last delta; -1 before the first
 * @property {number} visible entities in the visible set
 * @property {number | undefined} entity the avatar
 * @property {number[] | undefined} position of the viewpoint, in metres
 * @property {number} entities told by the overview
 * @property {number} moving entities whose position changed between the last two overviews
 * @property {number[]} ownersSeen shards that own an entity of the overview, ascending
 * @property {Record<string, number>} perOwner entities by owner
 * @property {number[]} ownersMoving shards whose entities changed their position, ascending
 * @property {number} ghosts held, of all shards
 * @property {number} handoffs since the server's start, as it measures
 * @property {number} statusShards shards that the server measures
 * @property {string[]} errors
 */

/** @param {Session} session @param {Status} status @param {Lens} lens */
export function watch(session, status, lens) {
  /** @type {PageState} */
  const state = {
    get connected() { return session.connected; },
    get greeting() { return session.greeting; },
    get standing() { return session.standing; },
    get tick() { return session.view.tick; },
    get visible() { return session.view.size; },
    get entity() { return session.entity; },
    get position() {
      const at = session.position(performance.now());
      return at && session.space?.world(at);
    },
    get entities() { return session.dots.count; },
    get moving() { return session.dots.moving; },
    get ownersSeen() { return Object.keys(this.perOwner).map(Number); },
    get perOwner() {
      /** @type {Record<string, number>} */
      const counts = {};
      const { dots } = session;
      for (const owner of dots.owners.subarray(0, dots.count)) counts[owner] = (counts[owner] ?? 0) + 1;
      return counts;
    },
    get ownersMoving() {
      return [...session.dots.movedBy].filter(([, moved]) => moved > 0).map(([shard]) => shard).sort((a, b) => a - b);
    },
    get ghosts() {
      return [...session.dots.ghosts.values()].reduce((sum, ghosts) => sum + ghosts.length, 0);
    },
    get handoffs() { return status.handoffs; },
    get statusShards() { return status.shards.size; },
    get errors() { return [...session.errors]; },
  };
  Object.assign(window, { worldshard: state });
  Object.defineProperty(state, 'lens', { get: () => ({ centre: lens.centre, scale: lens.scale }) });
}
