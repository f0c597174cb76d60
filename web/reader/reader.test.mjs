// The reader against the golden bytes of protocol/golden, and against hostile ones. Run by `node --test`.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import test from "node:test";

import {
  ReaderError, View, encodeMessage, readDelta, readGreeting, readHotHeader, readOverview,
  writeHot,
} from "./worldshard-reader.js";

const golden = new URL("../../protocol/golden/", import.meta.url);
const bytesOf = (name) => new Uint8Array(readFileSync(new URL(name, golden)));
const jsonOf = (name) => JSON.parse(readFileSync(new URL(name, golden), "utf8"));
const fromHex = (hex) => Uint8Array.from(Buffer.from(hex, "hex"));
const toHex = (bytes) => Buffer.from(bytes).toString("hex");

const deltaNames = readdirSync(golden)
  .filter((name) => /^delta_\d.*\.bin$/.test(name))
  .map((name) => name.slice(0, -4))
  .sort();

test("golden deltas read as described, at any offset", () => {
  assert.equal(deltaNames.length, 4);
  for (const name of deltaNames) {
    const bytes = bytesOf(`${name}.bin`);
    const expected = jsonOf(`${name}.json`);
    const shifted = new Uint8Array(bytes.length + 5);
    shifted.set(bytes, 5);
    for (const delta of [readDelta(bytes), readDelta(bytes.buffer), readDelta(shifted, 5), readDelta(shifted.subarray(5))]) {
      const plain = ({ spare, ...record }) => record;
      const extra = ({ value, ...rest }) => ({ ...rest, value: value === null ? null : toHex(value) });
      assert.equal(delta.tick, expected.tick);
      assert.equal(delta.baseTick, expected.base_tick);
      assert.equal(delta.commandSequence, expected.command_sequence);
      assert.equal(delta.full, expected.full);
      assert.deepEqual(delta.entered.map(plain), expected.entered);
      assert.deepEqual(delta.changed.map(plain), expected.changed);
      assert.deepEqual(delta.left, expected.left);
      assert.deepEqual(delta.extras.map(extra), expected.extras);
    }
  }
});

test("a view built from the golden deltas has the server's digest", () => {
  const view = new View();
  for (const name of deltaNames) {
    view.apply(bytesOf(`${name}.bin`));
    const { view_after: after } = jsonOf(`${name}.json`);
    assert.deepEqual(view.ids(), after.ids);
    assert.equal(view.digest().toString(16).padStart(32, "0"), after.digest);
  }
});

test("positions are interpolated between the last two deltas", () => {
  const view = new View();
  view.apply(bytesOf("delta_1_full.bin"));
  assert.deepEqual(view.positionAt(1, 0), [1.5, -2.25, 0]);
  view.apply(bytesOf("delta_2_change.bin"));
  assert.deepEqual(view.positionAt(1, 0.5), [1.625, -2.25, 0]);
  assert.deepEqual(view.positionAt(1, NaN), [1.75, -2.25, 0]);
  assert.equal(view.positionAt(12345, 0.5), undefined);
  view.apply(bytesOf("delta_3_empty.bin"));
  assert.deepEqual(view.positionAt(1, 0), [1.75, -2.25, 0]);
  view.apply(bytesOf("delta_4_replaces.bin"));
  assert.deepEqual(view.positionAt(2, 0), [Math.fround(0.1), Math.fround(1e-3), 0]);
});

test("a delta that does not follow leaves the view as it was", () => {
  const view = new View();
  assert.throws(() => view.apply(bytesOf("delta_2_change.bin")), ReaderError);
  view.apply(bytesOf("delta_1_full.bin"));
  const before = structuredClone(view.seen);
  assert.throws(() => view.apply(bytesOf("delta_3_empty.bin")), ReaderError);
  const stranger = bytesOf("delta_2_change.bin");
  stranger[48] = 99; // the id that leaves
  stranger[48 + 6] = 0;
  assert.throws(() => view.apply(stranger), /not in the visible set/);
  assert.deepEqual(view.seen, before);
  assert.equal(view.tick, 100);
});

test("the golden overview reads as described", () => {
  assert.deepEqual(readOverview(bytesOf("overview.bin")), jsonOf("overview.json"));
});

test("a greeting is read, and one of another layout is refused", () => {
  const text = (data) => JSON.stringify({ v: 1, svc: "sys", type: "authed", data });
  assert.deepEqual(readGreeting(text({ layout: 1, tick: 7, later: true })), { layout: 1, tick: 7, later: true });
  for (const other of [
    text({ layout: 2, tick: 7 }), text({ tick: 7 }), text({ layout: "1" }), text(null), text(undefined),
    text({ layout: 1 }).replace('"v":1', '"v":2'), text({ layout: 1 }).replace("authed", "error"), "{", "null", "7", "",
  ]) {
    assert.throws(() => readGreeting(other), ReaderError, other);
  }
});

