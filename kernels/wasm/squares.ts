// The second sweep: Σ(x · scale − centre)² over the finite elements of one page.
import { BLOCK, CHAINS, PAGE_SQUARES, PAGE_SUM, SQUARE_CHAINS } from './state';
import { endBlock } from './summary-scalar';

// @ts-ignore: decorator
@inline
function squares<T extends number>(
  data: usize,
  count: u32,
  state: usize,
  scale: f64,
  centre: f64,
): void {
  store<f64>(state, 0, PAGE_SUM);
  store<f64>(state, 0, PAGE_SQUARES);
  for (let at: u32 = 0; at < count; at += BLOCK) {
    memory.fill(state + CHAINS, 0, 128);
    for (let i: u32 = 0; i < min(BLOCK, count - at); i++, data += sizeof<T>()) {
      const x = f64(load<T>(data));
      if (!(abs(x) <= f64.MAX_VALUE)) continue;
      const distance = x * scale - centre;
      const chain = state + (usize(i & 7) << 3);
      store<f64>(chain, load<f64>(chain, SQUARE_CHAINS) + distance * distance, SQUARE_CHAINS);
    }
    endBlock(state);
  }
}

export function squaresFloat32(
  data: usize,
  count: u32,
  state: usize,
  scale: f64,
  centre: f64,
): void {
  squares<f32>(data, count, state, scale, centre);
}

export function squaresFloat64(
  data: usize,
  count: u32,
  state: usize,
  scale: f64,
  centre: f64,
): void {
  squares<f64>(data, count, state, scale, centre);
}

export function squaresInt32(data: usize, count: u32, state: usize, scale: f64, centre: f64): void {
  squares<i32>(data, count, state, scale, centre);
}

export function squaresUint32(
  data: usize,
  count: u32,
  state: usize,
  scale: f64,
  centre: f64,
): void {
  squares<u32>(data, count, state, scale, centre);
}

export function squaresInt64(data: usize, count: u32, state: usize, scale: f64, centre: f64): void {
  squares<i64>(data, count, state, scale, centre);
}

export function squaresUint64(
  data: usize,
  count: u32,
  state: usize,
  scale: f64,
  centre: f64,
): void {
  squares<u64>(data, count, state, scale, centre);
}
