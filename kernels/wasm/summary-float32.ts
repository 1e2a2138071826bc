// The summary of float32: whole blocks with SIMD, a clean block (no NaN, infinity, zero or
// subnormal) in two passes over cache, any other in three or four; what is left of the last block
// goes to the scalar kernel. What shares a pass was measured: a pass with more running values than
// the machine has vector registers is slower than two.
import {
  BLOCK,
  BLOCK_AND,
  BLOCK_OR,
  CHAINS,
  DENORMALS,
  FIRST_NON_FINITE,
  LANE_AND,
  LANE_COUNT,
  LANE_OR,
  LEAST,
  MAX2,
  MOST,
  NAN,
  NEGATIVE_INFINITY,
  OCTAVES,
  PAGE_SQUARES,
  PAGE_SUM,
  POSITIVE_INFINITY,
  SQUARE_CHAINS,
  ZEROS,
  ZERO_BLOCKS,
  bump,
  combine,
  storeChains,
  takeSize,
} from './state';
import { summariseBlock } from './summary-scalar';

const BLOCK_BYTES: usize = 4096;
const INFINITE: i32 = 0x7f800000;
const NORMAL: i32 = 0x00800000;
const SIZE: i32 = 0x7fffffff;

// What the passes over a block found, as float32 bits: largest as signed and as unsigned integers,
// and the smallest without sign. Positive floats order like signed integers, negative ones like
// unsigned.
let largestSigned: i32 = 0;
let largestUnsigned: u32 = 0;
let smallestSize: u32 = 0;

// @ts-ignore: decorator
@inline
function reduceLargest(signed: v128, unsigned: v128): void {
  signed = i32x4.max_s(signed, v128.shuffle<i64>(signed, signed, 1, 0));
  unsigned = i32x4.max_u(unsigned, v128.shuffle<i64>(unsigned, unsigned, 1, 0));
  largestSigned = max(i32x4.extract_lane(signed, 0), i32x4.extract_lane(signed, 1));
  largestUnsigned = max(u32(i32x4.extract_lane(unsigned, 0)), u32(i32x4.extract_lane(unsigned, 1)));
}

// @ts-ignore: decorator
@inline
function smallestLane(size: v128): u32 {
  size = i32x4.min_u(size, v128.shuffle<i64>(size, size, 1, 0));
  return min(u32(i32x4.extract_lane(size, 0)), u32(i32x4.extract_lane(size, 1)));
}

/** Twice the smallest size in four vectors of words: adding a word to itself drops its sign. */
// @ts-ignore: decorator
@inline
function smallerOf(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.min_u(i32x4.add(a, a), i32x4.add(b, b));
  return i32x4.min_u(ab, i32x4.min_u(i32x4.add(c, c), i32x4.add(d, d)));
}

/** OR, AND and the smallest size of all words, two of eight lane vectors at a time. */
function scanBits(data: usize, state: usize): void {
  let twice = i32x4.splat(-1);
  for (let column: usize = 0; column < 128; column += 32) {
    let or0 = i32x4.splat(0);
    let or1 = or0;
    let and0 = i32x4.splat(-1);
    let and1 = and0;
    const end = data + column + BLOCK_BYTES;
    for (let at = data + column; at < end; at += 512) {
      let a = v128.load(at);
      let b = v128.load(at, 16);
      let c = v128.load(at, 128);
      let d = v128.load(at, 144);
      or0 = v128.or(or0, v128.or(a, c));
      or1 = v128.or(or1, v128.or(b, d));
      and0 = v128.and(and0, v128.and(a, c));
      and1 = v128.and(and1, v128.and(b, d));
      twice = i32x4.min_u(twice, smallerOf(a, b, c, d));
      a = v128.load(at, 256);
      b = v128.load(at, 272);
      c = v128.load(at, 384);
      d = v128.load(at, 400);
      or0 = v128.or(or0, v128.or(a, c));
      or1 = v128.or(or1, v128.or(b, d));
      and0 = v128.and(and0, v128.and(a, c));
      and1 = v128.and(and1, v128.and(b, d));
      twice = i32x4.min_u(twice, smallerOf(a, b, c, d));
    }
    v128.store(state + column, or0, BLOCK_OR);
    v128.store(state + column, or1, BLOCK_OR + 16);
    v128.store(state + column, and0, BLOCK_AND);
    v128.store(state + column, and1, BLOCK_AND + 16);
  }
  smallestSize = smallestLane(twice) >> 1;
}

