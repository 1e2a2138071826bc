/** Lays parameters over the ranks' vectors, and tells where the two do not fit each other. */
import type { Problem } from '../../checkpoint/problem.ts';
import { expertRanks, type VectorRanks } from './expert-vectors.ts';
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

function cutGroups(cutting: Cutting): CutVectors {
  const budget = new SliceBudget();
  const problems: Problem[] = [];
  const parameters: FlatParameter[] = [];
  for (const [flat, table] of cutting.shapes.entries()) {
    const cuts = ranksOf(cutting, flat, table).map((sets) => {
      return sets.map((set) => cutVector(set, { flat, table }, budget));
    });
    const fit = cuts.find((sets) => sets.every(({ problems }) => problems.every(isTold)));
    for (const cut of fit ?? cuts[0] ?? []) {
      problems.push(...cut.problems);
      parameters.push(...cut.parameters);
    }
  }
  return { parameters, problems };
}

function isTold({ kind }: Problem): boolean {
  return kind === 'info';
}

/** Sets of ranks that share a vector each, in the orders that they may have. */
function ranksOf(
  { shares, ranks }: Cutting,
  flat: number,
  table: ShapeTable,
): readonly (readonly VectorRanks[])[] {
  const [first] = shares.values();
  const count = first?.sharers?.[flat] ?? ranks;
  if (count === ranks || count < 1 || ranks % count !== 0) {
    return [[{ shares, count: ranks, rankOf: (place) => place, nameOf: (name) => name }]];
  }
  const told = { ranks, count, table };
  return [expertRanks(shares, told, 'apart'), expertRanks(shares, told, 'beside')];
}

function cutVector(
  { shares, count, rankOf, nameOf }: VectorRanks,
  { flat, table }: { flat: number; table: ShapeTable },
  budget: SliceBudget,
): CutVectors {
  const [first] = shares.values();
  const partition = first ? shareLength(first, flat) : null;
  if (partition === null || !first) return { parameters: [], problems: [] };
  const gaps = first.gaps?.[flat] ?? null;
  const vector = { flat, shapes: table, gaps, partition, ranks: count };
  const layout = layInShares(vector, budget);
  const problems = [
    ...unequalShares(shares, flat, partition),
    ...misfits(vector, layout.consumed, shares),
    ...tableProblems(vector, layout.parameters, shares),
  ];
  const isFit = problems.every(isTold);
  const parameters = (isFit ? layout.parameters : unplaced(layout.parameters)).flatMap((one) => {
    const name = nameOf(one.name);
    const slices = one.slices.map((slice) => ({ ...slice, rank: rankOf(slice.rank) }));
    return name === null ? [] : [{ ...one, name, slices }];
  });
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
  if (first.masters.some((master) => master?.elements === 0)) {
    const message =
      'vectors of its optimizer were offloaded and are empty here: the files under ' +
      'offloaded_tensors, which hold them, were not read';
    const note: Problem = { rule: 'note', kind: 'info', file: first.file, message };
    return { parameters: unplaced(layout.parameters), problems: [...problems, note] };
  }
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
