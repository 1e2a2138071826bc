// replay-moments; src/laws/replay-moments.ts defines it.
import { constant, ratioOf } from './ratio';

/**
 * Constants (f64): beta1, fresh1, beta2, fresh2, headError, baseError, gradientError, underflow,
 * secondBase, secondHead, secondUnderflow, squareError. Columns: m and v of the base, m and v of
 * the head.
 */
export function replayMoments(
  count: u32,
  c: usize,
  skip: usize,
  ratios: usize,
  limit: f64,
  mA: usize,
  vA: usize,
  mB: usize,
  vB: usize,
): void {
  for (let at: usize = 0; at < usize(count) << 3; at += 16) {
    const mBase = v128.load(mA + at);
    const vBase = v128.load(vA + at);
    const mHead = v128.load(mB + at);
    const vHead = v128.load(vB + at);
    const gradient = f64x2.div(f64x2.sub(mHead, f64x2.mul(constant(c, 0), mBase)), constant(c, 1));
    const size = f64x2.abs(gradient);
    let error = f64x2.add(
      f64x2.mul(constant(c, 4), f64x2.abs(mHead)),
      f64x2.mul(constant(c, 5), f64x2.abs(mBase)),
    );
    error = f64x2.add(f64x2.add(error, constant(c, 7)), f64x2.mul(constant(c, 6), size));
    const square = f64x2.mul(f64x2.mul(constant(c, 3), gradient), gradient);
    const want = f64x2.add(f64x2.mul(constant(c, 2), vBase), square);
    const farthest = f64x2.add(size, error);
    let slack = f64x2.add(
      f64x2.mul(constant(c, 8), f64x2.abs(vBase)),
      f64x2.mul(constant(c, 9), f64x2.abs(vHead)),
    );
    slack = f64x2.add(slack, constant(c, 10));
    const twice = f64x2.mul(f64x2.mul(f64x2.splat(2), size), error);
    slack = f64x2.add(slack, f64x2.mul(constant(c, 3), f64x2.add(twice, f64x2.mul(error, error))));
    slack = f64x2.add(slack, f64x2.mul(f64x2.mul(constant(c, 11), farthest), farthest));
    const left = f64x2.abs(f64x2.sub(vHead, want));
    v128.store(ratios + at, ratioOf(left, slack, v128.load(skip + at), f64x2.splat(limit)));
  }
}
