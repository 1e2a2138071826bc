// The summary of one block of any type of 32 or 64 bits, element by element.
import {
  BLOCK,
  CHAINS,
  DENORMALS,
  FIRST_NON_FINITE,
  LANE_AND,
  LANE_COUNT,
  LANE_OR,
  LEAST,
  LEAST_INTEGER,
  MAX1,
  MAX1_INDEX,
  MAX2,
  MOST,
  MOST_INTEGER,
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
} from './state';

/** Counts a NaN or an infinity at element `index`. */
export function takeNonFinite(state: usize, value: f64, index: u32): void {
  if (value != value) bump(state + NAN, 1);
  else if (value > 0) bump(state + POSITIVE_INFINITY, 1);
  else bump(state + NEGATIVE_INFINITY, 1);
  if (load<i32>(state, FIRST_NON_FINITE) < 0) store<i32>(state, index, FIRST_NON_FINITE);
}

// @ts-ignore: decorator
@inline
function smallestNormal<T extends number>(): f64 {
  if (!isFloat<T>()) return 0;
  return sizeof<T>() == 4 ? 1.1754943508222875e-38 : f64.MIN_NORMAL_VALUE;
}

// @ts-ignore: decorator
@inline
export function takeLane(state: usize, bits: u32, index: u32): void {
  const lane = state + (usize(index & 31) << 2);
  store<u32>(lane, load<u32>(lane, LANE_OR) | bits, LANE_OR);
  store<u32>(lane, load<u32>(lane, LANE_AND) & bits, LANE_AND);
  bump(lane + LANE_COUNT, 1);
}

// @ts-ignore: decorator
@inline
function takeInteger<T extends number>(state: usize, value: T): void {
  if (isSigned<T>()) {
    if (i64(value) < load<i64>(state, LEAST_INTEGER)) store<i64>(state, i64(value), LEAST_INTEGER);
    if (i64(value) > load<i64>(state, MOST_INTEGER)) store<i64>(state, i64(value), MOST_INTEGER);
  } else {
    if (u64(value) < load<u64>(state, LEAST_INTEGER)) store<u64>(state, u64(value), LEAST_INTEGER);
    if (u64(value) > load<u64>(state, MOST_INTEGER)) store<u64>(state, u64(value), MOST_INTEGER);
  }
}

/** Adds the block's chains to the sums of its page. */
export function endBlock(state: usize): void {
  store<f64>(state, load<f64>(state, PAGE_SUM) + combine(state + CHAINS), PAGE_SUM);
  store<f64>(state, load<f64>(state, PAGE_SQUARES) + combine(state + SQUARE_CHAINS), PAGE_SQUARES);
}

/** `count` elements, at most a block, from element `first` of the chunk. */
export function summariseBlock<T extends number>(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaves: bool,
): void {
  let least = load<f64>(state, LEAST);
  let most = load<f64>(state, MOST);
  let max1 = load<f64>(state, MAX1);
  let max2 = load<f64>(state, MAX2);
  let largest = load<i32>(state, MAX1_INDEX);
  let zeros: u32 = 0;
  let denormals: u32 = 0;
  memory.fill(state + CHAINS, 0, 128);
  for (let i: u32 = 0; i < count; i++) {
    const value = load<T>(data + usize(i) * sizeof<T>());
    const x = f64(value);
    if (isFloat<T>()) {
      if (!(abs(x) <= f64.MAX_VALUE)) {
        takeNonFinite(state, x, first + i);
        continue;
      }
    } else if (sizeof<T>() == 8) {
      takeInteger<T>(state, value);
    }
    const chain = state + (usize(i & 7) << 3);
    store<f64>(chain, load<f64>(chain, CHAINS) + x, CHAINS);
    store<f64>(chain, load<f64>(chain, SQUARE_CHAINS) + x * x, SQUARE_CHAINS);
    if (x < least) least = x;
    if (x > most) most = x;
    const size = abs(x);
    if (size > max2) {
      if (size > max1) {
        max2 = max1;
        max1 = size;
        largest = first + i;
      } else {
        max2 = size;
      }
    }
    const bits = reinterpret<u32>(f32(x));
    if (octaves) bump(state + OCTAVES + (usize(i & 3) << 10) + (usize((bits >> 23) & 255) << 2), 1);
    if (x == 0) {
      zeros++;
      continue;
    }
    if (size < smallestNormal<T>()) denormals++;
    takeLane(state, bits, first + i);
  }
  store<f64>(state, least, LEAST);
  store<f64>(state, most, MOST);
  store<f64>(state, max1, MAX1);
  store<f64>(state, max2, MAX2);
  store<i32>(state, largest, MAX1_INDEX);
  bump(state + ZEROS, zeros);
  bump(state + DENORMALS, denormals);
  if (zeros == BLOCK) bump(state + ZERO_BLOCKS, 1);
  endBlock(state);
}

// @ts-ignore: decorator
@inline
function summarise<T extends number>(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
): void {
  store<f64>(state, 0, PAGE_SUM);
  store<f64>(state, 0, PAGE_SQUARES);
  for (let at: u32 = 0; at < count; at += BLOCK) {
    const octaves = ((first + at) / BLOCK) % octaveStride == 0;
    summariseBlock<T>(
      data + usize(at) * sizeof<T>(),
      min(BLOCK, count - at),
      state,
      first + at,
      octaves,
    );
  }
}

export function summariseFloat64(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
): void {
  summarise<f64>(data, count, state, first, octaveStride);
}

export function summariseInt32(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
): void {
  summarise<i32>(data, count, state, first, octaveStride);
}

export function summariseUint32(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
): void {
  summarise<u32>(data, count, state, first, octaveStride);
}

export function summariseInt64(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
): void {
  summarise<i64>(data, count, state, first, octaveStride);
}

export function summariseUint64(
  data: usize,
  count: u32,
  state: usize,
  first: u32,
  octaveStride: u32,
): void {
  summarise<u64>(data, count, state, first, octaveStride);
}
