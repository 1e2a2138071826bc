/** Bob Jenkins's lookup3 (`hashlittle` with seed 0): the checksum of HDF5's newer structures. */

function rotated(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by));
}

/** Three words of 32 bits, mixed in place. */
class State {
  a: number;
  b: number;
  c: number;

  constructor(length: number) {
    const start = (0xdeadbeef + length) | 0;
    this.a = start;
    this.b = start;
    this.c = start;
  }

  add(a: number, b: number, c: number): void {
    this.a = (this.a + a) | 0;
    this.b = (this.b + b) | 0;
    this.c = (this.c + c) | 0;
  }

  mix(): void {
    let { a, b, c } = this;
    a = ((a - c) ^ rotated(c, 4)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotated(a, 6)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotated(b, 8)) | 0;
    b = (b + a) | 0;
    a = ((a - c) ^ rotated(c, 16)) | 0;
    c = (c + b) | 0;
    b = ((b - a) ^ rotated(a, 19)) | 0;
    a = (a + c) | 0;
    c = ((c - b) ^ rotated(b, 4)) | 0;
    b = (b + a) | 0;
    this.a = a;
    this.b = b;
    this.c = c;
  }

  finish(): number {
    let { a, b, c } = this;
    c = ((c ^ b) - rotated(b, 14)) | 0;
    a = ((a ^ c) - rotated(c, 11)) | 0;
    b = ((b ^ a) - rotated(a, 25)) | 0;
    c = ((c ^ b) - rotated(b, 16)) | 0;
    a = ((a ^ c) - rotated(c, 4)) | 0;
    b = ((b ^ a) - rotated(a, 14)) | 0;
    c = ((c ^ b) - rotated(b, 24)) | 0;
    return c >>> 0;
  }
}

/** The 32-bit sum of `bytes`; as HDF5 stores it, little-endian, behind a structure. */
export function lookup3(bytes: Buffer): number {
  const state = new State(bytes.length);
  let at = 0;
  // The last one to twelve bytes are mixed differently.
  for (; bytes.length - at > 12; at += 12) {
    state.add(bytes.readInt32LE(at), bytes.readInt32LE(at + 4), bytes.readInt32LE(at + 8));
    state.mix();
  }
  if (bytes.length === 0) return state.c >>> 0;
  const last = Buffer.alloc(12);
  bytes.copy(last, 0, at);
  state.add(last.readInt32LE(0), last.readInt32LE(4), last.readInt32LE(8));
  return state.finish();
}
