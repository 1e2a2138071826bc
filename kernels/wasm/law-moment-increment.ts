// moment-increment; src/laws/moment-increment.ts defines it.
import {
  atLeastZero,
  beginJudging,
  bothPass,
  isWithin,
  LARGEST_FACTOR,
  limitOf,
  promoted,
  ratioOf,
  roundingOf,
  sizeOf,
  skipOf,
  SPARED,
  takeRatios,
} from './ratio';

/**
 * Ratios of two elements. Constants (f64): constant, finite, middle, half, inherited, firstDrift,
 * secondDrift, cast.
 */
// @ts-ignore: decorator
@inline
function ratiosOf(
  constants: usize,
  mBase: v128,
  vBase: v128,
  mHead: v128,
  vHead: v128,
  skip: v128,
  limit: v128,
): v128 {
  const zero = f64x2.splat(0);
  const widened = f64x2.splat(1 + load<f64>(constants, 56));
  const secondDrift = f64x2.splat(load<f64>(constants, 48));
  const gained = f64x2.sub(
    f64x2.add(f64x2.mul(vHead, widened), secondDrift),
    f64x2.mul(f64x2.splat(load<f64>(constants, 32)), vBase),
  );
  let left: v128;
  let right: v128;
  if (load<f64>(constants, 8) != 0) {
    const middle = f64x2.splat(load<f64>(constants, 16));
    const half = f64x2.splat(load<f64>(constants, 24));
    const firstDrift = f64x2.splat(load<f64>(constants, 40));
    const cast = f64x2.splat(load<f64>(constants, 56));
    const narrowed = f64x2.splat(1 - load<f64>(constants, 56));
    const size = f64x2.abs(mBase);
    const slack = f64x2.add(
      f64x2.add(f64x2.mul(half, size), firstDrift),
      f64x2.mul(cast, f64x2.add(f64x2.abs(mHead), f64x2.mul(middle, size))),
    );
    const distance = f64x2.abs(f64x2.sub(mHead, f64x2.mul(middle, mBase)));
    const moved = f64x2.mul(atLeastZero(f64x2.sub(distance, slack)), narrowed);
    left = v128.bitselect(f64x2.splat(Infinity), f64x2.mul(moved, moved), f64x2.lt(gained, zero));
    right = f64x2.mul(f64x2.mul(f64x2.splat(load<f64>(constants)), gained), widened);
  } else {
    left = f64x2.neg(gained);
    right = zero;
  }
  return ratioOf(left, right, skip, limit);
}

/** Columns: m and v of the base, m and v of the head. */
export function momentIncrement(
  count: u32,
  constants: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  mA: usize,
  vA: usize,
  mB: usize,
  vB: usize,
): void {
  const most = f64x2.splat(limit);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const found = ratiosOf(
      constants,
      v128.load(mA + at),
      v128.load(vA + at),
      v128.load(mB + at),
      v128.load(vB + at),
      v128.load(skip + at),
      most,
    );
    v128.store(ratios + at, found);
  }
}

function judgeTwo(
  constants: usize,
  record: usize,
  index: u32,
  mA: usize,
  vA: usize,
  mB: usize,
  vB: usize,
): bool {
  const mBase = promoted(mA);
  const vBase = promoted(vA);
  const mHead = promoted(mB);
  const vHead = promoted(vB);
  const skip = f64x2.add(
    f64x2.add(skipOf(mBase), skipOf(vBase)),
    f64x2.add(skipOf(mHead), skipOf(vHead)),
  );
  const limit = f64x2.splat(limitOf(record));
  const ratios = ratiosOf(constants, mBase, vBase, mHead, vHead, skip, limit);
  return takeRatios(record, ratios, index);
}

/**
 * What (m_B − middle · m_A)² is compared with, for each increment of v; 0, which passes nothing,
 * where a constant is out of order.
 */
function screenFactor(constants: usize, record: usize): f32 {
  for (let at: usize = 16; at < 56; at += 8) if (!(load<f64>(constants + at) >= 0)) return 0;
  const isOrdered = load<f64>(constants, 8) != 0 && load<f64>(constants, 56) == 0;
  if (!isOrdered || load<f64>(constants, 16) > 1 || load<f64>(constants, 32) > 1) return 0;
  const factor = limitOf(record) * load<f64>(constants) * SPARED;
  return factor <= LARGEST_FACTOR ? f32(factor) : 0;
}

// @ts-ignore: decorator
@inline
function passes(
  factor: v128,
  middle: v128,
  inherited: v128,
  mBase: v128,
  vBase: v128,
  mHead: v128,
  vHead: v128,
): v128 {
  const old = f32x4.mul(middle, mBase);
  const distance = f32x4.add(sizeOf(f32x4.sub(mHead, old)), roundingOf(mHead, old));
  const kept = f32x4.mul(inherited, vBase);
  const gained = f32x4.sub(f32x4.sub(vHead, kept), roundingOf(vHead, kept));
  return isWithin(f32x4.mul(distance, distance), f32x4.mul(factor, gained));
}

/** The same of float32 words, whole eights; `first` is the first element's index. */
export function momentIncrementFloat32(
  count: u32,
  constants: usize,
  record: usize,
  first: u32,
  mA: usize,
  vA: usize,
  mB: usize,
  vB: usize,
): void {
  beginJudging(record, count);
  let factor = f32x4.splat(screenFactor(constants, record));
  const middle = f32x4.splat(f32(load<f64>(constants, 16)));
  const inherited = f32x4.splat(f32(load<f64>(constants, 32)));
  for (let i: u32 = 0; i < count; i += 8, mA += 32, vA += 32, mB += 32, vB += 32) {
    const low = passes(
      factor,
      middle,
      inherited,
      v128.load(mA),
      v128.load(vA),
      v128.load(mB),
      v128.load(vB),
    );
    const high = passes(
      factor,
      middle,
      inherited,
      v128.load(mA, 16),
      v128.load(vA, 16),
      v128.load(mB, 16),
      v128.load(vB, 16),
    );
    if (bothPass(low, high)) continue;
    let changed = false;
    for (let at: u32 = 0; at < 8; at += 2) {
      const o = usize(at) << 2;
      const index = first + i + at;
      changed = judgeTwo(constants, record, index, mA + o, vA + o, mB + o, vB + o) || changed;
    }
    if (changed) factor = f32x4.splat(screenFactor(constants, record));
  }
}
