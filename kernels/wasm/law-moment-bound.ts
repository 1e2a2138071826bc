// moment-bound; src/laws/moment-bound.ts defines it.
import {
  atLeastZero,
  beginJudging,
  bothPass,
  isWithin,
  LARGEST_FACTOR,
  limitOf,
  promoted,
  ratioOf,
  skipOf,
  SPARED,
  takeRatios,
} from './ratio';

/**
 * Ratios of two elements. Constants (f64): constant, finite, firstDrift, secondDrift, cast.
 */
// @ts-ignore: decorator
@inline
function ratiosOf(constants: usize, m: v128, v: v128, skip: v128, limit: v128): v128 {
  const zero = f64x2.splat(0);
  let left: v128;
  let right: v128;
  if (load<f64>(constants, 8) != 0) {
    const narrowed = f64x2.splat(1 - load<f64>(constants, 32));
    const widened = f64x2.splat(1 + load<f64>(constants, 32));
    const firstDrift = f64x2.splat(load<f64>(constants, 16));
    const secondDrift = f64x2.splat(load<f64>(constants, 24));
    const size = atLeastZero(f64x2.sub(f64x2.mul(f64x2.abs(m), narrowed), firstDrift));
    left = v128.bitselect(f64x2.splat(Infinity), f64x2.mul(size, size), f64x2.lt(v, zero));
    const bound = f64x2.add(f64x2.mul(v, widened), secondDrift);
    right = f64x2.mul(f64x2.splat(load<f64>(constants)), bound);
  } else {
    left = f64x2.neg(v);
    right = zero;
  }
  return ratioOf(left, right, skip, limit);
}

/** Columns: m, v. */
export function momentBound(
  count: u32,
  constants: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  ms: usize,
  vs: usize,
): void {
  const most = f64x2.splat(limit);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const m = v128.load(ms + at);
    const v = v128.load(vs + at);
    v128.store(ratios + at, ratiosOf(constants, m, v, v128.load(skip + at), most));
  }
}

function judgeTwo(constants: usize, record: usize, index: u32, ms: usize, vs: usize): bool {
  const m = promoted(ms);
  const v = promoted(vs);
  const skip = f64x2.add(skipOf(m), skipOf(v));
  const ratios = ratiosOf(constants, m, v, skip, f64x2.splat(limitOf(record)));
  return takeRatios(record, ratios, index);
}

/** What m² is compared with, for each v: m² ≤ limit · constant · v is enough. */
function screenFactor(constants: usize, record: usize): f32 {
  const isOrdered = load<f64>(constants, 8) != 0 && load<f64>(constants, 32) >= 0;
  const factor = limitOf(record) * load<f64>(constants) * SPARED;
  return isOrdered && factor <= LARGEST_FACTOR ? f32(factor) : 0;
}

// @ts-ignore: decorator
@inline
function passes(factor: v128, ms: usize, vs: usize): v128 {
  const m = v128.load(ms);
  return isWithin(f32x4.mul(m, m), f32x4.mul(factor, v128.load(vs)));
}

/** The same of float32 words, whole eights; `first` is the first element's index. */
export function momentBoundFloat32(
  count: u32,
  constants: usize,
  record: usize,
  first: u32,
  ms: usize,
  vs: usize,
): void {
  beginJudging(record, count);
  let factor = f32x4.splat(screenFactor(constants, record));
  for (let i: u32 = 0; i < count; i += 8, ms += 32, vs += 32) {
    if (bothPass(passes(factor, ms, vs), passes(factor, ms + 16, vs + 16))) continue;
    let changed = false;
    for (let at: u32 = 0; at < 8; at += 2) {
      const byte = usize(at) << 2;
      changed = judgeTwo(constants, record, first + i + at, ms + byte, vs + byte) || changed;
    }
    if (changed) factor = f32x4.splat(screenFactor(constants, record));
  }
}
