// How weights moved; src/records/pair-record.ts defines it, src/engines/cuda/movement-pass.ts joins
// chunks. A chunk is one page of Δ.
#include "values.h"

struct MovementBlock {
  double squares;
  double gained;
  double ratios;
  Sizes sizes;
};

enum MovementTotal {
  /** Elements whose values differ; asked for where base and head are of two types. */
  CHANGED = 0,
  RATIO_COUNT = 1,
  DELTA_OCTAVES = 32,
  MOVEMENT_TOTALS = 288,
};

struct MovementArgs {
  Operand wA;
  Operand wB;
  Operand mB;
  Operand vA;
  Operand vB;
  u64 count;
  double inherited;
  u64 octaveStride;
  MovementBlock *blocks;
  u32 *totals;
};

DEVICE void takeMoments(const MovementArgs &a, u64 i, MovementBlock &part, u32 *totals) {
  double v = valueOf(a.vB, i);
  if (a.vA.kind != MISSING) {
    double gained = v - a.inherited * valueOf(a.vA, i);
    if (isFinite(gained)) part.gained += gained;
  }
  if (a.mB.kind == MISSING) return;
  double m = valueOf(a.mB, i);
  if (!isFinite(m) || !(v > 0) || !isFinite(v)) return;
  part.ratios += (m * m) / v;
  addTo(totals + RATIO_COUNT, 1);
}

DEVICE void takeMove(const MovementArgs &a, u64 i, bool octaves, MovementBlock &part, u32 *totals) {
  double before = valueOf(a.wA, i);
  double after = valueOf(a.wB, i);
  if (!(before == after)) addTo(totals + CHANGED, 1);
  if (a.vB.kind != MISSING) takeMoments(a, i, part, totals);
  float delta = (float)(after - before);
  if (!isFinite(delta)) return;
  double wide = delta;
  part.squares += wide * wide;
  takeSize(part.sizes, size(wide), i);
  if (octaves) addTo(totals + DELTA_OCTAVES + ((bitsOf(delta) >> 23) & 255), 1);
}

DEVICE void endMovement(const MovementBlock *parts, MovementBlock &record) {
  double squares[CHAINS];
  double gained[CHAINS];
  double ratios[CHAINS];
  record = parts[0];
  ROLLED
  for (u32 c = 0; c < CHAINS; c++) {
    squares[c] = parts[c].squares;
    gained[c] = parts[c].gained;
    ratios[c] = parts[c].ratios;
    if (c > 0 && parts[c].sizes.max1 >= 0) joinSizes(record.sizes, parts[c].sizes);
  }
  record.squares = combine(squares);
  record.gained = combine(gained);
  record.ratios = combine(ratios);
}

KERNEL moveWeights(MovementArgs a) {
  SHARED u32 totals[MOVEMENT_TOTALS];
  SHARED MovementBlock parts[GROUP];
  STEP {
    ROLLED
    for (u32 i = thread; i < MOVEMENT_TOTALS; i += GROUP) totals[i] = 0;
  }
  WAIT
  STEP {
    MovementBlock part = {0, 0, 0, {-1, -1, 0}};
    u64 block = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    bool octaves = block % a.octaveStride == 0;
    ROLLED
    for (u32 row = 0; row < BLOCK / CHAINS; row++) {
      u64 i = block * BLOCK + row * CHAINS + thread % CHAINS;
      if (i >= a.count) break;
      takeMove(a, i, octaves, part, totals);
    }
    parts[thread] = part;
  }
  WAIT
  STEP {
    u64 block = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    if (thread % CHAINS == 0 && block * BLOCK < a.count) endMovement(parts + thread, a.blocks[block]);
  }
  WAIT
  STEP {
    ROLLED
    for (u32 i = thread; i < MOVEMENT_TOTALS; i += GROUP) addTo(a.totals + i, totals[i]);
  }
}

struct RowArgs {
  Operand wA;
  Operand wB;
  u64 count;
  u64 row;
  /** Elements of the first row that lie before the chunk. */
  u64 phase;
  /** Rows that a block can have a part of. */
  u64 parts;
  /** So many of every block. */
  double *sums;
};

/** ΣΔ² of what a row has in one block, in the block's chains; a thread follows one chain. */
KERNEL sumRows(RowArgs a) {
  SHARED double sums[GROUP];
  STEP {
    u64 part = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    u64 start = part / a.parts * BLOCK;
    u64 end = start + BLOCK < a.count ? start + BLOCK : a.count;
    u64 row = (a.phase + start) / a.row + part % a.parts;
    u64 rowStart = row * a.row > a.phase ? row * a.row - a.phase : 0;
    u64 rowEnd = (row + 1) * a.row - a.phase;
    if (rowStart > start) start = rowStart;
    if (rowEnd < end) end = rowEnd;
    double sum = 0;
    ROLLED
    for (u64 i = start + ((thread - start) & (CHAINS - 1)); i < end; i += CHAINS) {
      double delta = deltaOf(a.wA, a.wB, i);
      if (isFinite(delta)) sum += delta * delta;
    }
    sums[thread] = sum;
  }
  WAIT
  STEP {
    u64 part = (u64)group() * GROUP_BLOCKS + thread / CHAINS;
    if (thread % CHAINS == 0 && part / a.parts * BLOCK < a.count) a.sums[part] = combine(sums + thread);
  }
}
