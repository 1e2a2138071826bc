// The digest table; src/records/digest.ts defines it.

const SEED: i32 = 0x9e3779b9;
const LINE_FACTOR: i32 = 0x85ebca6b;
const LOW_SEED: u32 = 0x243f6a88;
const HIGH_SEED: u32 = 0x85a308d3;
const LOW_FACTOR: u32 = 0xc2b2ae35;
const HIGH_FACTOR: u32 = 0x27d4eb2f;
const PAGE: usize = 4096;
const LINE: usize = 64;

// @ts-ignore: decorator
@inline
function step(chain: v128, words: v128): v128 {
  const mixed = i32x4.mul(v128.xor(chain, words), i32x4.splat(LINE_FACTOR));
  return v128.xor(mixed, i32x4.shr_u(mixed, 15));
}

/** One page of whole lines, the last one padded; `length` is its length before padding. */
function digestPage(data: usize, lines: u32, length: u32, out: usize): void {
  let c0 = i32x4.splat(SEED);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  for (let i: u32 = 0; i < lines; i++, data += LINE) {
    c0 = step(c0, v128.load(data));
    c1 = step(c1, v128.load(data, 16));
    c2 = step(c2, v128.load(data, 32));
    c3 = step(c3, v128.load(data, 48));
  }
  fold(c0, c1, c2, c3, length, out);
}

/** Two whole pages side by side: the steps of one chain wait for each other. */
function digestTwo(data: usize, out: usize): void {
  let c0 = i32x4.splat(SEED);
  let c1 = c0;
  let c2 = c0;
  let c3 = c0;
  let d0 = c0;
  let d1 = c0;
  let d2 = c0;
  let d3 = c0;
  const end = data + PAGE;
  for (let at = data; at < end; at += LINE) {
    c0 = step(c0, v128.load(at));
    c1 = step(c1, v128.load(at, 16));
    c2 = step(c2, v128.load(at, 32));
    c3 = step(c3, v128.load(at, 48));
    d0 = step(d0, v128.load(at, PAGE));
    d1 = step(d1, v128.load(at, PAGE + 16));
    d2 = step(d2, v128.load(at, PAGE + 32));
    d3 = step(d3, v128.load(at, PAGE + 48));
  }
  // `fold` uses 64 bytes from where it writes.
  fold(c0, c1, c2, c3, u32(PAGE), out);
  fold(d0, d1, d2, d3, u32(PAGE), out + 8);
}

function fold(c0: v128, c1: v128, c2: v128, c3: v128, length: u32, out: usize): void {
  const same = v128.and(v128.and(i32x4.eq(c0, c1), i32x4.eq(c0, c2)), i32x4.eq(c0, c3));
  v128.store(out, c0);
  v128.store(out, c1, 16);
  v128.store(out, c2, 32);
  v128.store(out, c3, 48);
  let low = length ^ LOW_SEED;
  let high = HIGH_SEED;
  for (let lane: usize = 0; lane < LINE; lane += 4) {
    const chain = load<u32>(out + lane);
    low = (low ^ chain) * LOW_FACTOR;
    low ^= low >> 16;
    high = (high ^ chain) * HIGH_FACTOR;
    high ^= high >> 13;
  }
  store<u32>(out, low);
  store<u32>(out, (high & ~1) | u32(i32x4.all_true(same)), 4);
}

/**
 * Digests of `bytes` bytes from a page's start, two words each, to `out`; 64 bytes of room after
 * the last are scratch. Bytes up to the end of the last line are overwritten with zeros.
 */
export function digest(data: usize, bytes: u32, out: usize): void {
  let at: u32 = 0;
  for (; at + u32(2 * PAGE) <= bytes; at += u32(2 * PAGE), out += 16) digestTwo(data + at, out);
  for (; at + u32(PAGE) <= bytes; at += u32(PAGE), out += 8) {
    digestPage(data + at, u32(PAGE / LINE), u32(PAGE), out);
  }
  const rest = bytes - at;
  if (rest == 0) return;
  const lines = (rest + u32(LINE) - 1) / u32(LINE);
  memory.fill(data + bytes, 0, usize(lines * u32(LINE) - rest));
  digestPage(data + at, lines, rest, out);
}
