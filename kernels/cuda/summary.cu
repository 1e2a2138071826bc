// The summary of one chunk of any real or complex type; src/engines/cuda/summary-pass.ts joins chunks.
#include "values.h"

/** What one block of 1,024 elements says; all fields are 8 bytes. */
struct BlockRecord {
  double sum;
  double squares;
  double least;
  double most;
  Sizes sizes;
  u64 leastInteger;
  u64 mostInteger;
};

/** Totals of a chunk, zero before it: counters, and what an OR or a maximum can hold. */
enum Total {
  NAN_COUNT = 0,
  POSITIVE = 1,
  NEGATIVE = 2,
  ZEROS = 3,
  DENORMALS = 4,
  ZERO_BLOCKS = 5,
  /** The largest complement of an index: of the first element that is not finite. */
  FIRST = 6,
  LANE_OR = 32,
  /** OR of the complements. */
  LANE_AND = 64,
  LANE_COUNT = 96,
  OCTAVES = 128,
  TOTALS = 384,
};

struct SummaryArgs {
  const void *data;
  u64 count;
  const double *table;
  double smallestNormal;
  u64 octaveStride;
  BlockRecord *blocks;
  u32 *totals;
};

struct Part {
  BlockRecord record;
  u32 zeros;
};

DEVICE void beginPart(Part &part) {
  part.record.sum = 0;
  part.record.squares = 0;
  part.record.least = INFINITE;
  part.record.most = -INFINITE;
  part.record.sizes.max1 = -1;
  part.record.sizes.max2 = -1;
  part.record.sizes.index = 0;
  part.record.leastInteger = 0;
  part.record.mostInteger = 0;
  part.zeros = 0;
}

DEVICE void takeNonFinite(u32 *totals, double x, u32 index) {
  addTo(totals + (isNaN(x) ? NAN_COUNT : x > 0 ? POSITIVE : NEGATIVE), 1);
  raise(totals + FIRST, ~index);
}

/** Orders signed and unsigned integers alike: as unsigned after the sign was flipped. */
template <Kind kind>
DEVICE u64 orderOf(const void *data, u64 i) {
  u64 bits = ((const u64 *)data)[i];
  return kind == I64 ? bits ^ 0x8000000000000000ull : bits;
}

template <Kind kind>
DEVICE void takeInteger(BlockRecord &record, const void *data, u64 i, bool isFirst) {
  u64 order = orderOf<kind>(data, i);
  if (isFirst || order < record.leastInteger) record.leastInteger = order;
  if (isFirst || order > record.mostInteger) record.mostInteger = order;
}

/** Bits and count of the lanes that one chain visits. */
struct Lanes {
  u32 ors[4];
  u32 ands[4];
  u32 counts[4];
};

template <Kind kind>
DEVICE void takeElement(const SummaryArgs &a, u64 i, u32 lane, bool octaves, Part &part, Lanes &lanes,
                        u32 *totals) {
  double x = valueOf(kind, a.data, a.table, i);
  if (!isFinite(x)) {
    takeNonFinite(totals, x, (u32)i);
    return;
  }
  BlockRecord &record = part.record;
  bool isFirst = record.sizes.max1 < 0;
  if (kind == I64 || kind == U64) takeInteger<kind>(record, a.data, i, isFirst);
  record.sum += x;
  record.squares += x * x;
  if (x < record.least) record.least = x;
  if (x > record.most) record.most = x;
  double absolute = size(x);
  takeSize(record.sizes, absolute, i);
  u32 bits = bitsOf((float)x);
  if (octaves) addTo(totals + OCTAVES + ((bits >> 23) & 255), 1);
  if (x == 0) {
    part.zeros++;
    return;
  }
  if (absolute < a.smallestNormal) addTo(totals + DENORMALS, 1);
  lanes.ors[lane] |= bits;
  lanes.ands[lane] |= ~bits;
  lanes.counts[lane]++;
}

template <Kind kind>
DEVICE void takeChain(const SummaryArgs &a, u64 block, u32 chain, Part &part, u32 *totals) {
  Lanes lanes = {};
  u64 first = block * BLOCK;
  bool octaves = block % a.octaveStride == 0;
  ROLLED
  for (u32 row = 0; row < BLOCK / CHAINS; row += 4) {
    UNROLLED
    for (u32 lane = 0; lane < 4; lane++) {
      u64 i = first + (row + lane) * CHAINS + chain;
      if (i < a.count) takeElement<kind>(a, i, lane, octaves, part, lanes, totals);
    }
  }
  UNROLLED
  for (u32 lane = 0; lane < 4; lane++) {
    u32 *at = totals + lane * CHAINS + chain;
    orInto(at + LANE_OR, lanes.ors[lane]);
    orInto(at + LANE_AND, lanes.ands[lane]);
    addTo(at + LANE_COUNT, lanes.counts[lane]);
  }
}

