// bounded-update; src/laws/bounded-update.ts defines it.
import { naturalLog } from './natural-log';
import {
  atLeastZero,
  beginJudging,
  bothPass,
  constant,
  isWithin,
  largestFloat,
  leastFloat,
  limitOf,
  promoted,
  ratioOf,
  roundingOf,
  sizeOf,
  skipOf,
  SMALLEST,
  takeRatios,
} from './ratio';

/** All of `a` where `a < b`, else `b`. */
// @ts-ignore: decorator
@inline
function lesser(a: v128, b: v128): v128 {
  return v128.bitselect(a, b, f64x2.lt(a, b));
}

// @ts-ignore: decorator
@inline
function isFiniteSize(x: v128): v128 {
  return f64x2.le(f64x2.abs(x), f64x2.splat(f64.MAX_VALUE));
}

/** Bound of Σ|m̂|/(√v̂ + ε) from m and v of the base and v of the head: `budget` of the law. */
// @ts-ignore: decorator
@inline
function budget(c: usize, size: v128, vBase: v128, vHead: v128, maximum: v128): v128 {
  const steps = constant(c, 0);
  const growth = f64x2.add(naturalLog(f64x2.div(vHead, vBase)), constant(c, 4));
  // f64x2.pmin and pmax keep a NaN that stands first, as Math.min and Math.max do.
  const energy = f64x2.div(atLeastZero(f64x2.pmin(growth, steps)), constant(c, 5));
  const inherited = f64x2.div(f64x2.mul(constant(c, 2), size), f64x2.sqrt(vBase));
  const fresh = f64x2.mul(constant(c, 3), f64x2.sqrt(f64x2.mul(steps, energy)));
  const bound = lesser(f64x2.add(inherited, fresh), constant(c, 1));
  let top = f64x2.mul(vHead, constant(c, 6));
  if (load<f64>(c, 18 << 3) == 1) {
    top = v128.bitselect(top, maximum, f64x2.le(maximum, top));
  }
  const reach = f64x2.sqrt(top);
  const share = f64x2.div(reach, f64x2.add(reach, constant(c, 8)));
  const shared = v128.bitselect(f64x2.mul(bound, share), bound, isFiniteSize(reach));
  return v128.bitselect(shared, f64x2.splat(Infinity), f64x2.eq(shared, shared));
}

/** The right side of the law from that bound. */
// @ts-ignore: decorator
@inline
function reachOf(c: usize, wBase: v128, wHead: v128, bound: v128): v128 {
  const move = f64x2.mul(constant(c, 11), bound);
  const size = f64x2.abs(wBase);
  let rounding = f64x2.mul(constant(c, 14), f64x2.add(size, move));
  if (load<f64>(c, 15 << 3) == 1) {
    const twice = f64x2.add(size, f64x2.mul(f64x2.splat(2), move));
    rounding = lesser(f64x2.add(move, f64x2.mul(constant(c, 16), twice)), rounding);
  }
  const sizes = f64x2.add(f64x2.add(size, f64x2.abs(wHead)), move);
  const cast = f64x2.mul(constant(c, 10), sizes);
  let right = f64x2.add(move, f64x2.mul(size, constant(c, 13)));
  right = f64x2.add(f64x2.add(f64x2.add(right, rounding), constant(c, 17)), cast);
  return v128.bitselect(right, f64x2.splat(Infinity), isFiniteSize(move));
}

/**
 * Screening: most elements are so far inside the bound that multiplications show it. With
 *   ln x ≥ 1 − 1/x,  (a + b)² ≥ a² + b²,  (√top + spare)² ≤ 1.1·top + 11·spare²
 * and energy = (vHead·ln(vHead/vBase) + vHead·decayLog)/(vHead·secondFresh), cut to [0, steps],
 *   move² ≥ rate² · min(inherited²·m²/vBase + fresh²·steps·energy, cap²) · top/(1.1·top + 11·spare²),
 * and right ≥ move. Both sides are multiplied out, so that nothing is divided. left² ≤ limit²·move²
 * then means that neither the count of broken elements nor the worst ratio can change. Rounding:
 * 1e-9 is spared, and what could leave the range of a double is not screened.
 */
