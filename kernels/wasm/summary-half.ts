// The summary of 16-bit types: how often each code occurs, and what order decides: lanes, the first
// largest element, the first that is not finite, blocks of zeros. Everything else follows from the
// counts. MAX1 holds the key (half.ts) of the largest finite element, which orders as |x| does.
import { BF16, F16, I16, U16, bitsOf, keyLimit, keyOf, keysOf } from './half';
import {
  BLOCK,
  FIRST_NON_FINITE,
  LANE_AND,
  LANE_COUNT,
  LANE_OR,
  MAX1,
  MAX1_INDEX,
  ZERO_BLOCKS,
  bump,
} from './state';
import { takeLane } from './summary-scalar';

const BLOCK_BYTES: usize = 2048;
const ROW: usize = 64;

/** Counts codes into 65,536 u32. */
export function countHalf(data: usize, count: u32, counters: usize): void {
  let i: u32 = 0;
  for (; i + 8 <= count; i += 8, data += 16) {
    const a = load<u64>(data);
    const b = load<u64>(data, 8);
    bump(counters + (usize(a & 0xffff) << 2), 1);
    bump(counters + (usize((a >> 16) & 0xffff) << 2), 1);
    bump(counters + (usize((a >> 32) & 0xffff) << 2), 1);
    bump(counters + (usize(a >> 48) << 2), 1);
    bump(counters + (usize(b & 0xffff) << 2), 1);
    bump(counters + (usize((b >> 16) & 0xffff) << 2), 1);
    bump(counters + (usize((b >> 32) & 0xffff) << 2), 1);
    bump(counters + (usize(b >> 48) << 2), 1);
  }
  for (; i < count; i++, data += 2) bump(counters + (usize(load<u16>(data)) << 2), 1);
}

/**
 * Moves the counts that are not 0 to `codes` (u16) and `counts` (u32), by ascending code; returns
 * how many.
 */
export function takeCounts(counters: usize, codes: usize, counts: usize): u32 {
  let found: u32 = 0;
  for (let code: u32 = 0; code < 65536; code += 4) {
    const at = counters + (usize(code) << 2);
    if (!v128.any_true(v128.load(at))) continue;
    for (let i: u32 = 0; i < 4; i++) {
      const count = load<u32>(at + (usize(i) << 2));
      if (count == 0) continue;
      store<u16>(codes + (usize(found) << 1), u16(code + i));
      store<u32>(counts + (usize(found) << 2), count);
      found++;
    }
    v128.store(at, i32x4.splat(0));
  }
  return found;
}

/** The first largest finite element and the first that is not finite. */
// @ts-ignore: decorator
@inline
function findSizes(kind: u32, data: usize, count: u32, state: usize, first: u32): void {
  let largest = i32(load<f64>(state, MAX1));
  for (let i: u32 = 0; i < count; i++) {
    const key = keyOf(kind, load<u16>(data + (usize(i) << 1)));
    if (key >= keyLimit(kind)) {
      if (load<i32>(state, FIRST_NON_FINITE) < 0) store<i32>(state, first + i, FIRST_NON_FINITE);
    } else if (i32(key) > largest) {
      largest = key;
      store<f64>(state, f64(key), MAX1);
      store<i32>(state, first + i, MAX1_INDEX);
    }
  }
}

// @ts-ignore: decorator
@inline
function takeHalves(lane: usize, low: v128, high: v128, and: bool): void {
  if (and) {
    v128.store(lane, v128.and(v128.load(lane, LANE_AND), low), LANE_AND);
    v128.store(lane, v128.and(v128.load(lane, LANE_AND + 16), high), LANE_AND + 16);
  } else {
    v128.store(lane, v128.or(v128.load(lane, LANE_OR), low), LANE_OR);
    v128.store(lane, v128.or(v128.load(lane, LANE_OR + 16), high), LANE_OR + 16);
  }
}

// @ts-ignore: decorator
@inline
function addCounts(lane: usize, counts: v128): void {
  v128.store(
    lane,
    i32x4.add(v128.load(lane, LANE_COUNT), i32x4.extend_low_i16x8_u(counts)),
    LANE_COUNT,
  );
  v128.store(
    lane,
    i32x4.add(v128.load(lane, LANE_COUNT + 16), i32x4.extend_high_i16x8_u(counts)),
    LANE_COUNT + 16,
  );
}

/** Lanes of a bf16 block in which every element counts: its codes are the float32's upper half. */
function lanesClean(data: usize, state: usize): void {
  for (let column: usize = 0; column < ROW; column += 16) {
    let or = i16x8.splat(0);
    let and = i16x8.splat(-1);
    const end = data + column + BLOCK_BYTES;
    for (let at = data + column; at < end; at += 2 * ROW) {
      const a = v128.load(at);
      const b = v128.load(at, 64);
      or = v128.or(or, v128.or(a, b));
      and = v128.and(and, v128.and(a, b));
    }
    const lane = state + 2 * column;
    takeHalves(lane, bitsOf(BF16, or, false), bitsOf(BF16, or, true), false);
    takeHalves(lane, bitsOf(BF16, and, false), bitsOf(BF16, and, true), true);
    addCounts(lane, i16x8.splat(i16(BLOCK / 32)));
  }
}

