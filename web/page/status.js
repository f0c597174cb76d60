// The server's own measurements, asked for twice a second and remembered for a minute. Never draws them.

/**
 * @typedef {object} ShardHistory
 * @property {number} shard
 * @property {number[]} stepUs time of a tick, microseconds; NaN where not measured
 * @property {number[]} entities
 * @property {number[]} handoffs per second
 * @property {number} ghosts now
 * @property {number} handoffsTotal counter at the last answer that was news
 * @property {number} tick of the last answer that was news
 * @property {number} newsAt milliseconds
 */

export class Status {
  constructor() {
    /** @type {Map<number, ShardHistory>} */
    this.shards = new Map();
    /** What is wrong with the measurements; empty when nothing is. */
    this.trouble = 'Waiting for the first measurements …';
    /** A slow server is not asked again before it answered. */
    this.asking = false;
    this.handoffs = 0;
    /** @type {() => void} */
    this.onChange = () => {};
  }

  start() {
    this.ask();
    setInterval(() => {
      if (!document.hidden) this.ask();
    }, PERIOD_MS);
  }

  async ask() {
    if (this.asking) return;
    this.asking = true;
    try {
      const answer = await fetch('/status', { signal: AbortSignal.timeout(ANSWER_MS_MAX), cache: 'no-store' });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      this.take(await answer.json());
      this.trouble = '';
    } catch (error) {
      // The browser's own words for a refused connection say nothing.
      const words = error instanceof TypeError ? 'the server does not answer' : String(error instanceof Error ? error.message : error);
      this.trouble = `No measurements: ${words}.`;
    }
    this.asking = false;
    this.onChange();
  }

  /** @param {any} answer as `/status` has it; what is missing counts as not measured */
  take(answer) {
    const now = performance.now();
    this.handoffs = 0;
    const shards = Array.isArray(answer?.shards) ? answer.shards : [];
    // A restarted server may have fewer.
    const present = new Set(shards.map((/** @type {any} */ one, /** @type {number} */ at) => one.shard ?? at));
    for (const shard of this.shards.keys()) if (!present.has(shard)) this.shards.delete(shard);
    shards.forEach((/** @type {any} */ one, /** @type {number} */ at) => this.takeShard(one, one.shard ?? at, now));
  }

  /** @param {any} one @param {number} shard @param {number} now milliseconds */
  takeShard(one, shard, now) {
    const world = one.world ?? one;
    const total = number(world.handoffs_in);
    this.handoffs += total;
    let history = this.shards.get(shard);
    // Ticks that fell belong to a new server.
    if (!history || number(one.tick) < history.tick) {
      history = { shard, stepUs: [], entities: [], handoffs: [], ghosts: 0, handoffsTotal: total, tick: -1, newsAt: now };
      this.shards.set(shard, history);
    }
    keep(history.stepUs, number(one.step_us ?? world.step_us));
    keep(history.entities, number(world.entities));
    history.ghosts = number(world.ghosts);
    const seconds = (now - history.newsAt) / 1000;
    // A shard that has measured nothing since is as it was.
    if (number(one.tick) === history.tick || seconds <= 0) {
      keep(history.handoffs, history.handoffs.at(-1) ?? NaN);
    } else {
      keep(history.handoffs, (total - history.handoffsTotal) / seconds);
      history.handoffsTotal = total;
      history.newsAt = now;
    }
    history.tick = number(one.tick);
  }
}

/** @param {number[]} history @param {number} value */
function keep(history, value) {
  history.push(value);
  if (history.length > SAMPLES_MAX) history.shift();
}

/** @param {unknown} value */
function number(value) {
  return typeof value === 'number' ? value : NaN;
}

const PERIOD_MS = 500;
const ANSWER_MS_MAX = 3000;
/** A minute of answers. */
export const SAMPLES_MAX = 120;