test("golden headers read and write as described", () => {
  const vectors = jsonOf("hot_headers.json");
  assert.ok(vectors.length >= 5);
  for (const { description, hex, expect } of vectors) {
    const bytes = fromHex(hex);
    if (expect.error !== undefined) {
      assert.throws(() => readHotHeader(bytes), ReaderError, description);
      continue;
    }
    const { payloadOffset, ...header } = readHotHeader(bytes);
    const ack = (expect.flags & 4) !== 0;
    const { svc_id: svc, opcode, seq, delta_ack: deltaAck } = expect;
    assert.deepEqual(header, { svc, opcode, seq, deltaAck, ack });
    const payload = bytes.subarray(payloadOffset);
    assert.equal(toHex(payload), expect.payload);
    assert.equal(toHex(writeHot(header, payload)), hex);
  }
});

test("headers that a server refuses are refused here too", () => {
  const vectors = jsonOf("refusals.json").filter(({ lane }) => lane === "hot");
  assert.ok(vectors.length >= 10);
  for (const { said } of vectors) {
    assert.throws(() => readHotHeader(fromHex(said)), ReaderError, said);
  }
});

test("client messages have their golden bytes", () => {
  const vectors = jsonOf("client_messages.json");
  assert.ok(vectors.length >= 13);
  for (const { message, seq, delta_ack: deltaAck, hex } of vectors) {
    const payload = message.payload === undefined ? {} : { payload: fromHex(message.payload) };
    assert.equal(toHex(encodeMessage({ ...message, ...payload }, { seq, deltaAck })), hex, message.type);
  }
});

test("mutated deltas get the verdict of the Rust reader", () => {
  const mutants = jsonOf("delta_mutants.json");
  assert.ok(mutants.length >= 200);
  for (const { hex, accepted } of mutants) {
    const read = () => readDelta(fromHex(hex));
    if (accepted) assert.doesNotThrow(read, hex);
    else assert.throws(read, ReaderError, hex);
  }
});

/** SplitMix64, so that a failure repeats. */
function chance(seed) {
  let state = BigInt(seed);
  const mask = (1n << 64n) - 1n;
  return (bound) => {
    state = (state + 0x9e3779b97f4a7c15n) & mask;
    let mixed = ((state ^ (state >> 30n)) * 0xbf58476d1ce4e5b9n) & mask;
    mixed = ((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn) & mask;
    return Number((mixed ^ (mixed >> 31n)) % BigInt(bound));
  };
}

/** Reads hostile bytes: a result that fits them, or a ReaderError. Returns whether there was a result. */
function survives(read, itemsOf, bytes) {
  try {
    const items = itemsOf(read(bytes));
    assert.ok(items * 8 <= bytes.length, `${items} items in ${bytes.length} bytes`);
    return true;
  } catch (error) {
    if (!(error instanceof ReaderError)) throw error;
    return false;
  }
}

const deltaItems = (delta) => delta.entered.length + delta.changed.length + delta.left.length + delta.extras.length;
const overviewItems = (overview) => overview.dots.length + overview.ghosts.length;

test("truncated bytes are refused", () => {
  for (const name of deltaNames) {
    const bytes = bytesOf(`${name}.bin`);
    for (let cut = 0; cut < bytes.length; cut += 1) {
      assert.throws(() => readDelta(bytes.subarray(0, cut)), ReaderError);
      if (cut > 0) assert.throws(() => readDelta(bytes.subarray(cut)), ReaderError);
    }
  }
  const bytes = bytesOf("overview.bin");
  for (let cut = 0; cut < bytes.length; cut += 1) {
    assert.throws(() => readOverview(bytes.subarray(0, cut)), ReaderError);
  }
  assert.throws(() => readDelta(bytes, bytes.length + 1), ReaderError);
  assert.throws(() => readDelta(bytes, -1), ReaderError);
});

test("mutated bytes are refused or read within their bounds, and never half applied", () => {
  const below = chance(3);
  let accepted = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const name = deltaNames[round % deltaNames.length];
    const bytes = freshCopy(name);
    for (let edits = below(4); edits >= 0; edits -= 1) bytes[below(bytes.length)] = [0, 1, 0x7f, 0xff, below(256)][below(5)];
    accepted += survives(readDelta, deltaItems, bytes) ? 1 : 0;
    const view = new View();
    view.apply(freshCopy("delta_1_full"));
    const before = view.digest();
    if (!survives((hostile) => view.apply(hostile), () => 0, bytes)) assert.equal(view.digest(), before);
  }
  assert.ok(accepted > 1000, `${accepted} accepted`);
  for (let round = 0; round < 10_000; round += 1) {
    const bytes = freshCopy("overview");
    bytes[below(bytes.length)] = below(256);
    survives(readOverview, overviewItems, bytes);
    survives(readDelta, deltaItems, bytes);
    survives(readHotHeader, () => 0, bytes);
  }
});

const stored = new Map();
/** A fresh copy of a golden file, read from disk once. */
function freshCopy(name) {
  if (!stored.has(name)) stored.set(name, bytesOf(`${name}.bin`));
  return stored.get(name).slice();
}
