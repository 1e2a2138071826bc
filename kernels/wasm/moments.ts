// What the second moment gained, and the mean of m²/v: over columns and words as in movement.ts, with
// the same state.
import { pad } from './movement';
import { promoted } from './ratio';
import { BLOCK, CHAINS, bump, combineChains } from './state';

/** u32: elements of this block that took part in the mean. */
const RATIO_COUNT: usize = 104;

const INFINITE: i32 = 0x7f800000;

// @ts-ignore: decorator
@inline
function isFinite2(x: v128): v128 {
  return f64x2.le(f64x2.abs(x), f64x2.splat(f64.MAX_VALUE));
}

// @ts-ignore: decorator
@inline
function gain(before: usize, after: usize, inherited: v128): v128 {
  const term = f64x2.sub(v128.load(after), f64x2.mul(inherited, v128.load(before)));
  return v128.and(term, isFinite2(term));
}

/** Σ(after − inherited · before) over finite terms. */
export function gainBlock(
  before: usize,
  after: usize,
  count: u32,
  state: usize,
  inherited: f64,
): f64 {
  pad(before, count);
  pad(after, count);
  const share = f64x2.splat(inherited);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let i: u32 = 0; i < count; i += 8, before += 64, after += 64) {
    s0 = f64x2.add(s0, gain(before, after, share));
    s1 = f64x2.add(s1, gain(before + 16, after + 16, share));
    s2 = f64x2.add(s2, gain(before + 32, after + 32, share));
    s3 = f64x2.add(s3, gain(before + 48, after + 48, share));
  }
  return combineChains(state + CHAINS, s0, s1, s2, s3);
}

// @ts-ignore: decorator
@inline
function takesPart(m: v128, v: v128): v128 {
  return v128.and(isFinite2(m), v128.and(f64x2.gt(v, f64x2.splat(0)), isFinite2(v)));
}

/** Σ m²/v where m is finite and v finite and above 0, and the number of these elements. */
export function ratioBlock(first: usize, second: usize, count: u32, state: usize): f64 {
  pad(first, count);
  pad(second, count);
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  let counts = i64x2.splat(0);
  for (let i: u32 = 0; i < count; i += 8, first += 64, second += 64) {
    for (let at: usize = 0; at < 64; at += 16) {
      const m = v128.load(first + at);
      const v = v128.load(second + at);
      const part = takesPart(m, v);
      counts = i64x2.sub(counts, part);
      const term = v128.and(f64x2.div(f64x2.mul(m, m), v), part);
      if (at == 0) s0 = f64x2.add(s0, term);
      else if (at == 16) s1 = f64x2.add(s1, term);
      else if (at == 32) s2 = f64x2.add(s2, term);
      else s3 = f64x2.add(s3, term);
    }
  }
  const taken = i64x2.extract_lane(counts, 0) + i64x2.extract_lane(counts, 1);
  store<u32>(state, u32(taken), RATIO_COUNT);
  return combineChains(state + CHAINS, s0, s1, s2, s3);
}

// @ts-ignore: decorator
@inline
function gainWords(before: usize, after: usize, inherited: v128): v128 {
  return f64x2.sub(promoted(after), f64x2.mul(inherited, promoted(before)));
}

// @ts-ignore: decorator
@inline
function masked(terms: v128): v128 {
  return v128.and(terms, isFinite2(terms));
}

/** Σ(after − inherited · before) of one block of float32 words over finite terms. */
function gainOfBlock(before: usize, after: usize, state: usize, share: v128): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  for (let at: usize = 0; at < 4096; at += 32) {
    s0 = f64x2.add(s0, gainWords(before + at, after + at, share));
    s1 = f64x2.add(s1, gainWords(before + at + 8, after + at + 8, share));
    s2 = f64x2.add(s2, gainWords(before + at + 16, after + at + 16, share));
    s3 = f64x2.add(s3, gainWords(before + at + 24, after + at + 24, share));
  }
  const sum = combineChains(state + CHAINS, s0, s1, s2, s3);
  // A term that is not finite, of which there is none in most blocks, leaves no finite sum.
  if (abs(sum) <= f64.MAX_VALUE) return sum;
  s0 = s1 = s2 = s3 = f64x2.splat(0);
  for (let at: usize = 0; at < 4096; at += 32) {
    s0 = f64x2.add(s0, masked(gainWords(before + at, after + at, share)));
    s1 = f64x2.add(s1, masked(gainWords(before + at + 8, after + at + 8, share)));
    s2 = f64x2.add(s2, masked(gainWords(before + at + 16, after + at + 16, share)));
    s3 = f64x2.add(s3, masked(gainWords(before + at + 24, after + at + 24, share)));
  }
  return combineChains(state + CHAINS, s0, s1, s2, s3);
}

