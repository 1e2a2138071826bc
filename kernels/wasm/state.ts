// Where the summary of one stream lies in memory; src/engines/wasm/layout.ts has the same list.
// The host fills a fresh state before each chunk, but for `max1` and `max2`, which go on.

/** f64: sum and sum of squares of the page of this call. */
export const PAGE_SUM: usize = 0;
export const PAGE_SQUARES: usize = 8;
/** f64: largest and second largest |x| so far, -1 for none. */
export const MAX1: usize = 16;
export const MAX2: usize = 24;
/** f64: smallest and largest finite value of this chunk, +Infinity and -Infinity for none. */
export const LEAST: usize = 32;
export const MOST: usize = 40;
/** The same for 64-bit integers, exact. */
export const LEAST_INTEGER: usize = 48;
export const MOST_INTEGER: usize = 56;
/** i32: element of this chunk that became MAX1, or -1. */
export const MAX1_INDEX: usize = 64;
/** i32: first element of this chunk that is not finite, or -1. */
export const FIRST_NON_FINITE: usize = 68;
/** u32 counts. */
export const NAN: usize = 72;
export const POSITIVE_INFINITY: usize = 76;
export const NEGATIVE_INFINITY: usize = 80;
export const ZEROS: usize = 84;
export const DENORMALS: usize = 88;
export const ZERO_BLOCKS: usize = 92;
/** u32 × 32 each, by flat index mod 32. */
export const LANE_OR: usize = 128;
export const LANE_AND: usize = 256;
export const LANE_COUNT: usize = 384;
/** f64 × 8 each: the chains of the block at hand. */
export const CHAINS: usize = 512;
export const SQUARE_CHAINS: usize = 576;
/** u32 × 32 each: OR and AND of the block at hand. */
export const BLOCK_OR: usize = 640;
export const BLOCK_AND: usize = 768;
/**
 * u32 × 256 × 4: four tables that the host adds up, so that equal neighbours do not wait for each
 * other.
 */
export const OCTAVES: usize = 1024;

export const BLOCK: u32 = 1024;

// @ts-ignore: decorator
@inline
export function bump(address: usize, by: u32): void {
  store<u32>(address, load<u32>(address) + by);
}

/** ((c0+c1)+(c2+c3))+((c4+c5)+(c6+c7)) of the eight f64 at `address`. */
export function combine(address: usize): f64 {
  const a =
    load<f64>(address) + load<f64>(address, 8) + (load<f64>(address, 16) + load<f64>(address, 24));
  const b =
    load<f64>(address, 32) +
    load<f64>(address, 40) +
    (load<f64>(address, 48) + load<f64>(address, 56));
  return a + b;
}

// @ts-ignore: decorator
@inline
export function storeChains(address: usize, a: v128, b: v128, c: v128, d: v128): void {
  v128.store(address, a);
  v128.store(address, b, 16);
  v128.store(address, c, 32);
  v128.store(address, d, 48);
}

/** `combine` of eight chains that are still in registers; `address` is room for them. */
// @ts-ignore: decorator
@inline
export function combineChains(address: usize, a: v128, b: v128, c: v128, d: v128): f64 {
  storeChains(address, a, b, c, d);
  return combine(address);
}

/** Takes |x| of element `index` into the two largest. */
// @ts-ignore: decorator
@inline
export function takeSize(state: usize, size: f64, index: u32): void {
  if (size > load<f64>(state, MAX2)) {
    if (size > load<f64>(state, MAX1)) {
      store<f64>(state, load<f64>(state, MAX1), MAX2);
      store<f64>(state, size, MAX1);
      store<i32>(state, index, MAX1_INDEX);
    } else {
      store<f64>(state, size, MAX2);
    }
  }
}