/** The smallest size of all words. */
function scanSizes(data: usize): void {
  let twice = i32x4.splat(-1);
  let other = twice;
  const end = data + BLOCK_BYTES;
  for (let at = data; at < end; at += 128) {
    const a = smallerOf(v128.load(at), v128.load(at, 16), v128.load(at, 32), v128.load(at, 48));
    const b = smallerOf(v128.load(at, 64), v128.load(at, 80), v128.load(at, 96), v128.load(at, 112));
    twice = i32x4.min_u(twice, a);
    other = i32x4.min_u(other, b);
  }
  smallestSize = smallestLane(i32x4.min_u(twice, other)) >> 1;
}

/** Adds the lanes of a block in which every element counts. */
function takeLanes(state: usize): void {
  for (let at = state; at < state + 128; at += 16) {
    v128.store(at, v128.or(v128.load(at, LANE_OR), v128.load(at, BLOCK_OR)), LANE_OR);
    v128.store(at, v128.and(v128.load(at, LANE_AND), v128.load(at, BLOCK_AND)), LANE_AND);
    v128.store(at, i32x4.add(v128.load(at, LANE_COUNT), i32x4.splat(BLOCK / 32)), LANE_COUNT);
  }
}

// @ts-ignore: decorator
@inline
function total(counts: v128): u32 {
  return (
    i32x4.extract_lane(counts, 0) +
    i32x4.extract_lane(counts, 1) +
    i32x4.extract_lane(counts, 2) +
    i32x4.extract_lane(counts, 3)
  );
}

/** The same for a block with elements that do not count, and their numbers. */
function scanDirtyBits(data: usize, state: usize): void {
  const none = i32x4.splat(0);
  let signed = i32x4.splat(i32.MIN_VALUE);
  let unsigned = none;
  let size = i32x4.splat(-1);
  let zeros = none;
  let small = none;
  let infinite = none;
  let positive = none;
  let nan = none;
  for (let column: usize = 0; column < 128; column += 16) {
    const lane = state + column;
    let or = v128.load(lane, LANE_OR);
    let and = v128.load(lane, LANE_AND);
    let count = v128.load(lane, LANE_COUNT);
    const end = data + column + BLOCK_BYTES;
    for (let at = data + column; at < end; at += 128) {
      const bits = v128.load(at);
      const abs = v128.and(bits, i32x4.splat(SIZE));
      const isZero = i32x4.eq(abs, none);
      const finite = i32x4.lt_s(abs, i32x4.splat(INFINITE));
      const isInfinite = i32x4.eq(abs, i32x4.splat(INFINITE));
      const counts = v128.andnot(finite, isZero);
      zeros = i32x4.sub(zeros, isZero);
      small = i32x4.sub(small, i32x4.lt_s(abs, i32x4.splat(NORMAL)));
      infinite = i32x4.sub(infinite, isInfinite);
      positive = i32x4.sub(positive, i32x4.eq(bits, i32x4.splat(INFINITE)));
      nan = i32x4.sub(nan, i32x4.gt_s(abs, i32x4.splat(INFINITE)));
      or = v128.or(or, v128.and(bits, counts));
      and = v128.and(and, v128.or(bits, v128.not(counts)));
      count = i32x4.sub(count, counts);
      signed = i32x4.max_s(signed, v128.bitselect(bits, i32x4.splat(i32.MIN_VALUE), finite));
      unsigned = i32x4.max_u(unsigned, v128.and(bits, finite));
      size = i32x4.min_u(size, v128.or(abs, v128.not(finite)));
    }
    v128.store(lane, or, LANE_OR);
    v128.store(lane, and, LANE_AND);
    v128.store(lane, count, LANE_COUNT);
  }
  reduceLargest(signed, unsigned);
  smallestSize = smallestLane(size);
  const zeroCount = total(zeros);
  const positiveCount = total(positive);
  bump(state + ZEROS, zeroCount);
  bump(state + DENORMALS, total(small) - zeroCount);
  bump(state + POSITIVE_INFINITY, positiveCount);
  bump(state + NEGATIVE_INFINITY, total(infinite) - positiveCount);
  bump(state + NAN, total(nan));
  if (zeroCount == BLOCK) bump(state + ZERO_BLOCKS, 1);
}