const SPARED: f64 = 1 - 1e-9;

/** limit² · rate² and a little less; 0, which passes nothing, where a constant is out of order. */
function screenFactor(c: usize, limit: f64): f64 {
  for (let i: usize = 0; i < 18; i++) {
    const value = load<f64>(c + (i << 3));
    if (i == 4 ? !(abs(value) <= f64.MAX_VALUE) : !(value >= 0)) return 0;
  }
  const rate = load<f64>(c, 11 << 3);
  if (!(load<f64>(c, 5 << 3) >= 1e-30)) return 0;
  return limit * limit * rate * rate * SPARED;
}

/** Which of two elements the screening passes. */
// @ts-ignore: decorator
@inline
function passes(c: usize, factor: v128, left: v128, size: v128, vBase: v128, vHead: v128): v128 {
  const smallest = f64x2.splat(1e-45);
  const proper = v128.and(f64x2.ge(vBase, smallest), f64x2.ge(vHead, smallest));
  // A growth that is a little smaller than it is: the exact one is rounded where it may cancel.
  const decayLog = load<f64>(c, 4 << 3);
  const decayed = f64x2.splat(decayLog - abs(decayLog) * 1e-12 - 1e-12);
  const growth = f64x2.add(f64x2.sub(vHead, vBase), f64x2.mul(decayed, vHead));
  const steps = constant(c, 0);
  const energy = f64x2.pmin(atLeastZero(growth), f64x2.mul(steps, vHead));
  const secondFresh = constant(c, 5);
  const inherited = f64x2.mul(constant(c, 2), size);
  const fresh = constant(c, 3);
  const driven = f64x2.add(
    f64x2.mul(f64x2.mul(f64x2.mul(inherited, inherited), vHead), secondFresh),
    f64x2.mul(f64x2.mul(f64x2.mul(f64x2.mul(fresh, fresh), steps), energy), vBase),
  );
  const scale = f64x2.mul(f64x2.mul(vBase, vHead), secondFresh);
  const cap = constant(c, 1);
  const bound = f64x2.pmin(driven, f64x2.mul(f64x2.mul(cap, cap), scale));
  const top = f64x2.mul(vHead, f64x2.splat(min(load<f64>(c, 6 << 3), 1e10)));
  const spare = constant(c, 8);
  const divisor = f64x2.add(
    f64x2.mul(f64x2.splat(1.1), top),
    f64x2.mul(f64x2.mul(f64x2.splat(11), spare), spare),
  );
  const distance = f64x2.pmax(left, f64x2.splat(1e-60));
  const below = f64x2.mul(f64x2.mul(f64x2.mul(distance, distance), scale), divisor);
  const above = f64x2.mul(f64x2.mul(bound, top), factor);
  const isFinite = f64x2.lt(above, f64x2.splat(f64.MAX_VALUE));
  return v128.and(v128.and(proper, isFinite), f64x2.le(below, above));
}

/**
 * Constants (f64): steps, cap, inherited, fresh, decayLog, secondFresh, grown, floor, spare, cast,
 * weightCast, rate, middle, half, rounding, nearest, decayRounding, tiny, maximum.
 * Columns: w of base and head, m and v of the base, v and the maximum of v of the head.
 */
