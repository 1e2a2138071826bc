/** What the stored bits of damaged elements are to the bits that they should have, or had. */

/** Unsigned stored bits. `base`: what the element should hold, or held in the base checkpoint. */
export interface BitPair {
  readonly head: bigint;
  readonly base: bigint | null;
}

export type Content =
  /** One bit an element; `bits` are their positions, `set` what the bit is now (null: either). */
  | { readonly kind: 'flips'; readonly bits: readonly number[]; readonly set: boolean | null }
  /** The same bits of every element are turned around. */
  | { readonly kind: 'mask'; readonly bits: readonly number[] }
  | { readonly kind: 'zero' }
  | { readonly kind: 'constant'; readonly value: bigint }
  | { readonly kind: 'stale' }
  | { readonly kind: 'swapped' }
  | { readonly kind: 'shifted'; readonly bytes: number }
  /** This many trailing bits are 0, and the value is right but for them. */
  | { readonly kind: 'cut'; readonly trailing: number }
  /** The same values in other places. */
  | { readonly kind: 'moved' }
  | { readonly kind: 'other' };

/** Positions of set bits, the lowest first. */
export function positionsOf(mask: bigint): number[] {
  const positions: number[] = [];
  for (let rest = mask, bit = 0; rest > 0n; rest >>= 1n, bit++) {
    if (rest & 1n) positions.push(bit);
  }
  return positions;
}

interface Known {
  readonly head: bigint;
  readonly base: bigint;
}

function swapped(bits: bigint, bytes: number): bigint {
  let out = 0n;
  for (let i = 0; i < bytes; i++) out = (out << 8n) | ((bits >> BigInt(8 * i)) & 0xffn);
  return out;
}

/** One bit each: which ones, and whether all were set or all cleared. */
function flipsIn(pairs: readonly Known[]): Content | null {
  const bits = new Set<number>();
  const values = new Set<boolean>();
  for (const { head, base } of pairs) {
    const mask = head ^ base;
    if (mask === 0n || (mask & (mask - 1n)) !== 0n) return null;
    bits.add(mask.toString(2).length - 1);
    values.add((head & mask) !== 0n);
  }
  const [set] = values;
  const sorted = [...bits].sort((a, b) => a - b);
  return { kind: 'flips', bits: sorted, set: values.size === 1 ? (set ?? null) : null };
}

function maskIn(pairs: readonly Known[]): Content | null {
  const masks = new Set(pairs.map(({ head, base }) => head ^ base));
  const [mask] = masks;
  return masks.size === 1 && mask ? { kind: 'mask', bits: positionsOf(mask) } : null;
}

const cutPairsLeast = 8;

/** Fewer trailing zeros than a narrower type leaves are chance. */
const cutBitsLeast = 8;

function trailingZeros(bits: bigint): number {
  return bits === 0n ? 0 : (bits & -bits).toString(2).length - 1;
}

/** Cut or rounded: the ends are 0 in every element, and no element is further off than its end. */
function cutIn(pairs: readonly Known[]): Content | null {
  const trailing = trailingZeros(pairs.reduce((all, { head }) => all | head, 0n));
  const step = 1n << BigInt(trailing);
  const isNear = ({ head, base }: Known) => head - base < step && base - head < step;
  const isCut = trailing >= cutBitsLeast && pairs.length >= cutPairsLeast && pairs.every(isNear);
  return isCut ? { kind: 'cut', trailing } : null;
}

const shiftMost = 64;

const shiftPairsLeast = 8;

/** Bytes of elements that follow one another, as a little-endian machine stores them. */
function bytesOf(values: readonly bigint[], elementBytes: number): Uint8Array {
  const bytes = new Uint8Array(values.length * elementBytes);
  values.forEach((value, i) => {
    for (let b = 0; b < elementBytes; b++) {
      bytes[i * elementBytes + b] = Number((value >> BigInt(8 * b)) & 0xffn);
    }
  });
  return bytes;
}

function shiftIn(pairs: readonly Known[], elementBytes: number): Content | null {
  if (pairs.length < shiftPairsLeast) return null;
  const head = bytesOf(
    pairs.map((pair) => pair.head),
    elementBytes,
  );
  const base = bytesOf(
    pairs.map((pair) => pair.base),
    elementBytes,
  );
  for (let by = 1; by <= Math.min(shiftMost, head.length / 2); by++) {
    if (isAt(head, base, by)) return { kind: 'shifted', bytes: by };
    if (isAt(base, head, by)) return { kind: 'shifted', bytes: -by };
  }
  return null;
}

/** `read` holds from its start what `stored` holds `by` bytes further on. */
function isAt(read: Uint8Array, stored: Uint8Array, by: number): boolean {
  const count = read.length - by;
  for (let i = 0; i < count; i++) if (read[i] !== stored[i + by]) return false;
  return true;
}

const movedPairsLeast = 4;

/** What the elements should hold and what they hold are the same values, each as often. */
function areMoved(pairs: readonly Known[]): boolean {
  const counts = new Map<bigint, number>();
  for (const { base } of pairs) counts.set(base, (counts.get(base) ?? 0) + 1);
  for (const { head } of pairs) {
    const left = counts.get(head) ?? 0;
    if (left === 0) return false;
    counts.set(head, left - 1);
  }
  return pairs.length >= movedPairsLeast;
}

/** Needs the elements in order; `isRun`: without a hole between them. */
export function contentOf(
  bits: readonly BitPair[],
  { elementBytes, isRun }: { elementBytes: number; isRun: boolean },
): Content {
  const [first] = bits;
  if (!first) return { kind: 'other' };
  const known = bits.filter((pair): pair is Known => pair.base !== null);
  const isKnown = known.length === bits.length;
  if (isKnown && known.every(({ head, base }) => head === base)) return { kind: 'stale' };
  if (bits.every(({ head }) => head === 0n)) return { kind: 'zero' };
  const isConstant = bits.length > 1 && bits.every(({ head }) => head === first.head);
  if (isKnown && !isConstant) {
    const found =
      flipsIn(known) ??
      maskIn(known) ??
      (known.every(({ head, base }) => head === swapped(base, elementBytes))
        ? ({ kind: 'swapped' } as const)
        : null) ??
      cutIn(known) ??
      (isRun ? shiftIn(known, elementBytes) : null) ??
      (areMoved(known) ? ({ kind: 'moved' } as const) : null);
    if (found) return found;
  }
  return isConstant ? { kind: 'constant', value: first.head } : { kind: 'other' };
}