/** Joins the chains of one block. */
DEVICE void endBlock(const Part *parts, BlockRecord &record, u32 *totals) {
  double sums[CHAINS];
  double squares[CHAINS];
  record = parts[0].record;
  u32 zeros = 0;
  ROLLED
  for (u32 c = 0; c < CHAINS; c++) {
    const BlockRecord &part = parts[c].record;
    sums[c] = part.sum;
    squares[c] = part.squares;
    zeros += parts[c].zeros;
    if (c == 0 || part.sizes.max1 < 0) continue;
    bool isFirst = record.sizes.max1 < 0;
    if (part.least < record.least) record.least = part.least;
    if (part.most > record.most) record.most = part.most;
    if (isFirst || part.leastInteger < record.leastInteger) record.leastInteger = part.leastInteger;
    if (isFirst || part.mostInteger > record.mostInteger) record.mostInteger = part.mostInteger;
    joinSizes(record.sizes, part.sizes);
  }
  record.sum = combine(sums);
  record.squares = combine(squares);
  addTo(totals + ZEROS, zeros);
  if (zeros == BLOCK) addTo(totals + ZERO_BLOCKS, 1);
}

/** One group takes 32 blocks, a thread one chain of one of them. */
template <Kind kind>
DEVICE void summarise(const SummaryArgs &a) {
  SHARED u32 totals[TOTALS];
  SHARED Part parts[GROUP];
  STEP {
    ROLLED
    for (u32 i = thread; i < TOTALS; i += GROUP) totals[i] = 0;
  }
  WAIT
  STEP {
    beginPart(parts[thread]);
    Part part = parts[thread];
    u64 block = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    takeChain<kind>(a, block, thread % CHAINS, part, totals);
    parts[thread] = part;
  }
  WAIT
  STEP {
    u64 block = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    if (thread % CHAINS == 0 && block * BLOCK < a.count)
      endBlock(parts + thread, a.blocks[block], totals);
  }
  WAIT
  STEP {
    ROLLED
    for (u32 i = thread; i < TOTALS; i += GROUP) {
      if (i == FIRST) raise(a.totals + i, totals[i]);
      else if (i >= LANE_OR && i < LANE_COUNT) orInto(a.totals + i, totals[i]);
      else addTo(a.totals + i, totals[i]);
    }
  }
}

KERNEL summariseF32(SummaryArgs a) { summarise<F32>(a); }
KERNEL summariseF64(SummaryArgs a) { summarise<F64>(a); }
KERNEL summariseI32(SummaryArgs a) { summarise<I32>(a); }
KERNEL summariseU32(SummaryArgs a) { summarise<U32>(a); }
KERNEL summariseI64(SummaryArgs a) { summarise<I64>(a); }
KERNEL summariseU64(SummaryArgs a) { summarise<U64>(a); }
KERNEL summariseCode16(SummaryArgs a) { summarise<CODE16>(a); }
KERNEL summariseCode8(SummaryArgs a) { summarise<CODE8>(a); }
KERNEL summariseCode4(SummaryArgs a) { summarise<CODE4>(a); }

/** A complex element is judged by both parts; only |z|² is summed. */
template <Kind kind>
DEVICE void takeComplex(const SummaryArgs &a, u64 i, Part &part, u32 *totals) {
  double x = valueOf(kind, a.data, a.table, 2 * i);
  double y = valueOf(kind, a.data, a.table, 2 * i + 1);
  if (!isFinite(x) || !isFinite(y)) {
    bool hasNaN = isNaN(x) || isNaN(y);
    bool isPositive = x == INFINITE || y == INFINITE;
    takeNonFinite(totals, hasNaN ? NOT_A_NUMBER : isPositive ? INFINITE : -INFINITE, (u32)i);
    return;
  }
  bool isSmall = (x != 0 && size(x) < a.smallestNormal) || (y != 0 && size(y) < a.smallestNormal);
  if (isSmall) addTo(totals + DENORMALS, 1);
  part.record.squares += x * x + y * y;
  if (x == 0 && y == 0) part.zeros++;
}

