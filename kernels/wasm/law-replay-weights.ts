// replay-weights; src/laws/replay-weights.ts defines it.
import { constant, ratioOf } from './ratio';

/**
 * Constants (f64): rate, firstCorrection, secondCorrection, eps, kept, stepError, baseError,
 * headError, underflow, maximum. Columns: w of base and head, m, v and the maximum of v of the
 * head.
 */
export function replayWeights(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  wA: usize,
  wB: usize,
  mB: usize,
  vB: usize,
  xB: usize,
): void {
  const second = load<f64>(c, 72) == 1 ? xB : vB;
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const wBase = v128.load(wA + at);
    const wHead = v128.load(wB + at);
    const root = f64x2.div(f64x2.sqrt(v128.load(second + at)), constant(c, 2));
    const unit = f64x2.div(
      f64x2.div(v128.load(mB + at), constant(c, 1)),
      f64x2.add(root, constant(c, 3)),
    );
    const step = f64x2.mul(constant(c, 0), unit);
    let slack = f64x2.add(
      f64x2.mul(constant(c, 5), f64x2.abs(step)),
      f64x2.mul(constant(c, 6), f64x2.abs(wBase)),
    );
    slack = f64x2.add(
      f64x2.add(slack, f64x2.mul(constant(c, 7), f64x2.abs(wHead))),
      constant(c, 8),
    );
    const want = f64x2.sub(f64x2.mul(wBase, constant(c, 4)), step);
    const left = f64x2.abs(f64x2.sub(wHead, want));
    v128.store(ratios + at, ratioOf(left, slack, v128.load(skip + at), f64x2.splat(limit)));
  }
}