/** Lanes of any block: zeros and what is not finite take no part. */
// @ts-ignore: decorator
@inline
function lanesMasked(kind: u32, data: usize, state: usize): void {
  for (let column: usize = 0; column < ROW; column += 16) {
    let orLow = i32x4.splat(0);
    let orHigh = orLow;
    let andLow = i32x4.splat(-1);
    let andHigh = andLow;
    let counts = i16x8.splat(0);
    const end = data + column + BLOCK_BYTES;
    for (let at = data + column; at < end; at += ROW) {
      const codes = v128.load(at);
      const keys = keysOf(kind, codes);
      let taken = i16x8.ne(keys, i16x8.splat(0));
      if (kind == BF16 || kind == F16)
        taken = v128.and(taken, i16x8.lt_u(keys, i16x8.splat(i16(keyLimit(kind)))));
      counts = i16x8.sub(counts, taken);
      const takenLow = i32x4.extend_low_i16x8_s(taken);
      const takenHigh = i32x4.extend_high_i16x8_s(taken);
      const low = bitsOf(kind, codes, false);
      const high = bitsOf(kind, codes, true);
      orLow = v128.or(orLow, v128.and(low, takenLow));
      orHigh = v128.or(orHigh, v128.and(high, takenHigh));
      andLow = v128.and(andLow, v128.or(low, v128.not(takenLow)));
      andHigh = v128.and(andHigh, v128.or(high, v128.not(takenHigh)));
    }
    const lane = state + 2 * column;
    takeHalves(lane, orLow, orHigh, false);
    takeHalves(lane, andLow, andHigh, true);
    addCounts(lane, counts);
  }
}

// @ts-ignore: decorator
@inline
function largestOf(keys: v128): u32 {
  keys = i16x8.max_u(keys, v128.shuffle<i64>(keys, keys, 1, 0));
  keys = i16x8.max_u(keys, v128.shuffle<i32>(keys, keys, 1, 0, 3, 2));
  return max(u32(i16x8.extract_lane_u(keys, 0)), u32(i16x8.extract_lane_u(keys, 1)));
}

/** The largest key among finite elements; 0 where there is none. */
// @ts-ignore: decorator
@inline
function largestFinite(kind: u32, data: usize): u32 {
  let large = i16x8.splat(0);
  for (let at = data; at < data + BLOCK_BYTES; at += 16) {
    const keys = keysOf(kind, v128.load(at));
    large = i16x8.max_u(large, v128.and(keys, i16x8.lt_u(keys, i16x8.splat(i16(keyLimit(kind))))));
  }
  return largestOf(large);
}

// @ts-ignore: decorator
@inline
function scanBlock(kind: u32, data: usize, state: usize, first: u32): void {
  let large = i16x8.splat(0);
  // ~key is largest where the key is smallest.
  let small = large;
  const end = data + BLOCK_BYTES;
  for (let at = data; at < end; at += 32) {
    const a = keysOf(kind, v128.load(at));
    const b = keysOf(kind, v128.load(at, 16));
    large = i16x8.max_u(large, i16x8.max_u(a, b));
    small = i16x8.max_u(small, i16x8.max_u(v128.not(a), v128.not(b)));
  }
  const largest = largestOf(large);
  const smallest = 0xffff - largestOf(small);
  const isClean = smallest > 0 && largest < keyLimit(kind);
  if (kind == BF16 && isClean) lanesClean(data, state);
  else lanesMasked(kind, data, state);
  if (largest == 0) bump(state + ZERO_BLOCKS, 1);
  const finite = largest < keyLimit(kind);
  const isNew = f64(finite ? largest : largestFinite(kind, data)) > load<f64>(state, MAX1);
  if (isNew || (!finite && load<i32>(state, FIRST_NON_FINITE) < 0))
    findSizes(kind, data, BLOCK, state, first);
}

// @ts-ignore: decorator
@inline
function scan(kind: u32, data: usize, count: u32, state: usize, first: u32): void {
  let at: u32 = 0;
  for (; at + BLOCK <= count; at += BLOCK, data += BLOCK_BYTES)
    scanBlock(kind, data, state, first + at);
  findSizes(kind, data, count - at, state, first + at);
  for (let i: u32 = 0; at + i < count; i++) {
    const code = u32(load<u16>(data + (usize(i) << 1)));
    const key = keyOf(kind, code);
    if (key == 0 || key >= keyLimit(kind)) continue;
    takeLane(
      state,
      u32(i32x4.extract_lane(bitsOf(kind, i16x8.splat(i16(code)), false), 0)),
      first + at + i,
    );
  }
}

export function scanBfloat16(data: usize, count: u32, state: usize, first: u32): void {
  scan(BF16, data, count, state, first);
}

export function scanFloat16(data: usize, count: u32, state: usize, first: u32): void {
  scan(F16, data, count, state, first);
}

export function scanInt16(data: usize, count: u32, state: usize, first: u32): void {
  scan(I16, data, count, state, first);
}

export function scanUint16(data: usize, count: u32, state: usize, first: u32): void {
  scan(U16, data, count, state, first);
}
