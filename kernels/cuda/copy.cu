// The copy pass: equal bits, or a float32 rounded to 16 bits.
#include "portable.h"

struct CopyArgs {
  const void *left;
  const void *right;
  u64 count;
  /** An element is zero where no bit of these two is set in it. */
  u64 maskLow;
  u64 maskHigh;
  /** Zero before the chunk: different, largest complement of the first one's index, zeros. */
  u32 *totals;
};

#define COMPARED 4096u

struct Wide {
  u64 low;
  u64 high;
};

/** What one pair of elements is. */
struct Pair {
  bool same;
  /** The right one is zero. */
  bool zero;
};

DEVICE void takePair(const Pair &pair, u32 index, u32 *totals) {
  if (pair.zero) addTo(totals + 2, 1);
  if (pair.same) return;
  addTo(totals, 1);
  raise(totals + 1, ~index);
}

DEVICE void leave(const u32 *totals, u32 *out) {
  addTo(out, totals[0]);
  raise(out + 1, totals[1]);
  addTo(out + 2, totals[2]);
}

/** Counts what `Reader` says of every pair. */
template <typename Reader>
DEVICE void compare(const CopyArgs &a) {
  SHARED u32 totals[3];
  STEP {
    if (thread < 3) totals[thread] = 0;
  }
  WAIT
  STEP {
    u64 first = (u64)group() * COMPARED;
    ROLLED
    for (u32 at = thread; at < COMPARED; at += GROUP) {
      u64 i = first + at;
      if (i >= a.count) break;
      takePair(Reader::pair(a, i), (u32)i, totals);
    }
  }
  WAIT
  STEP {
    if (thread == 0) leave(totals, a.totals);
  }
}

template <typename T>
struct Equal {
  METHOD Pair pair(const CopyArgs &a, u64 i) {
    T found = ((const T *)a.right)[i];
    return {((const T *)a.left)[i] == found, (found & (T)a.maskLow) == 0};
  }
};

/** Elements of 128 bits. */
struct EqualWide {
  METHOD Pair pair(const CopyArgs &a, u64 i) {
    Wide wanted = ((const Wide *)a.left)[i];
    Wide found = ((const Wide *)a.right)[i];
    bool zero = (found.low & a.maskLow) == 0 && (found.high & a.maskHigh) == 0;
    return {wanted.low == found.low && wanted.high == found.high, zero};
  }
};

/** Two elements a byte; `count` counts elements, which may end in the middle of one. */
struct EqualNibbles {
  METHOD Pair pair(const CopyArgs &a, u64 i) {
    u32 shift = i & 1 ? 4 : 0;
    u32 wanted = (((const u8 *)a.left)[i >> 1] >> shift) & 15;
    u32 found = (((const u8 *)a.right)[i >> 1] >> shift) & 15;
    return {wanted == found, (found & (u32)a.maskLow) == 0};
  }
};

KERNEL compare4(CopyArgs a) { compare<EqualNibbles>(a); }
KERNEL compare8(CopyArgs a) { compare<Equal<u8>>(a); }
KERNEL compare16(CopyArgs a) { compare<Equal<u16>>(a); }
KERNEL compare32(CopyArgs a) { compare<Equal<u32>>(a); }
KERNEL compare64(CopyArgs a) { compare<Equal<u64>>(a); }
KERNEL compare128(CopyArgs a) { compare<EqualWide>(a); }

/** bf16 bits, ties to even; NaN keeps sign and high payload and becomes quiet. */
DEVICE u32 roundedBf16(u32 bits) {
  if ((bits & 0x7fffffffu) > 0x7f800000u) return (bits >> 16) | 0x40;
  return (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
}

/** f16 bits, ties to even; src/engines/rounded-bits.ts says what becomes of NaN. */
DEVICE u32 roundedF16(u32 bits) {
  u32 sign = (bits >> 16) & 0x8000;
  u32 magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000u) {
    u32 payload = (magnitude & 0x7fffff) >> 13;
    return sign | 0x7c00 | (payload > 1 ? payload : 1);
  }
  if (magnitude >= 0x477ff000u) return sign | 0x7c00;
  if (magnitude >= 0x38800000u) {
    u32 rebiased = magnitude - 0x38000000u;
    return sign | ((rebiased + 0xfff + ((rebiased >> 13) & 1)) >> 13);
  }
  if (magnitude <= 0x33000000u) return sign;
  u32 shift = 126 - (magnitude >> 23);
  u32 mantissa = (magnitude & 0x7fffff) | 0x800000;
  u32 whole = mantissa >> shift;
  u32 rest = mantissa & ((1u << shift) - 1);
  u32 half = 1u << (shift - 1);
  return sign | (rest > half || (rest == half && (whole & 1)) ? whole + 1 : whole);
}

template <bool isBrain>
struct Rounded {
  METHOD Pair pair(const CopyArgs &a, u64 i) {
    u32 bits = ((const u32 *)a.left)[i];
    u32 wanted = isBrain ? roundedBf16(bits) : roundedF16(bits);
    u32 found = ((const u16 *)a.right)[i];
    return {wanted == found, (found & 0x7fff) == 0};
  }
};

KERNEL compareBfloat16(CopyArgs a) { compare<Rounded<true>>(a); }
KERNEL compareFloat16(CopyArgs a) { compare<Rounded<false>>(a); }