export function boundedUpdate(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  wA: usize,
  wB: usize,
  mA: usize,
  vA: usize,
  vB: usize,
  xB: usize,
): void {
  const narrowed = f64x2.splat(1 - load<f64>(c, 9 << 3));
  const widened = f64x2.splat(1 + load<f64>(c, 9 << 3));
  const floor = constant(c, 7);
  const factor = f64x2.splat(screenFactor(c, limit));
  const zero = f64x2.splat(0);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const wBase = v128.load(wA + at);
    const wHead = v128.load(wB + at);
    const left = f64x2.abs(f64x2.sub(wHead, f64x2.mul(wBase, constant(c, 12))));
    const size = f64x2.abs(f64x2.mul(v128.load(mA + at), widened));
    const vBase = f64x2.add(f64x2.mul(v128.load(vA + at), narrowed), floor);
    const vHead = f64x2.add(f64x2.mul(v128.load(vB + at), widened), floor);
    const judged = f64x2.eq(v128.load(skip + at), zero);
    if (i64x2.all_true(v128.and(judged, passes(c, factor, left, size, vBase, vHead)))) {
      v128.store(ratios + at, zero);
      continue;
    }
    const bound = budget(c, size, vBase, vHead, v128.load(xB + at));
    const right = reachOf(c, wBase, wHead, bound);
    v128.store(ratios + at, ratioOf(left, right, v128.load(skip + at), f64x2.splat(limit)));
  }
}

function judgeTwo(
  c: usize,
  record: usize,
  index: u32,
  wA: usize,
  wB: usize,
  mA: usize,
  vA: usize,
  vB: usize,
): bool {
  const wBase = promoted(wA);
  const wHead = promoted(wB);
  const mBase = promoted(mA);
  const before = promoted(vA);
  const after = promoted(vB);
  const skip = f64x2.add(
    f64x2.add(f64x2.add(skipOf(wBase), skipOf(wHead)), skipOf(mBase)),
    f64x2.add(skipOf(before), skipOf(after)),
  );
  const floor = constant(c, 7);
  const narrowed = f64x2.splat(1 - load<f64>(c, 9 << 3));
  const widened = f64x2.splat(1 + load<f64>(c, 9 << 3));
  const left = f64x2.abs(f64x2.sub(wHead, f64x2.mul(wBase, constant(c, 12))));
  const size = f64x2.abs(f64x2.mul(mBase, widened));
  const vBase = f64x2.add(f64x2.mul(before, narrowed), floor);
  const vHead = f64x2.add(f64x2.mul(after, widened), floor);
  const bound = budget(c, size, vBase, vHead, f64x2.splat(NaN));
  const right = reachOf(c, wBase, wHead, bound);
  return takeRatios(record, ratioOf(left, right, skip, f64x2.splat(limitOf(record))), index);
}

/** In float32 the factor of the screening; 0 where a constant leaves its range. */
function narrowFactor(c: usize, record: usize): f32 {
  const grown = load<f64>(c, 6 << 3);
  const factor = screenFactor(c, limitOf(record)) * (1 - 1e-5) * grown;
  const isOrdered = load<f64>(c, 9 << 3) == 0 && load<f64>(c, 12 << 3) <= 1 && grown <= 1e10;
  const isSmall = load<f64>(c, 7 << 3) <= 1e-20 && abs(load<f64>(c, 4 << 3)) <= 10;
  const hasMaximum = load<f64>(c, 18 << 3) == 1;
  return isOrdered && isSmall && !hasMaximum && factor >= 1e-30 && factor <= 1 ? f32(factor) : 0;
}

/** Constants of the screening in float32, each in four lanes. */
const NARROW = memory.data(16 * 15, 16);
const INHERITED: usize = 0;
const FRESH: usize = 16;
const CAP: usize = 32;
const DECAYED: usize = 48;
const STEPS: usize = 64;
const TOP: usize = 80;
const SPARE: usize = 96;
const MIDDLE: usize = 112;
const SMALLEST_V: usize = 128;
const TWICE_SPARE: usize = 144;
const LEAST_STEP: usize = 160;
const MORE_TOP: usize = 176;
const MORE_SPARE: usize = 192;
const ZERO: usize = 208;
const ONE: usize = 224;

// @ts-ignore: decorator
@inline
function narrow(offset: usize): v128 {
  return v128.load(NARROW + offset);
}

// @ts-ignore: decorator
@inline
function putNarrow(offset: usize, value: f64): void {
  v128.store(NARROW + offset, f32x4.splat(f32(value)));
}

