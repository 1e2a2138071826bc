// How weights moved: blocks of float64 columns, up to 1,024 elements each, or of float32 words. The
// host has room for whole vectors after the elements of a column. At `state` lie the offsets of
// state.ts and the ones below; src/engines/wasm/layout.ts has the same list.
import { BLOCK, CHAINS, MAX2, OCTAVES, bump, combine, combineChains, takeSize } from './state';

/** f64: what the row at hand has so far. */
const ROW_SUM: usize = 96;
/** u32: elements of float32 whose bits differ. */
const CHANGED: usize = 108;
/** Of the block: Δ (f32) and Δ² (f64, 0 where Δ is not finite). */
const DELTAS: usize = 8192;
const SQUARES: usize = 16384;
/** Of one call: sums of the rows that ended, and ΣΔ² of each block (f64). */
const ROW_SUMS: usize = 24576;
const BLOCK_SQUARES: usize = 155648;

const INFINITE: i32 = 0x7f800000;
const SIZE: i32 = 0x7fffffff;

/** Zeros after the last element of a column, up to whole eights: they add nothing to any sum. */
// @ts-ignore: decorator
@inline
export function pad(column: usize, count: u32): void {
  const past = count & 7;
  if (past) memory.fill(column + (usize(count) << 3), 0, (8 - past) << 3);
}

// @ts-ignore: decorator
@inline
function deltasAt(before: usize, after: usize): v128 {
  const low = f64x2.sub(v128.load(after), v128.load(before));
  const high = f64x2.sub(v128.load(after, 16), v128.load(before, 16));
  return v128.shuffle<i64>(f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2);
}

// @ts-ignore: decorator
@inline
function finiteOrZero(bits: v128): v128 {
  return v128.and(bits, i32x4.lt_s(v128.and(bits, i32x4.splat(SIZE)), i32x4.splat(INFINITE)));
}

// @ts-ignore: decorator
@inline
function lowSquares(deltas: v128): v128 {
  const x = f64x2.promote_low_f32x4(deltas);
  return f64x2.mul(x, x);
}

// @ts-ignore: decorator
@inline
function highSquares(deltas: v128): v128 {
  return lowSquares(v128.shuffle<i64>(deltas, deltas, 1, 1));
}

// @ts-ignore: decorator
@inline
function largestOf(sizes: v128): f64 {
  const pairs = i32x4.max_s(sizes, v128.shuffle<i64>(sizes, sizes, 1, 0));
  const bits = max(i32x4.extract_lane(pairs, 0), i32x4.extract_lane(pairs, 1));
  return f64(reinterpret<f32>(bits));
}

function findSizes(state: usize, count: u32, first: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const bits = load<u32>(state + (usize(i) << 2), DELTAS) & SIZE;
    if (bits < u32(INFINITE)) takeSize(state, f64(reinterpret<f32>(bits)), first + i);
  }
}

/** Δ of a block of float64 columns, or of float32 words. */
// @ts-ignore: decorator
@inline
function storeDeltas(before: usize, after: usize, count: u32, state: usize, isWide: bool): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let sizes = i32x4.splat(0);
  let delta = state + DELTAS;
  let square = state + SQUARES;
  for (let i: u32 = 0; i < count; i += 8) {
    const at = usize(i) << (isWide ? 3 : 2);
    const low = isWide
      ? deltasAt(before + at, after + at)
      : f32x4.sub(v128.load(after + at), v128.load(before + at));
    const high = isWide
      ? deltasAt(before + at + 32, after + at + 32)
      : f32x4.sub(v128.load(after + at, 16), v128.load(before + at, 16));
    v128.store(delta, low);
    v128.store(delta, high, 16);
    const a = finiteOrZero(low);
    const b = finiteOrZero(high);
    sizes = i32x4.max_s(sizes, v128.and(a, i32x4.splat(SIZE)));
    sizes = i32x4.max_s(sizes, v128.and(b, i32x4.splat(SIZE)));
    const q0 = lowSquares(a);
    const q1 = highSquares(a);
    const q2 = lowSquares(b);
    const q3 = highSquares(b);
    v128.store(square, q0);
    v128.store(square, q1, 16);
    v128.store(square, q2, 32);
    v128.store(square, q3, 48);
    s0 = f64x2.add(s0, q0);
    s1 = f64x2.add(s1, q1);
    s2 = f64x2.add(s2, q2);
    s3 = f64x2.add(s3, q3);
    delta += 32;
    square += 64;
  }
  largestDelta = largestOf(sizes);
  return combineChains(state + CHAINS, s0, s1, s2, s3);
}

