// What every peer in JavaScript does alike: its two flags and its one line.

/** `--bind HOST:PORT --scenario echo|broadcast`; what cannot be read ends the process with status 2. */
export function args() {
  const found = new Map();
  for (let at = 2; at + 1 < process.argv.length; at += 2) {
    found.set(process.argv[at], process.argv[at + 1]);
  }
  const [host, port] = (found.get("--bind") ?? "").split(":");
  const scenario = found.get("--scenario");
  if (!host || !port || !["echo", "broadcast"].includes(scenario)) {
    console.error("usage: --bind HOST:PORT --scenario echo|broadcast");
    process.exit(2);
  }
  return { host, port: Number(port), scenario };
}

/** Says where it serves, and below which path if not below `/`. */
export function ready(address, path = "") {
  console.log(`ready ${address.address}:${address.port}${path}`);
}
