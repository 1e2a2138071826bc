// The digest table; src/records/digest.ts defines it. Sixteen threads follow the chains of one page.
#include "portable.h"

struct DigestArgs {
  const u8 *data;
  u64 bytes;
  u32 *out;
};

#define PAGE 4096u
#define LINE 64u
#define LANES 16u

/** The little-endian word at `at`; bytes past the end are 0. */
DEVICE u32 wordAt(const DigestArgs &a, u64 at) {
  if (at + 4 <= a.bytes) return *(const u32 *)(a.data + at);
  u32 word = 0;
  ROLLED
  for (u32 i = 0; at + i < a.bytes; i++) word |= (u32)a.data[at + i] << (8 * i);
  return word;
}

DEVICE void fold(const u32 *chains, u32 length, u32 *out) {
  u32 low = length ^ 0x243f6a88u;
  u32 high = 0x85a308d3u;
  bool uniform = true;
  ROLLED
  for (u32 lane = 0; lane < LANES; lane++) {
    low = (low ^ chains[lane]) * 0xc2b2ae35u;
    low ^= low >> 16;
    high = (high ^ chains[lane]) * 0x27d4eb2fu;
    high ^= high >> 13;
    if (chains[lane] != chains[lane % 4]) uniform = false;
  }
  out[0] = low;
  out[1] = (high & ~1u) | (uniform ? 1 : 0);
}

KERNEL digest(DigestArgs a) {
  SHARED u32 chains[GROUP];
  STEP {
    u64 first = ((u64)group() * (GROUP / LANES) + thread / LANES) * PAGE;
    u32 chain = 0x9e3779b9u;
    ROLLED
    for (u32 at = 0; at < PAGE && first + at < a.bytes; at += LINE) {
      u32 mixed = (chain ^ wordAt(a, first + at + 4 * (thread % LANES))) * 0x85ebca6bu;
      chain = mixed ^ (mixed >> 15);
    }
    chains[thread] = chain;
  }
  WAIT
  STEP {
    u64 page = (u64)group() * (GROUP / LANES) + thread / LANES;
    if (thread % LANES == 0 && page * PAGE < a.bytes) {
      u64 left = a.bytes - page * PAGE;
      fold(chains + thread, (u32)(left < PAGE ? left : PAGE), a.out + 2 * page);
    }
  }
}