/** Sums of a block in which every element is finite, and its largest words: they cost nothing. */
function sumWords(data: usize, state: usize): void {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let q0 = s0;
  let q1 = s0;
  let q2 = s0;
  let q3 = s0;
  let signed = i32x4.splat(i32.MIN_VALUE);
  let unsigned = i32x4.splat(0);
  const end = data + BLOCK_BYTES;
  for (let at = data; at < end; at += 32) {
    const a = v128.load(at);
    let x = f64x2.promote_low_f32x4(v128.load64_zero(at));
    s0 = f64x2.add(s0, x);
    q0 = f64x2.add(q0, f64x2.mul(x, x));
    x = f64x2.promote_low_f32x4(v128.load64_zero(at, 8));
    s1 = f64x2.add(s1, x);
    q1 = f64x2.add(q1, f64x2.mul(x, x));
    signed = i32x4.max_s(signed, a);
    unsigned = i32x4.max_u(unsigned, a);
    const b = v128.load(at, 16);
    x = f64x2.promote_low_f32x4(v128.load64_zero(at, 16));
    s2 = f64x2.add(s2, x);
    q2 = f64x2.add(q2, f64x2.mul(x, x));
    x = f64x2.promote_low_f32x4(v128.load64_zero(at, 24));
    s3 = f64x2.add(s3, x);
    q3 = f64x2.add(q3, f64x2.mul(x, x));
    signed = i32x4.max_s(signed, b);
    unsigned = i32x4.max_u(unsigned, b);
  }
  storeChains(state + CHAINS, s0, s1, s2, s3);
  storeChains(state + SQUARE_CHAINS, q0, q1, q2, q3);
  reduceLargest(signed, unsigned);
}

/** Sums of the finite elements of a block. */
function sumFinite(data: usize, state: usize): void {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let q0 = s0;
  let q1 = s0;
  let q2 = s0;
  let q3 = s0;
  const end = data + BLOCK_BYTES;
  for (let at = data; at < end; at += 32) {
    const a = finiteOrZero(v128.load(at));
    const b = finiteOrZero(v128.load(at, 16));
    const x = f64x2.promote_low_f32x4(a);
    const y = f64x2.promote_low_f32x4(v128.shuffle<i64>(a, a, 1, 1));
    const z = f64x2.promote_low_f32x4(b);
    const w = f64x2.promote_low_f32x4(v128.shuffle<i64>(b, b, 1, 1));
    s0 = f64x2.add(s0, x);
    s1 = f64x2.add(s1, y);
    s2 = f64x2.add(s2, z);
    s3 = f64x2.add(s3, w);
    q0 = f64x2.add(q0, f64x2.mul(x, x));
    q1 = f64x2.add(q1, f64x2.mul(y, y));
    q2 = f64x2.add(q2, f64x2.mul(z, z));
    q3 = f64x2.add(q3, f64x2.mul(w, w));
  }
  storeChains(state + CHAINS, s0, s1, s2, s3);
  storeChains(state + SQUARE_CHAINS, q0, q1, q2, q3);
}