/** The largest finite |Δ| that the last block had. */
let largestDelta: f64 = 0;

/**
 * Δ of a block whose first element in the chunk is `first`: leaves Δ and Δ², takes the two largest,
 * and returns ΣΔ².
 */
export function moveBlock(
  before: usize,
  after: usize,
  count: u32,
  state: usize,
  first: u32,
): f64 {
  pad(before, count);
  pad(after, count);
  const squares = storeDeltas(before, after, count, state, true);
  if (largestDelta > load<f64>(state, MAX2)) findSizes(state, count, first);
  return squares;
}

function storeWords(before: usize, after: usize, state: usize): f64 {
  return storeDeltas(before, after, BLOCK, state, false);
}

/**
 * ΣΔ² of a block of words and the largest |Δ|, which is not finite where a Δ is not: then the sum
 * says nothing. Counts what changed.
 */
function sumDeltas(before: usize, after: usize, state: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let sizes = i32x4.splat(0);
  let same = i32x4.splat(0);
  const end = before + (usize(BLOCK) << 2);
  for (; before < end; before += 32, after += 32) {
    const a = v128.load(before);
    const b = v128.load(before, 16);
    const c = v128.load(after);
    const d = v128.load(after, 16);
    same = i32x4.sub(same, i32x4.add(i32x4.eq(a, c), i32x4.eq(b, d)));
    const low = f32x4.sub(c, a);
    const high = f32x4.sub(d, b);
    sizes = i32x4.max_s(sizes, v128.and(low, i32x4.splat(SIZE)));
    sizes = i32x4.max_s(sizes, v128.and(high, i32x4.splat(SIZE)));
    s0 = f64x2.add(s0, lowSquares(low));
    s1 = f64x2.add(s1, highSquares(low));
    s2 = f64x2.add(s2, lowSquares(high));
    s3 = f64x2.add(s3, highSquares(high));
  }
  const equal =
    i32x4.extract_lane(same, 0) +
    i32x4.extract_lane(same, 1) +
    i32x4.extract_lane(same, 2) +
    i32x4.extract_lane(same, 3);
  bump(state + CHANGED, BLOCK - u32(equal));
  largestDelta = largestOf(sizes);
  return combineChains(state + CHAINS, s0, s1, s2, s3);
}

/**
 * Everything about Δ of whole blocks of float32 words, the first of which starts at element `first`
 * of the chunk: leaves ΣΔ² of each block, and as `sumRows` the rows, where `rowElements` is not 0.
 * Octaves are counted in blocks whose index is a multiple of `octaveStride`. Returns the rows that
 * ended.
 */
