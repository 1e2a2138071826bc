// Elements as float64. Types of at most 16 bits are looked up in a table of their values that the
// host brings, so that there is one definition of them.
#pragma once
#include "portable.h"

/** How a stream is stored; src/engines/cuda/work.ts has the same list. */
enum Kind : u64 {
  MISSING = 0,
  F32 = 1,
  F64 = 2,
  I32 = 3,
  U32 = 4,
  I64 = 5,
  U64 = 6,
  CODE16 = 7,
  CODE8 = 8,
  CODE4 = 9,
  NO_NUMBER = 10,
};

struct Operand {
  const void *data;
  const double *table;
  u64 kind;
};

DEVICE u32 codeOf(u64 kind, const void *data, u64 i) {
  if (kind == CODE16) return ((const u16 *)data)[i];
  if (kind == CODE8) return ((const u8 *)data)[i];
  u32 pair = ((const u8 *)data)[i >> 1];
  return i & 1 ? pair >> 4 : pair & 15;
}

/** 64-bit integers are rounded to the nearest float64. */
DEVICE double valueOf(u64 kind, const void *data, const double *table, u64 i) {
  switch (kind) {
    case F32:
      return ((const float *)data)[i];
    case F64:
      return ((const double *)data)[i];
    case I32:
      return ((const int *)data)[i];
    case U32:
      return ((const u32 *)data)[i];
    case I64:
      return (double)((const i64 *)data)[i];
    case U64:
      return (double)((const u64 *)data)[i];
    case CODE16:
    case CODE8:
    case CODE4:
      return table[codeOf(kind, data, i)];
  }
  return NOT_A_NUMBER;
}

DEVICE double valueOf(const Operand &operand, u64 i) {
  return valueOf(operand.kind, operand.data, operand.table, i);
}

/** float32(after - before), from the exact values. */
DEVICE float deltaOf(const Operand &before, const Operand &after, u64 i) {
  return (float)(valueOf(after, i) - valueOf(before, i));
}

DEVICE bool isFinite(float x) { return (bitsOf(x) & 0x7f800000u) != 0x7f800000u; }

/** The two largest sizes of a part, with the index of the first of the largest; -1 for none. */
struct Sizes {
  double max1;
  double max2;
  u64 index;
};

DEVICE void takeSize(Sizes &sizes, double x, u64 index) {
  if (!(x > sizes.max2)) return;
  if (x > sizes.max1) {
    sizes.max2 = sizes.max1;
    sizes.max1 = x;
    sizes.index = index;
  } else {
    sizes.max2 = x;
  }
}

/** Joins two parts whose elements interleave. */
DEVICE void joinSizes(Sizes &into, const Sizes &part) {
  bool isFirst = part.max1 > into.max1 || (part.max1 == into.max1 && part.index < into.index);
  double lesser = isFirst ? into.max1 : part.max1;
  double second = isFirst ? part.max2 : into.max2;
  if (isFirst) {
    into.max1 = part.max1;
    into.index = part.index;
  }
  into.max2 = lesser > second ? lesser : second;
}