/** `sum` and, added in order, what `gainBlock` gives for whole blocks of float32 words. */
export function gainFloat32(
  before: usize,
  after: usize,
  blocks: u32,
  state: usize,
  inherited: f64,
  sum: f64,
): f64 {
  const share = f64x2.splat(inherited);
  for (let b: u32 = 0; b < blocks; b++, before += 4096, after += 4096) {
    sum += gainOfBlock(before, after, state, share);
  }
  return sum;
}

// @ts-ignore: decorator
@inline
function ratioWords(first: usize, second: usize): v128 {
  const m = promoted(first);
  return f64x2.div(f64x2.mul(m, m), promoted(second));
}

// @ts-ignore: decorator
@inline
function partWords(first: usize, second: usize): v128 {
  return takesPart(promoted(first), promoted(second));
}

/** Is every word a positive, finite number? */
function isPositive(words: usize): bool {
  let least = i32x4.splat(i32.MAX_VALUE);
  let most = i32x4.splat(0);
  for (let at: usize = 0; at < 4096; at += 16) {
    const bits = v128.load(words + at);
    least = i32x4.min_s(least, bits);
    most = i32x4.max_s(most, bits);
  }
  const small = v128.any_true(i32x4.le_s(least, i32x4.splat(0)));
  return !small && !v128.any_true(i32x4.ge_s(most, i32x4.splat(INFINITE)));
}

/** Σ m²/v of one block of float32 words, as `ratioBlock`; adds to the number of its elements. */
function ratioOfBlock(first: usize, second: usize, state: usize): f64 {
  let s0 = f64x2.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  if (isPositive(second)) {
    for (let at: usize = 0; at < 4096; at += 32) {
      s0 = f64x2.add(s0, ratioWords(first + at, second + at));
      s1 = f64x2.add(s1, ratioWords(first + at + 8, second + at + 8));
      s2 = f64x2.add(s2, ratioWords(first + at + 16, second + at + 16));
      s3 = f64x2.add(s3, ratioWords(first + at + 24, second + at + 24));
    }
    const sum = combineChains(state + CHAINS, s0, s1, s2, s3);
    if (sum <= f64.MAX_VALUE) {
      bump(state + RATIO_COUNT, BLOCK);
      return sum;
    }
    s0 = s1 = s2 = s3 = f64x2.splat(0);
  }
  let counts = i64x2.splat(0);
  for (let at: usize = 0; at < 4096; at += 8) {
    const part = partWords(first + at, second + at);
    counts = i64x2.sub(counts, part);
    const term = v128.and(ratioWords(first + at, second + at), part);
    const chain = at & 31;
    if (chain == 0) s0 = f64x2.add(s0, term);
    else if (chain == 8) s1 = f64x2.add(s1, term);
    else if (chain == 16) s2 = f64x2.add(s2, term);
    else s3 = f64x2.add(s3, term);
  }
  bump(state + RATIO_COUNT, u32(i64x2.extract_lane(counts, 0) + i64x2.extract_lane(counts, 1)));
  return combineChains(state + CHAINS, s0, s1, s2, s3);
}

/** `sum` and, added in order, what `ratioBlock` gives for whole blocks of float32 words. */
export function ratioFloat32(
  first: usize,
  second: usize,
  blocks: u32,
  state: usize,
  sum: f64,
): f64 {
  store<u32>(state, 0, RATIO_COUNT);
  for (let b: u32 = 0; b < blocks; b++, first += 4096, second += 4096) {
    sum += ratioOfBlock(first, second, state);
  }
  return sum;
}