export function moveFloat32(
  before: usize,
  after: usize,
  blocks: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
  left: u32,
  rowElements: u32,
): u32 {
  let rows: u32 = 0;
  for (let b: u32 = 0; b < blocks; b++, before += 4096, after += 4096, first += BLOCK) {
    let squares = sumDeltas(before, after, state);
    const isCounted = (first / BLOCK) % octaveStride == 0;
    const isSplit = rowElements != 0 && left < BLOCK;
    const isLarger = !(largestDelta <= load<f64>(state, MAX2));
    if (isCounted || isSplit || isLarger || largestDelta > f64(f32.MAX_VALUE)) {
      squares = storeWords(before, after, state);
      if (largestDelta > load<f64>(state, MAX2)) findSizes(state, BLOCK, first);
      if (isCounted) countDeltas(state, BLOCK);
    }
    store<f64>(state + (usize(b) << 3), squares, BLOCK_SQUARES);
    if (rowElements == 0) continue;
    if (isSplit) {
      rows += splitRows(state, BLOCK, left, rowElements, rows);
      const past = (BLOCK - left) % rowElements;
      left = rowElements - past;
      continue;
    }
    left -= BLOCK;
    const sum = load<f64>(state, ROW_SUM) + squares;
    store<f64>(state, left == 0 ? 0 : sum, ROW_SUM);
    if (left != 0) continue;
    store<f64>(state + (usize(rows) << 3), sum, ROW_SUMS);
    rows += 1;
    left = rowElements;
  }
  return rows;
}

/** Counts the exponents of the block's Δ; those that are not finite come to 255. */
export function countDeltas(state: usize, count: u32): void {
  for (let i: u32 = 0; i < count; i++) {
    const octave = (load<u16>(state + (usize(i) << 2), DELTAS + 2) >> 7) & 255;
    bump(state + OCTAVES + (usize(i & 3) << 10) + (usize(octave) << 2), 1);
  }
}

// @ts-ignore: decorator
@inline
function addToChain(state: usize, i: u32): void {
  const chain = state + (usize(i & 7) << 3);
  store<f64>(chain, load<f64>(chain, CHAINS) + load<f64>(state + (usize(i) << 3), SQUARES), CHAINS);
}

/** Σ of the block's Δ² from element `i` to `end`, in chains by their place in the block. */
function sumSquares(state: usize, i: u32, end: u32): f64 {
  memory.fill(state + CHAINS, 0, 64);
  for (; i < end && (i & 7) != 0; i++) addToChain(state, i);
  let s0 = v128.load(state, CHAINS);
  let s1 = v128.load(state, CHAINS + 16);
  let s2 = v128.load(state, CHAINS + 32);
  let s3 = v128.load(state, CHAINS + 48);
  for (; i + 8 <= end; i += 8) {
    const square = state + (usize(i) << 3);
    s0 = f64x2.add(s0, v128.load(square, SQUARES));
    s1 = f64x2.add(s1, v128.load(square, SQUARES + 16));
    s2 = f64x2.add(s2, v128.load(square, SQUARES + 32));
    s3 = f64x2.add(s3, v128.load(square, SQUARES + 48));
  }
  v128.store(state, s0, CHAINS);
  v128.store(state, s1, CHAINS + 16);
  v128.store(state, s2, CHAINS + 32);
  v128.store(state, s3, CHAINS + 48);
  for (; i < end; i++) addToChain(state, i);
  return combine(state + CHAINS);
}

/** As `sumRows`, after `ended` rows of the same call. */
function splitRows(state: usize, count: u32, left: u32, rowElements: u32, ended: u32): u32 {
  let sum = load<f64>(state, ROW_SUM);
  let rows: u32 = 0;
  for (let i: u32 = 0; i < count; ) {
    const run = min(left, count - i);
    sum += sumSquares(state, i, i + run);
    i += run;
    left -= run;
    if (left != 0) continue;
    store<f64>(state + (usize(ended + rows) << 3), sum, ROW_SUMS);
    sum = 0;
    left = rowElements;
    rows += 1;
  }
  store<f64>(state, sum, ROW_SUM);
  return rows;
}

/**
 * Adds the block's Δ² to rows of `rowElements`, of which the one at hand lacks `left`. Returns how
 * many ended.
 */
export function sumRows(state: usize, count: u32, left: u32, rowElements: u32): u32 {
  return splitRows(state, count, left, rowElements, 0);
}