template <Kind kind>
DEVICE void summariseComplex(const SummaryArgs &a) {
  SHARED u32 totals[LANE_OR];
  SHARED Part parts[GROUP];
  STEP {
    if (thread < LANE_OR) totals[thread] = 0;
  }
  WAIT
  STEP {
    beginPart(parts[thread]);
    Part part = parts[thread];
    u64 first = ((u64)group() * GROUP_BLOCKS + thread / CHAINS) * BLOCK;
    ROLLED
    for (u32 row = 0; row < BLOCK / CHAINS; row++) {
      u64 i = first + row * CHAINS + thread % CHAINS;
      if (i < a.count) takeComplex<kind>(a, i, part, totals);
    }
    parts[thread] = part;
  }
  WAIT
  STEP {
    u64 block = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    if (thread % CHAINS == 0 && block * BLOCK < a.count)
      endBlock(parts + thread, a.blocks[block], totals);
  }
  WAIT
  STEP {
    if (thread == FIRST) raise(a.totals + thread, totals[thread]);
    else if (thread < LANE_OR) addTo(a.totals + thread, totals[thread]);
  }
}

KERNEL summariseC32(SummaryArgs a) { summariseComplex<CODE16>(a); }
KERNEL summariseC64(SummaryArgs a) { summariseComplex<F32>(a); }
KERNEL summariseC128(SummaryArgs a) { summariseComplex<F64>(a); }

struct SquaresArgs {
  const void *data;
  u64 count;
  double scale;
  double centre;
  double *blocks;
};

/** Σ(x · scale − centre)² of every block. */
template <Kind kind>
DEVICE void measureSquares(const SquaresArgs &a) {
  SHARED double sums[GROUP];
  STEP {
    u64 first = ((u64)group() * GROUP_BLOCKS + thread / CHAINS) * BLOCK;
    double sum = 0;
    ROLLED
    for (u32 row = 0; row < BLOCK / CHAINS; row++) {
      u64 i = first + row * CHAINS + thread % CHAINS;
      if (i >= a.count) break;
      double x = valueOf(kind, a.data, 0, i);
      double distance = x * a.scale - a.centre;
      if (isFinite(x)) sum += distance * distance;
    }
    sums[thread] = sum;
  }
  WAIT
  STEP {
    u64 block = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    if (thread % CHAINS == 0 && block * BLOCK < a.count) a.blocks[block] = combine(sums + thread);
  }
}

KERNEL squaresF32(SquaresArgs a) { measureSquares<F32>(a); }
KERNEL squaresF64(SquaresArgs a) { measureSquares<F64>(a); }
KERNEL squaresI32(SquaresArgs a) { measureSquares<I32>(a); }
KERNEL squaresU32(SquaresArgs a) { measureSquares<U32>(a); }
KERNEL squaresI64(SquaresArgs a) { measureSquares<I64>(a); }
KERNEL squaresU64(SquaresArgs a) { measureSquares<U64>(a); }

struct CountArgs {
  const void *data;
  u64 count;
  u32 *counters;
};

/** Elements of one group of the counting kernels. */
#define COUNTED 4096u

/** Adds how often each code of 16 bits occurs. */
KERNEL countCode16(CountArgs a) {
  STEP {
    u64 first = (u64)group() * COUNTED;
    ROLLED
    for (u32 at = thread; at < COUNTED; at += GROUP) {
      if (first + at < a.count) addTo(a.counters + ((const u16 *)a.data)[first + at], 1);
    }
  }
}

/** The same of codes of 8 or 4 bits, counted close by first. */
template <Kind kind>
DEVICE void countBytes(const CountArgs &a) {
  SHARED u32 counts[256];
  STEP { counts[thread] = 0; }
  WAIT
  STEP {
    u64 first = (u64)group() * COUNTED;
    ROLLED
    for (u32 at = thread; at < COUNTED; at += GROUP) {
      if (first + at < a.count) addTo(counts + codeOf(kind, a.data, first + at), 1);
    }
  }
  WAIT
  STEP {
    if (counts[thread] > 0) addTo(a.counters + thread, counts[thread]);
  }
}

KERNEL countCode8(CountArgs a) { countBytes<CODE8>(a); }
KERNEL countCode4(CountArgs a) { countBytes<CODE4>(a); }
