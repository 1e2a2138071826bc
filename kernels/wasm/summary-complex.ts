// The summary of complex types: counts by element, and the sum of |z|².
import { f16BitsOf } from './half';
import {
  BLOCK,
  CHAINS,
  DENORMALS,
  PAGE_SQUARES,
  PAGE_SUM,
  SQUARE_CHAINS,
  ZEROS,
  ZERO_BLOCKS,
  bump,
} from './state';
import { endBlock, takeNonFinite } from './summary-scalar';

// @ts-ignore: decorator
@inline
function part<T extends number>(address: usize): f64 {
  if (sizeof<T>() == 2) return f64(reinterpret<f32>(f16BitsOf(u32(load<u16>(address)))));
  return f64(load<T>(address));
}

// @ts-ignore: decorator
@inline
function isSubnormal<T extends number>(x: f64): bool {
  const normal =
    sizeof<T>() == 2
      ? 6.103515625e-5
      : sizeof<T>() == 4
        ? 1.1754943508222875e-38
        : f64.MIN_NORMAL_VALUE;
  return x != 0 && abs(x) < normal;
}

/** NaN, or the infinity that stands for the element; anything finite where both parts are. */
// @ts-ignore: decorator
@inline
function specialOf(x: f64, y: f64): f64 {
  if (x != x || y != y) return NaN;
  if (x == Infinity || y == Infinity) return Infinity;
  return min(x, y);
}

// @ts-ignore: decorator
@inline
function summariseBlock<T extends number>(data: usize, count: u32, state: usize, first: u32): void {
  let zeros: u32 = 0;
  memory.fill(state + CHAINS, 0, 128);
  for (let i: u32 = 0; i < count; i++, data += 2 * sizeof<T>()) {
    const x = part<T>(data);
    const y = part<T>(data + sizeof<T>());
    if (!(abs(x) <= f64.MAX_VALUE && abs(y) <= f64.MAX_VALUE)) {
      takeNonFinite(state, specialOf(x, y), first + i);
      continue;
    }
    if (x == 0 && y == 0) zeros++;
    if (isSubnormal<T>(x) || isSubnormal<T>(y)) bump(state + DENORMALS, 1);
    const chain = state + (usize(i & 7) << 3);
    store<f64>(chain, load<f64>(chain, SQUARE_CHAINS) + (x * x + y * y), SQUARE_CHAINS);
  }
  bump(state + ZEROS, zeros);
  if (zeros == BLOCK) bump(state + ZERO_BLOCKS, 1);
  endBlock(state);
}

// @ts-ignore: decorator
@inline
function summarise<T extends number>(data: usize, count: u32, state: usize, first: u32): void {
  store<f64>(state, 0, PAGE_SUM);
  store<f64>(state, 0, PAGE_SQUARES);
  for (let at: u32 = 0; at < count; at += BLOCK) {
    summariseBlock<T>(
      data + usize(at) * 2 * sizeof<T>(),
      min(BLOCK, count - at),
      state,
      first + at,
    );
  }
}

export function summariseComplex32(data: usize, count: u32, state: usize, first: u32): void {
  summarise<u16>(data, count, state, first);
}

export function summariseComplex64(data: usize, count: u32, state: usize, first: u32): void {
  summarise<f32>(data, count, state, first);
}

export function summariseComplex128(data: usize, count: u32, state: usize, first: u32): void {
  summarise<f64>(data, count, state, first);
}