// @ts-ignore: decorator
@inline
function finiteOrZero(bits: v128): v128 {
  return v128.and(bits, i32x4.lt_s(v128.and(bits, i32x4.splat(SIZE)), i32x4.splat(INFINITE)));
}

function countOctaves(data: usize, state: usize): void {
  const table = state + OCTAVES;
  for (let at = data; at < data + BLOCK_BYTES; at += 16) {
    // Two words at a time; an exponent times 4 is the place of its counter.
    const a = load<u64>(at);
    const b = load<u64>(at, 8);
    bump(table + usize((a >> 21) & 0x3fc), 1);
    bump(table + 1024 + usize((a >> 53) & 0x3fc), 1);
    bump(table + 2048 + usize((b >> 21) & 0x3fc), 1);
    bump(table + 3072 + usize((b >> 53) & 0x3fc), 1);
  }
}

function findSizes(data: usize, state: usize, first: u32): void {
  for (let i: u32 = 0; i < BLOCK; i++) {
    const bits = load<u32>(data + (usize(i) << 2)) & SIZE;
    if (bits < u32(INFINITE)) takeSize(state, f64(reinterpret<f32>(bits)), first + i);
  }
}

function findNonFinite(data: usize, state: usize, first: u32): void {
  for (let i: u32 = 0; i < BLOCK; i++) {
    if ((load<u32>(data + (usize(i) << 2)) & SIZE) < u32(INFINITE)) continue;
    store<i32>(state, first + i, FIRST_NON_FINITE);
    return;
  }
}

// @ts-ignore: decorator
@inline
function asFloat(bits: u32): f64 {
  return f64(reinterpret<f32>(bits));
}

/** Extremes from the bits that were found; a block without finite elements has none. */
function takeExtremes(data: usize, state: usize, first: u32): void {
  if (smallestSize >= u32(INFINITE)) return;
  const isAllNegative = largestSigned < 0;
  const isAllPositive = i32(largestUnsigned) >= 0;
  const most = isAllNegative ? -asFloat(smallestSize) : asFloat(largestSigned);
  const least = isAllPositive ? asFloat(smallestSize) : asFloat(largestUnsigned);
  if (most > load<f64>(state, MOST)) store<f64>(state, most, MOST);
  if (least < load<f64>(state, LEAST)) store<f64>(state, least, LEAST);
  if (max(most, -least) > load<f64>(state, MAX2)) findSizes(data, state, first);
}

/**
 * Summarises `count` elements of one page from element `first` of the chunk, a block's start.
 * Octaves are counted in blocks whose index is a multiple of `octaveStride`, nowhere where that is 0;
 * lanes of clean blocks only where they are wanted.
 */
export function summariseFloat32(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
  hasLanes: bool,
): void {
  let sum: f64 = 0;
  let squares: f64 = 0;
  let at: u32 = 0;
  for (; at + BLOCK <= count; at += BLOCK, data += BLOCK_BYTES) {
    sumWords(data, state);
    if (hasLanes) scanBits(data, state);
    else scanSizes(data);
    const finite = largestSigned < INFINITE && (largestUnsigned & SIZE) < u32(INFINITE);
    if (!finite || smallestSize < u32(NORMAL)) scanDirtyBits(data, state);
    else if (hasLanes) takeLanes(state);
    if (!finite) {
      sumFinite(data, state);
      if (load<i32>(state, FIRST_NON_FINITE) < 0) findNonFinite(data, state, first + at);
    }
    sum += combine(state + CHAINS);
    squares += combine(state + SQUARE_CHAINS);
    takeExtremes(data, state, first + at);
    if (octaveStride > 0 && ((first + at) / BLOCK) % octaveStride == 0) countOctaves(data, state);
  }
  store<f64>(state, sum, PAGE_SUM);
  store<f64>(state, squares, PAGE_SQUARES);
  if (at < count)
    summariseBlock<f32>(
      data,
      count - at,
      state,
      first + at,
      octaveStride > 0 && ((first + at) / BLOCK) % octaveStride == 0,
    );
}
