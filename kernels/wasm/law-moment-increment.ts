// moment-increment; src/laws/moment-increment.ts defines it.
import { atLeastZero, ratioOf } from './ratio';

/**
 * Constants (f64): constant, finite, middle, half, inherited, firstDrift, secondDrift, cast.
 * Columns: m and v of the base, m and v of the head.
 */
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
  const constant = f64x2.splat(load<f64>(constants));
  const isBounded = load<f64>(constants, 8) != 0;
  const middle = f64x2.splat(load<f64>(constants, 16));
  const half = f64x2.splat(load<f64>(constants, 24));
  const inherited = f64x2.splat(load<f64>(constants, 32));
  const firstDrift = f64x2.splat(load<f64>(constants, 40));
  const secondDrift = f64x2.splat(load<f64>(constants, 48));
  const cast = f64x2.splat(load<f64>(constants, 56));
  const narrowed = f64x2.splat(1 - load<f64>(constants, 56));
  const widened = f64x2.splat(1 + load<f64>(constants, 56));
  const zero = f64x2.splat(0);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const mBase = v128.load(mA + at);
    const mHead = v128.load(mB + at);
    const gained = f64x2.sub(
      f64x2.add(f64x2.mul(v128.load(vB + at), widened), secondDrift),
      f64x2.mul(inherited, v128.load(vA + at)),
    );
    let left: v128;
    let right: v128;
    if (isBounded) {
      const size = f64x2.abs(mBase);
      const slack = f64x2.add(
        f64x2.add(f64x2.mul(half, size), firstDrift),
        f64x2.mul(cast, f64x2.add(f64x2.abs(mHead), f64x2.mul(middle, size))),
      );
      const distance = f64x2.abs(f64x2.sub(mHead, f64x2.mul(middle, mBase)));
      const moved = f64x2.mul(atLeastZero(f64x2.sub(distance, slack)), narrowed);
      left = v128.bitselect(f64x2.splat(Infinity), f64x2.mul(moved, moved), f64x2.lt(gained, zero));
      right = f64x2.mul(f64x2.mul(constant, gained), widened);
    } else {
      left = f64x2.neg(gained);
      right = zero;
    }
    v128.store(ratios + at, ratioOf(left, right, v128.load(skip + at), f64x2.splat(limit)));
  }
}