function placeNarrow(c: usize): void {
  const steps = load<f64>(c);
  const cap = load<f64>(c, 1 << 3);
  const inherited = load<f64>(c, 2 << 3);
  const fresh = load<f64>(c, 3 << 3);
  const decayLog = load<f64>(c, 4 << 3);
  const spare = load<f64>(c, 8 << 3);
  putNarrow(INHERITED, inherited * inherited);
  putNarrow(FRESH, (fresh * fresh * steps) / load<f64>(c, 5 << 3));
  putNarrow(CAP, cap * cap);
  // A growth that is a little smaller than it is: the difference below cancels.
  putNarrow(DECAYED, decayLog - abs(decayLog) * 1e-6 - 2e-6);
  putNarrow(STEPS, steps);
  putNarrow(TOP, load<f64>(c, 6 << 3));
  putNarrow(LEAST_STEP, 1e-15);
  putNarrow(MORE_TOP, 1.1 * load<f64>(c, 6 << 3));
  putNarrow(MORE_SPARE, 11 * spare * spare * (1 + 1e-6) + 1e-37);
  putNarrow(ZERO, 0);
  putNarrow(ONE, 1);
  putNarrow(SPARE, spare * spare * (1 + 1e-6) + 1e-37);
  putNarrow(TWICE_SPARE, 2 * spare * (1 + 1e-6) + 1e-37);
  putNarrow(MIDDLE, load<f64>(c, 12 << 3));
  // From here on the floor under v, which is left out, is 1e-7 of it.
  putNarrow(SMALLEST_V, max(f64(SMALLEST), load<f64>(c, 7 << 3) * 1e7));
}

/** |w_B − middle · w_A| or more; not so small that its square underflows on the way to a product. */
// @ts-ignore: decorator
@inline
function distanceOf(wBase: v128, wHead: v128): v128 {
  const old = f32x4.mul(narrow(MIDDLE), wBase);
  const step = f32x4.add(sizeOf(f32x4.sub(wHead, old)), roundingOf(wHead, old));
  return f32x4.pmax(step, narrow(LEAST_STEP));
}

// @ts-ignore: decorator
@inline
function isProper(vBase: v128, vHead: v128, driven: v128): v128 {
  const smallest = narrow(SMALLEST_V);
  const inRange = f32x4.le(driven, largestFloat());
  return v128.and(
    v128.and(f32x4.ge(vBase, smallest), f32x4.ge(vHead, smallest)),
    inRange,
  );
}

/** √x, and 0 where x may have been rounded up on its way below all normal numbers. */
// @ts-ignore: decorator
@inline
function rootOf(x: v128): v128 {
  return f32x4.sqrt(v128.and(x, f32x4.ge(x, leastFloat())));
}

/**
 * The screening above in float32, divided by vBase: with bound² · vHead on one side,
 *   left² · (1.1 · top + 11 · spare²) ≤ factor · min(driven, cap² · vHead),
 *   driven = (√(inherited² · m² · vHead / vBase) + √(fresh² · steps · energy · vHead))².
 */
// @ts-ignore: decorator
@inline
function passesNarrow(factor: v128, wA: usize, wB: usize, mA: usize, vA: usize, vB: usize): v128 {
  const step = distanceOf(v128.load(wA), v128.load(wB));
  const m = v128.load(mA);
  const vBase = v128.load(vA);
  const vHead = v128.load(vB);
  const square = f32x4.mul(narrow(INHERITED), f32x4.mul(m, m));
  const carried = f32x4.mul(square, f32x4.div(vHead, vBase));
  const growth = f32x4.add(f32x4.sub(vHead, vBase), f32x4.mul(narrow(DECAYED), vHead));
  const least = f32x4.pmax(growth, narrow(ZERO));
  const fresh = f32x4.mul(narrow(FRESH), f32x4.pmin(least, f32x4.mul(narrow(STEPS), vHead)));
  const both = rootOf(f32x4.mul(carried, fresh));
  const driven = f32x4.add(f32x4.add(carried, fresh), f32x4.add(both, both));
  const bound = f32x4.pmin(driven, f32x4.mul(narrow(CAP), vHead));
  const divisor = f32x4.add(f32x4.mul(narrow(MORE_TOP), vHead), narrow(MORE_SPARE));
  const below = f32x4.mul(f32x4.mul(step, step), divisor);
  return v128.and(isProper(vBase, vHead, driven), isWithin(below, f32x4.mul(bound, factor)));
}

