// maximum-dominates; src/laws/maximum-dominates.ts defines it.
import { ratioOf } from './ratio';

/** Constants (f64): drift, grown. Columns: v of the head, maximum of base and head. */
export function maximumDominates(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  vB: usize,
  xA: usize,
  xB: usize,
): void {
  const drift = f64x2.splat(load<f64>(c));
  const grown = f64x2.splat(load<f64>(c, 8));
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const vHead = v128.load(vB + at);
    const xBase = v128.load(xA + at);
    const xHead = v128.load(xB + at);
    const top = f64x2.max(xBase, f64x2.mul(f64x2.add(vHead, drift), grown));
    const low = f64x2.max(vHead, xBase);
    const above = v128.bitselect(f64x2.sub(xHead, top), f64x2.splat(-Infinity), f64x2.eq(top, top));
    const left = f64x2.max(f64x2.sub(low, xHead), above);
    v128.store(ratios + at, ratioOf(left, f64x2.splat(0), v128.load(skip + at), f64x2.splat(limit)));
  }
}
