/**
 * A rank's file of the base among files of the head: its share of every moment is bit for bit the
 * base's although the parameters stepped, while other ranks' shares moved. Lines of state that stand
 * still say so too, where a rank's share fills one; this adds up what a rank holds of all tensors.
 */
import type { Unit } from '../checkpoint/align.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Placement, Tensor } from '../checkpoint/tensor.ts';
import type { Source } from '../sources/source.ts';
import { readTensorBytes } from '../sources/tensor-bytes.ts';
import type { PairEnds } from './scan.ts';

/** Elements looked at of each share of a tensor: the first of it, in one line. */
const sampleElements = 64;

/**
 * Shares of one file need so many elements with both moments alive. One element of healthy training
 * keeps both bit for bit only if its gradient meets m and √v within their rounding at once.
 */
const leastAlive = 12;

/** Below this a moment is too close to underflow to say anything. */
const alive = 1e-30;

/** The first elements of a rank's share of a tensor, by flat logical index. */
interface Share {
  readonly file: string;
  readonly rank: number | null;
  readonly first: number;
  readonly count: number;
}

interface Tally {
  readonly file: string;
  readonly rank: number | null;
  alive: number;
  moved: boolean;
  tensors: number;
}

/**
 * Looks at units whose moments must have moved (`state-progress` could be bound for them).
 * A file is read until its first element that moved.
 */
export async function findStaleShards(
  units: readonly Unit[],
  { head, base }: PairEnds,
): Promise<Problem[]> {
  if (!base) return [];
  const tallies = new Map<string, Tally>();
  for (const { first, second } of units) {
    if (!first.head || !first.base || !second.head || !second.base) continue;
    const moments = [first.head, first.base, second.head, second.base];
    if (moments.some(({ dtype, elements }) => dtype !== 'f32' || elements !== first.head?.elements))
      continue;
    for (const share of sharesOf(second.head)) {
      const key = `${share.file}\0${share.rank}`;
      const { file, rank } = share;
      const tally = tallies.get(key) ?? { file, rank, alive: 0, moved: false, tensors: 0 };
      tallies.set(key, tally);
      if (tally.moved) continue;
      const [mB, vB] = await valuesOf(head.source, [first.head, second.head], share);
      const [mA, vA] = await valuesOf(base.source, [first.base, second.base], share);
      tally.tensors += 1;
      for (let i = 0; i < share.count; i++) {
        // Bits, not numbers: NaN that stayed is no NaN that moved.
        if (mA?.bits[i] !== mB?.bits[i] || vA?.bits[i] !== vB?.bits[i]) tally.moved = true;
        if ((vA?.values[i] as number) > alive && mA?.values[i] !== 0) tally.alive += 1;
      }
    }
  }
  return problemsOf([...tallies.values()]);
}

function problemsOf(tallies: readonly Tally[]): Problem[] {
  if (!tallies.some(({ moved }) => moved)) return [];
  const stale = tallies.filter((tally) => !tally.moved && tally.alive >= leastAlive);
  return stale.map(({ file, rank, alive: elements, tensors }) => ({
    rule: 'shard-stale',
    kind: 'damage',
    file,
    message:
      `${rank === null ? 'this file' : `rank ${rank}`} holds the base’s optimizer state: in all ` +
      `${elements} elements looked at, of ${tensors} tensors that stepped since, both moments are ` +
      'bit for bit those of the base, while those in other files moved',
  }));
}

/** Real files apart; one share a tensor and file. */
function sharesOf({ placement, shape, elements }: Tensor): Share[] {
  const shares = new Map<string, Share>();
  const add = (share: Share) => {
    if (share.count > 0 && !shares.has(share.file)) shares.set(share.file, share);
  };
  if (placement.kind === 'dense') {
    let first = 0;
    for (const { file, rank = null, elements: count } of placement.pieces) {
      add({ file, rank, first, count: Math.min(count, sampleElements) });
      first += count;
    }
  } else if (placement.kind === 'strided') {
    add({ file: placement.file, rank: null, first: 0, count: Math.min(elements, sampleElements) });
  } else if (placement.kind === 'boxes') {
    for (const { origin, sizes, placement: own, rank = null } of placement.boxes) {
      const file = fileOf(own);
      const first = origin.reduce((flat, at, d) => flat * (shape[d] as number) + at, 0);
      const count = Math.min(lineOf(sizes, shape), sampleElements);
      if (file !== null) add({ file, rank, first, count });
    }
  }
  return [...shares.values()];
}

/** Elements from the box's first on that are neighbours in the whole tensor too. */
function lineOf(sizes: readonly number[], shape: readonly number[]): number {
  let line = 1;
  for (let d = sizes.length - 1; d >= 0; d--) {
    line *= sizes[d] as number;
    if (sizes[d] !== shape[d]) break;
  }
  return sizes.includes(0) ? 0 : line;
}

function fileOf(placement: Placement): string | null {
  if (placement.kind === 'dense') return placement.pieces[0]?.file ?? null;
  return placement.kind === 'strided' ? placement.file : null;
}

interface Values {
  readonly bits: Uint32Array;
  readonly values: Float32Array;
}

async function valuesOf(
  source: Source,
  tensors: readonly Tensor[],
  { first, count }: Share,
): Promise<Values[]> {
  const found: Values[] = [];
  for (const tensor of tensors) {
    const into = new Uint8Array(4 * count);
    await readTensorBytes(source, tensor, { first, count, into });
    found.push({ bits: new Uint32Array(into.buffer), values: new Float32Array(into.buffer) });
  }
  return found;
}
