// The counter of `guest/examples/counter.rs` in AssemblyScript: what a guest in another language than Rust looks like.

// @ts-ignore: the decorators are AssemblyScript's.
@external("worldshard", "input_read")
declare function input_read(input: u32, offset: u32, to: usize, bytes: u32): u32;
// @ts-ignore
@external("worldshard", "send_all")
declare function send_all(kind: u32, from: usize, bytes: u32): void;
// @ts-ignore
@external("worldshard", "output")
declare function output(from: usize, bytes: u32): void;

const EVENT: u32 = 0;
const TEXT: u32 = 0;

let value: u64 = 0;

export function worldshard_abi_1(): void {}

export function room_message(member: u32, kind: u32, bytes: u32): void {
  if (kind != TEXT || String.UTF8.decode(event(bytes)) != "increment") return;
  value += 1;
  const told = String.UTF8.encode(`new value: ${value}`);
  send_all(TEXT, changetype<usize>(told), told.byteLength);
}

export function room_save(): void {
  const state = new ArrayBuffer(8);
  store<u64>(changetype<usize>(state), value);
  output(changetype<usize>(state), 8);
}

export function room_load(bytes: u32): void {
  if (bytes == 8) value = load<u64>(changetype<usize>(event(bytes)));
}

/** The bytes of what the guest is told. */
function event(bytes: u32): ArrayBuffer {
  const buffer = new ArrayBuffer(bytes);
  input_read(EVENT, 0, changetype<usize>(buffer), bytes);
  return buffer;
}
