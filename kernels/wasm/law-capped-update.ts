// capped-update; src/laws/capped-update.ts defines it.
import { constant, ratioOf } from './ratio';

/**
 * Constants (f64): move, middle, half, rounding, decayRounding, tiny, cast. Columns: w of base and
 * head.
 */
export function cappedUpdate(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  wA: usize,
  wB: usize,
): void {
  const move = constant(c, 0);
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const wBase = v128.load(wA + at);
    const wHead = v128.load(wB + at);
    const size = f64x2.abs(wBase);
    const grown = f64x2.mul(constant(c, 3), f64x2.add(size, move));
    const twice = f64x2.add(size, f64x2.mul(f64x2.splat(2), move));
    const doubled = f64x2.add(move, f64x2.mul(constant(c, 4), twice));
    let right = f64x2.add(move, f64x2.mul(size, constant(c, 2)));
    right = f64x2.add(right, v128.bitselect(doubled, grown, f64x2.lt(doubled, grown)));
    const cast = f64x2.mul(constant(c, 6), f64x2.add(f64x2.add(size, f64x2.abs(wHead)), move));
    right = f64x2.add(f64x2.add(right, constant(c, 5)), cast);
    const left = f64x2.abs(f64x2.sub(wHead, f64x2.mul(wBase, constant(c, 1))));
    v128.store(ratios + at, ratioOf(left, right, v128.load(skip + at), f64x2.splat(limit)));
  }
}