/**
 * The same with closer estimates, for the few that the first one leaves over:
 *   ln x ≥ 2 (x − 1) / (x + 1) from 1 on,  (√top + spare)² as it is.
 */
function passesClosely(factor: v128, wA: usize, wB: usize, mA: usize, vA: usize, vB: usize): v128 {
  const step = distanceOf(v128.load(wA), v128.load(wB));
  const m = v128.load(mA);
  const vBase = v128.load(vA);
  const vHead = v128.load(vB);
  const square = f32x4.mul(narrow(INHERITED), f32x4.mul(m, m));
  const carried = f32x4.mul(square, f32x4.div(vHead, vBase));
  const steeper = f32x4.div(f32x4.add(vHead, vHead), f32x4.add(vHead, vBase));
  const rise = f32x4.mul(f32x4.sub(vHead, vBase), f32x4.pmax(steeper, narrow(ONE)));
  const growth = f32x4.add(rise, f32x4.mul(narrow(DECAYED), vHead));
  const least = f32x4.pmax(growth, narrow(ZERO));
  const fresh = f32x4.mul(narrow(FRESH), f32x4.pmin(least, f32x4.mul(narrow(STEPS), vHead)));
  const both = rootOf(f32x4.mul(carried, fresh));
  const driven = f32x4.add(f32x4.add(carried, fresh), f32x4.add(both, both));
  const bound = f32x4.pmin(driven, f32x4.mul(narrow(CAP), vHead));
  const top = f32x4.mul(narrow(TOP), vHead);
  const middle = f32x4.mul(narrow(TWICE_SPARE), f32x4.sqrt(top));
  const divisor = f32x4.add(f32x4.add(top, middle), narrow(SPARE));
  const below = f32x4.mul(f32x4.mul(step, step), divisor);
  return v128.and(isProper(vBase, vHead, driven), isWithin(below, f32x4.mul(bound, factor)));
}

/**
 * The law of float32 words, whole eights, where there is no maximum; `first` is the first element's
 * index.
 */
export function boundedUpdateFloat32(
  count: u32,
  c: usize,
  record: usize,
  first: u32,
  wA: usize,
  wB: usize,
  mA: usize,
  vA: usize,
  vB: usize,
): void {
  beginJudging(record, count);
  placeNarrow(c);
  let factor = f32x4.splat(narrowFactor(c, record));
  for (let i: u32 = 0; i < count; i += 8) {
    const low = passesNarrow(factor, wA, wB, mA, vA, vB);
    const high = passesNarrow(factor, wA + 16, wB + 16, mA + 16, vA + 16, vB + 16);
    if (!bothPass(low, high)) {
      for (let at: u32 = 0; at < 8; at += 4) {
        const o = usize(at) << 2;
        const closely = passesClosely(factor, wA + o, wB + o, mA + o, vA + o, vB + o);
        if (i32x4.all_true(closely)) continue;
        const index = first + i + at;
        const p = o + 8;
        const one = judgeTwo(c, record, index, wA + o, wB + o, mA + o, vA + o, vB + o);
        const two = judgeTwo(c, record, index + 2, wA + p, wB + p, mA + p, vA + p, vB + p);
        if (one || two) factor = f32x4.splat(narrowFactor(c, record));
      }
    }
    wA += 32;
    wB += 32;
    mA += 32;
    vA += 32;
    vB += 32;
  }
}
