/** Lays parameters over the ranks' vectors, and tells where the two do not fit each other. */
import type { Problem } from '../../checkpoint/problem.ts';
import {
  type FlatParameter,
  layEachInShares,
  layInShares,
  type SharedVector,
  SliceBudget,
} from './flat-layout.ts';
import { isOfWholes } from './muon-momentum.ts';
import type { RankShare } from './rank-share.ts';
import { tableProblems } from './slice-tables.ts';
import type { ShapeTable } from './stored-values.ts';

export interface CutVectors {
  readonly parameters: readonly FlatParameter[];
  readonly problems: readonly Problem[];
}

interface Cutting {
  readonly shapes: readonly ShapeTable[];
  readonly shares: ReadonlyMap<number, RankShare>;
  /** Ranks that share the vectors, whether their files are there or not. */
  readonly ranks: number;
}

/** A rank's own length of a vector is told once; the first rank's stands for all. */
export function cutVectors(cutting: Cutting): CutVectors {
  const [first] = cutting.shares.values();
  if (!first) return { parameters: [], problems: [] };
  return first.eachIsCut ? cutEach(cutting, first) : cutGroups(cutting);
}

/** Elements of a vector's state: what pads it is in there. */
function stateLength({ optimizer }: RankShare, flat: number): number | null {
  for (const [key, { shape, elements }] of optimizer.states.get(String(flat))?.tensors ?? []) {
    if (shape.length === 1 && !isOfWholes(optimizer, flat, key)) return elements;
  }
  return null;
}

/**
 * Elements of a rank's share with its padding. ZeRO 1 and 2 store the master without it;
 * BF16_Optimizer, which names no stage, with it.
 */
function shareLength(share: RankShare, flat: number): number | null {
  const master = share.masters[flat]?.elements ?? null;
  const padding = share.stage === null ? 0 : (share.paddings?.[flat] ?? 0);
  const state = stateLength(share, flat);
  if (master === null || state === null) return master === null ? state : master + padding;
  return state === master ? master + padding : state;
}

function damage(file: string, message: string): Problem {
  return { rule: 'shape-mismatch', kind: 'damage', file, message };
}

function cutGroups({ shapes, shares, ranks }: Cutting): CutVectors {
  const budget = new SliceBudget();
  const problems: Problem[] = [];
  const parameters: FlatParameter[] = [];
  for (const [flat, table] of shapes.entries()) {
    const lengths = [...shares.values()].map((share) => shareLength(share, flat));
    const [partition = null] = lengths;
    const [first] = shares.values();
    if (partition === null || !first) continue;
    const vector = { flat, shapes: table, gaps: first.gaps?.[flat] ?? null, partition, ranks };
    const layout = layInShares(vector, budget);
    const found = [
      ...unequalShares(shares, flat, partition),
      ...misfits(vector, layout.consumed, shares),
      ...tableProblems(vector, layout.parameters, shares),
    ];
    problems.push(...found);
    const isFit = found.every(({ kind }) => kind === 'info');
    parameters.push(...(isFit ? layout.parameters : unplaced(layout.parameters)));
  }
  return { parameters, problems };
}

/** Where the vector does not fit its parameters, nobody knows where one of them begins. */
function unplaced(parameters: readonly FlatParameter[]): FlatParameter[] {
  return parameters.map((parameter) => ({ ...parameter, slices: [] }));
}

function unequalShares(
  shares: ReadonlyMap<number, RankShare>,
  flat: number,
  partition: number,
): Problem[] {
  return [...shares.values()].flatMap((share) => {
    const length = shareLength(share, flat);
    if (length === partition) return [];
    const message = `its share of vector ${flat} has ${length} elements, other ranks' ${partition}`;
    return [damage(share.file, message)];
  });
}

/** The shares together are the parameters, the holes between them, and the padding at the end. */
function misfits(
  { flat, partition, ranks }: SharedVector,
  consumed: number,
  shares: ReadonlyMap<number, RankShare>,
): Problem[] {
  const [first] = shares.values();
  if (!first) return [];
  const total = partition * ranks;
  const known = shares.size === ranks && [...shares.values()].every(({ paddings }) => paddings);
  const padding = [...shares.values()].reduce((sum, { paddings }) => {
    return sum + (paddings?.[flat] ?? 0);
  }, 0);
  if (known ? consumed + padding === total : consumed <= total) return [];
  const padded = known ? ` and ${padding} of padding` : '';
  const message =
    `vector ${flat} has ${total} elements over ${ranks} ranks; its parameters take ` +
    `${consumed}${padded}`;
  return [damage(first.file, message)];
}

function cutEach({ shapes, shares, ranks }: Cutting, first: RankShare): CutVectors {
  const problems: Problem[] = [];
  const lengths = lengthsOf(first);
  for (const share of shares.values()) {
    if (String(lengthsOf(share)) === String(lengths)) continue;
    problems.push(
      damage(share.file, `its vectors have other lengths than those of rank ${first.rank}`),
    );
  }
  const merged = shapes.flatMap((table) => [...table]);
  const layout = layEachInShares(merged, { lengths, ranks }, new SliceBudget());
  const held = lengths.reduce((sum, length) => sum + length, 0);
  if (layout.consumed !== held) {
    const message =
      `a rank's vectors have ${held} elements; its parts of the parameters take ` +
      `${layout.consumed}`;
    problems.push(damage(first.file, message));
  }
  const isFit = problems.length === 0;
  return { parameters: isFit ? layout.parameters : unplaced(layout.parameters), problems };
}

function lengthsOf(share: RankShare): number[] {
  return share.masters.map((master, flat) => master?.elements ?? stateLength(share, flat) ?? 0);
}
