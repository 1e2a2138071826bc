// moment-bound; src/laws/moment-bound.ts defines it.
import { atLeastZero, ratioOf } from './ratio';

/** Constants (f64): constant, finite, firstDrift, secondDrift, cast. Columns: m, v. */
export function momentBound(
  count: u32,
  constants: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  ms: usize,
  vs: usize,
): void {
  const constant = f64x2.splat(load<f64>(constants));
  const isBounded = load<f64>(constants, 8) != 0;
  const firstDrift = f64x2.splat(load<f64>(constants, 16));
  const secondDrift = f64x2.splat(load<f64>(constants, 24));
  const narrowed = f64x2.splat(1 - load<f64>(constants, 32));
  const widened = f64x2.splat(1 + load<f64>(constants, 32));
  const zero = f64x2.splat(0);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const m = v128.load(ms + at);
    const v = v128.load(vs + at);
    let left: v128;
    let right: v128;
    if (isBounded) {
      const size = atLeastZero(f64x2.sub(f64x2.mul(f64x2.abs(m), narrowed), firstDrift));
      left = v128.bitselect(f64x2.splat(Infinity), f64x2.mul(size, size), f64x2.lt(v, zero));
      right = f64x2.mul(constant, f64x2.add(f64x2.mul(v, widened), secondDrift));
    } else {
      left = f64x2.neg(v);
      right = zero;
    }
    v128.store(ratios + at, ratioOf(left, right, v128.load(skip + at), f64x2.splat(limit)));
  }
}
