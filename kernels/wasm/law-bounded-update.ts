// bounded-update; src/laws/bounded-update.ts defines it.
import { naturalLog } from './natural-log';
import { atLeastZero, constant, ratioOf } from './ratio';

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
