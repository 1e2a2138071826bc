// The summary of types of at most 8 bits: how often each code occurs in each of the 32 lanes.
import { BLOCK, bump } from './state';

const TABLE: usize = 1024;

/** Counts codes from a chunk's start into 32 tables of 256 u32, one for each flat index mod 32. */
export function countBytes(data: usize, count: u32, counters: usize): void {
  let i: u32 = 0;
  for (; i + 8 <= count; i += 8) {
    const codes = load<u64>(data + i);
    const table = counters + usize(i & 31) * TABLE;
    bump(table + (usize(codes & 255) << 2), 1);
    bump(table + TABLE + (usize((codes >> 8) & 255) << 2), 1);
    bump(table + 2 * TABLE + (usize((codes >> 16) & 255) << 2), 1);
    bump(table + 3 * TABLE + (usize((codes >> 24) & 255) << 2), 1);
    bump(table + 4 * TABLE + (usize((codes >> 32) & 255) << 2), 1);
    bump(table + 5 * TABLE + (usize((codes >> 40) & 255) << 2), 1);
    bump(table + 6 * TABLE + (usize((codes >> 48) & 255) << 2), 1);
    bump(table + 7 * TABLE + (usize(codes >> 56) << 2), 1);
  }
  for (; i < count; i++)
    bump(counters + usize(i & 31) * TABLE + (usize(load<u8>(data + i)) << 2), 1);
}

/** Adds the 32 tables up into `totals`, 256 u32. */
export function addTables(counters: usize, totals: usize): void {
  for (let column: usize = 0; column < TABLE; column += 16) {
    let sum = i32x4.splat(0);
    for (let table: usize = 0; table < 32 * TABLE; table += TABLE) {
      sum = i32x4.add(sum, v128.load(counters + table + column));
    }
    v128.store(totals + column, sum);
  }
}

/** Whole blocks in which every byte is 0 under `mask`. */
export function zeroBlocks(data: usize, count: u32, mask: u32): u32 {
  let found: u32 = 0;
  for (; count >= BLOCK; count -= BLOCK, data += BLOCK) {
    let any = i8x16.splat(0);
    for (let at = data; at < data + BLOCK; at += 16) any = v128.or(any, v128.load(at));
    if (!v128.any_true(v128.and(any, i8x16.splat(i8(mask))))) found++;
  }
  return found;
}

/** Two codes a byte, the first in the low half, as a byte each; `count` is rounded up to 2. */
export function unpackNibbles(data: usize, count: u32, out: usize): void {
  for (let i: u32 = 0; i < count; i += 2, data += 1, out += 2) {
    const pair = load<u8>(data);
    store<u8>(out, pair & 15);
    store<u8>(out, pair >> 4, 1);
  }
}
