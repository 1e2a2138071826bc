// How elements are judged: what a law's record keeps of a chunk; src/records/law-record.ts defines
// the ratio, src/engines/cuda/law-pass.ts joins chunks.
#pragma once
#include "values.h"

#define LAW_OPERANDS 6
#define LAW_CONSTANTS 20

struct Worst {
  /** -1: no element was judged. */
  double ratio;
  u64 index;
};

/** Operands and constants stand in the law's own order. */
struct LawArgs {
  Operand operands[LAW_OPERANDS];
  double constants[LAW_CONSTANTS];
  u64 count;
  /** float32 words of the subject of a line law, at base and head. */
  const u32 *base;
  const u32 *head;
  /** One of every block; element laws alone. */
  Worst *worst;
  /** Zero before the chunk. */
  u32 *totals;
};

enum LawTotal { JUDGED = 0, BROKEN = 1, NOT_FINITE = 2, FIRST_BROKEN = 3, FIRST_HELD = 4, LAW_TOTALS = 5 };

struct Sides {
  double left;
  double right;
};

/** As Math.max and Math.min do: NaN wins. */
DEVICE double larger(double a, double b) {
  if (isNaN(a) || isNaN(b)) return NOT_A_NUMBER;
  return a > b ? a : b;
}

DEVICE double lesser(double a, double b) {
  if (isNaN(a) || isNaN(b)) return NOT_A_NUMBER;
  return a < b ? a : b;
}

DEVICE double ratioOf(Sides sides) {
  bool broken = !(sides.left <= sides.right);
  double ratio = sides.left <= 0 ? 0 : sides.left / sides.right;
  if (broken) return ratio >= 1 ? ratio : INFINITE;
  return isNaN(ratio) ? 0 : ratio;
}

/** Loads an element; false where an operand that is there is not finite. */
template <u32 operands>
DEVICE bool loadElement(const LawArgs &a, u64 i, double *element) {
  bool finite = true;
  UNROLLED
  for (u32 j = 0; j < operands; j++) {
    element[j] = valueOf(a.operands[j], i);
    if (a.operands[j].kind != MISSING && !isFinite(element[j])) finite = false;
  }
  return finite;
}

/** Of equal ratios the smaller index stays. */
DEVICE void joinWorst(Worst &into, const Worst &part) {
  bool isWorse = part.ratio > into.ratio;
  if (isWorse || (part.ratio == into.ratio && part.index < into.index)) into = part;
}

DEVICE void leaveTotals(const u32 *totals, u32 *out) {
  addTo(out + JUDGED, totals[JUDGED]);
  addTo(out + BROKEN, totals[BROKEN]);
  addTo(out + NOT_FINITE, totals[NOT_FINITE]);
  raise(out + FIRST_BROKEN, totals[FIRST_BROKEN]);
  raise(out + FIRST_HELD, totals[FIRST_HELD]);
}

/** A group judges one block by `Law::sides`. */
template <typename Law>
DEVICE void judgeElements(const LawArgs &a) {
  SHARED u32 totals[LAW_TOTALS];
  SHARED Worst parts[GROUP];
  STEP {
    if (thread < LAW_TOTALS) totals[thread] = 0;
  }
  WAIT
  STEP {
    Worst worst = {-1, 0};
    u32 judged = 0, broken = 0, skipped = 0;
    ROLLED
    for (u32 at = thread; at < BLOCK; at += GROUP) {
      u64 i = (u64)group() * BLOCK + at;
      if (i >= a.count) break;
      double element[LAW_OPERANDS];
      if (!loadElement<Law::operands>(a, i, element)) {
        skipped++;
        continue;
      }
      Sides sides = Law::sides(element, a.constants);
      Worst here = {ratioOf(sides), i};
      judged++;
      if (!(sides.left <= sides.right)) broken++;
      if (here.ratio > worst.ratio) worst = here;
    }
    addTo(totals + JUDGED, judged);
    addTo(totals + BROKEN, broken);
    addTo(totals + NOT_FINITE, skipped);
    parts[thread] = worst;
  }
  WAIT
  STEP {
    if (thread % 16 == 0) {
      ROLLED
      for (u32 i = 1; i < 16; i++) joinWorst(parts[thread], parts[thread + i]);
    }
  }
  WAIT
  STEP {
    if (thread == 0) {
      ROLLED
      for (u32 i = 16; i < GROUP; i += 16) joinWorst(parts[0], parts[i]);
      a.worst[group()] = parts[0];
      leaveTotals(totals, a.totals);
    }
  }
}

#define LINE_ELEMENTS 16u

/** `Law` says which elements of a line take part and what the line then is: 1 holds, 0 broken, -1. */
template <typename Law>
DEVICE void judgeLine(const LawArgs &a, u64 start, u32 *totals) {
  u32 finite = 0;
  u32 relevant = 0;
  ROLLED
  for (u32 j = 0; j < LINE_ELEMENTS; j++) {
    double element[LAW_OPERANDS];
    if (!loadElement<Law::operands>(a, start + j, element)) continue;
    finite++;
    if (Law::relevant(element, a.constants)) relevant |= 1u << j;
  }
  addTo(totals + NOT_FINITE, LINE_ELEMENTS - finite);
  int holds = Law::judge(a.base + start, a.head + start, relevant);
  if (holds < 0) return;
  addTo(totals + JUDGED, finite);
  if (holds == 0) addTo(totals + BROKEN, 1);
  raise(totals + (holds ? FIRST_HELD : FIRST_BROKEN), ~(u32)start);
}

/** A thread judges one line. */
template <typename Law>
DEVICE void judgeLines(const LawArgs &a) {
  SHARED u32 totals[LAW_TOTALS];
  STEP {
    if (thread < LAW_TOTALS) totals[thread] = 0;
  }
  WAIT
  STEP {
    u64 start = ((u64)group() * GROUP + thread) * LINE_ELEMENTS;
    if (start + LINE_ELEMENTS <= a.count) judgeLine<Law>(a, start, totals);
  }
  WAIT
  STEP {
    if (thread == 0) leaveTotals(totals, a.totals);
  }
}

DEVICE u32 countOf(u32 bits) {
  u32 count = 0;
  ROLLED
  for (; bits; bits &= bits - 1) count++;
  return count;
}
