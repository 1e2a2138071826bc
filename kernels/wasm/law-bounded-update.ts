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

/**
 * What v gained over pure decay, as a logarithm: its own loop, so that many elements are under way
 * at once.
 */
function growths(count: u32, c: usize, vA: usize, vB: usize, out: usize): void {
  const narrowed = f64x2.splat(1 - load<f64>(c, 9 << 3));
  const widened = f64x2.splat(1 + load<f64>(c, 9 << 3));
  const floor = constant(c, 7);
  const decayLog = constant(c, 4);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const vBase = f64x2.add(f64x2.mul(v128.load(vA + at), narrowed), floor);
    const vHead = f64x2.add(f64x2.mul(v128.load(vB + at), widened), floor);
    v128.store(out + at, f64x2.add(naturalLog(f64x2.div(vHead, vBase)), decayLog));
  }
}

/** Bounds of Σ|m̂|/(√v̂ + ε), `budget` of the law, in place of the growths. */
function budgets(
  count: u32,
  c: usize,
  mA: usize,
  vA: usize,
  vB: usize,
  xB: usize,
  out: usize,
): void {
  const narrowed = f64x2.splat(1 - load<f64>(c, 9 << 3));
  const widened = f64x2.splat(1 + load<f64>(c, 9 << 3));
  const floor = constant(c, 7);
  const steps = constant(c, 0);
  const hasMaximum = load<f64>(c, 18 << 3) == 1;
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const vBase = f64x2.add(f64x2.mul(v128.load(vA + at), narrowed), floor);
    const vHead = f64x2.add(f64x2.mul(v128.load(vB + at), widened), floor);
    // f64x2.pmin and pmax keep a NaN that stands first, as Math.min and Math.max do.
    const spent = atLeastZero(f64x2.pmin(v128.load(out + at), steps));
    const energy = f64x2.div(spent, constant(c, 5));
    const inherited = f64x2.div(
      f64x2.mul(constant(c, 2), f64x2.abs(f64x2.mul(v128.load(mA + at), widened))),
      f64x2.sqrt(vBase),
    );
    const driven = f64x2.add(
      inherited,
      f64x2.mul(constant(c, 3), f64x2.sqrt(f64x2.mul(steps, energy))),
    );
    const bound = lesser(driven, constant(c, 1));
    let top = f64x2.mul(vHead, constant(c, 6));
    if (hasMaximum) {
      const maximum = v128.load(xB + at);
      top = v128.bitselect(top, maximum, f64x2.le(maximum, top));
    }
    const reach = f64x2.sqrt(top);
    const share = f64x2.div(reach, f64x2.add(reach, constant(c, 8)));
    const shared = v128.bitselect(f64x2.mul(bound, share), bound, isFiniteSize(reach));
    v128.store(out + at, v128.bitselect(shared, f64x2.splat(Infinity), f64x2.eq(shared, shared)));
  }
}

/**
 * Constants (f64): steps, cap, inherited, fresh, decayLog, secondFresh, grown, floor, spare, cast,
 * weightCast, rate, middle, half, rounding, nearest, decayRounding, tiny, maximum. Columns: w of
 * base and head, m and v of the base, v and the maximum of v of the head.
 */
export function boundedUpdate(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  wA: usize,
  wB: usize,
  mA: usize,
  vA: usize,
  vB: usize,
  xB: usize,
): void {
  growths(count, c, vA, vB, ratios);
  budgets(count, c, mA, vA, vB, xB, ratios);
  const isNearest = load<f64>(c, 15 << 3) == 1;
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const wBase = v128.load(wA + at);
    const wHead = v128.load(wB + at);
    const left = f64x2.abs(f64x2.sub(wHead, f64x2.mul(wBase, constant(c, 12))));
    const move = f64x2.mul(constant(c, 11), v128.load(ratios + at));
    const size = f64x2.abs(wBase);
    let rounding = f64x2.mul(constant(c, 14), f64x2.add(size, move));
    if (isNearest) {
      const twice = f64x2.add(size, f64x2.mul(f64x2.splat(2), move));
      rounding = lesser(f64x2.add(move, f64x2.mul(constant(c, 16), twice)), rounding);
    }
    const cast = f64x2.mul(constant(c, 10), f64x2.add(f64x2.add(size, f64x2.abs(wHead)), move));
    let right = f64x2.add(move, f64x2.mul(size, constant(c, 13)));
    right = f64x2.add(f64x2.add(f64x2.add(right, rounding), constant(c, 17)), cast);
    right = v128.bitselect(right, f64x2.splat(Infinity), isFiniteSize(move));
    v128.store(ratios + at, ratioOf(left, right, v128.load(skip + at)));
  }
}
