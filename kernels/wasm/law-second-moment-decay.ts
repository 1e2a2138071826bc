// second-moment-decay; src/laws/second-moment-decay.ts defines it.
import { ratioOf } from './ratio';

/** Constants (f64): inherited, drift, widened. Columns: v of base and head. */
export function secondMomentDecay(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  vA: usize,
  vB: usize,
): void {
  const inherited = f64x2.splat(load<f64>(c));
  const drift = f64x2.splat(load<f64>(c, 8));
  const widened = f64x2.splat(load<f64>(c, 16));
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const left = f64x2.mul(inherited, v128.load(vA + at));
    const right = f64x2.add(f64x2.mul(v128.load(vB + at), widened), drift);
    v128.store(ratios + at, ratioOf(left, right, v128.load(skip + at), f64x2.splat(limit)));
  }
}
