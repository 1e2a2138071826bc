/**
 * Buckets of the distributed optimizer as each rank wrote its part (`dp_reshardable`). Between two
 * parameters lie holes of whatever memory held. Every parameter and every hole is a chunk of its
 * own, so that they can be told apart by where they begin; what is judged are the parameters.
 */
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Piece } from '../../checkpoint/tensor.ts';
import type { DcpTensor } from '../dcp/metadata.ts';
import type { OpenedDcp } from '../dcp/open-dcp.ts';
import { roleOfState } from '../optimizer-state/state-roles.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { CommonState } from './common-state.ts';
import { type Bucket, bucketOptimizer, findBuckets } from './flat-buckets.ts';

/** Parameters begin at multiples of this. */
const alignment = 64;

/** True for the name of a bucket's tensor. */
export function isBucketKey(name: string): boolean {
  return /(^|\.)optimizer\.distributed\..*\.bucket_idx_[0-9]+\.[^.]+$/.test(name);
}

export interface CutBuckets {
  readonly wholes: readonly TensorDraft[];
  readonly parts: readonly TensorDraft[];
  readonly optimizers: readonly Optimizer[];
  readonly problems: readonly Problem[];
}

/** A run of elements that one parameter, or one rank's share of it, takes. */
interface Run {
  readonly first: number;
  readonly elements: number;
  /** Its pieces by the key of the tensor. */
  readonly rank: number | undefined;
}

/** Chunks of a vector in order, with the rank that wrote each; null where they are no plain runs. */
function runsOf(draft: TensorDraft, tensor: DcpTensor | undefined): Run[] | null {
  const { placement } = draft;
  const chunks = tensor?.chunks.filter(({ sizes }) => (sizes[0] ?? 0) > 0) ?? [];
  if (placement.kind !== 'dense' || placement.pieces.length !== chunks.length) return null;
  const sorted = [...chunks].sort((a, b) => (a.origin[0] ?? 0) - (b.origin[0] ?? 0));
  return sorted.map(({ origin, sizes }, i) => {
    const rank = placement.pieces[i]?.rank;
    return { first: origin[0] ?? 0, elements: sizes[0] ?? 0, rank };
  });
}

/**
 * Runs that are no holes. A hole begins where a parameter ended, off the grid, and ends on it; a
 * parameter that a rank's border cuts begins off the grid too, but behind a part of itself. Null:
 * the chunks are not those of this layout, as when a rank wrote its whole share as one.
 */
function parametersAmong(runs: readonly Run[]): Run[] | null {
  const found: Run[] = [];
  let isHole = false;
  let borders = 0;
  for (const [i, run] of runs.entries()) {
    const before = runs[i - 1];
    const isBorder = before !== undefined && before.rank !== run.rank;
    if (isBorder || i === 0) borders += 1;
    const isAligned = run.first % alignment === 0;
    isHole = !isAligned && (isBorder ? isHole : true);
    const end = run.first + run.elements;
    const isLast = i === runs.length - 1;
    if (isHole && !isLast && runs[i + 1]?.rank === run.rank && end % alignment !== 0) return null;
    if (isHole && run.elements >= alignment) return null;
    if (!isHole) found.push(run);
  }
  return runs.length > borders ? found : null;
}

/** The elements of a run as a vector of its own. */
function partOf(
  draft: TensorDraft,
  { first, elements }: Run,
  pieces: readonly Piece[],
): TensorDraft {
  const name = `${draft.name}[${first}:${first + elements}]`;
  const placement = { kind: 'dense' as const, pieces };
  return { ...draft, name, partOf: draft.name, shape: [elements], elements, placement };
}

/** Parts of all tensors of a bucket, side by side; null where they were not cut alike. */
function cutBucket(bucket: Bucket, { metadata }: OpenedDcp): readonly Bucket[] | null {
  const drafts = new Map(bucket.tensors);
  const all = [...(bucket.master ? [bucket.master] : []), ...drafts.values()];
  const [runs, ...others] = all.map((draft) => runsOf(draft, metadata?.tensors.get(draft.name)));
  const isAlike = others.every((each) => JSON.stringify(each) === JSON.stringify(runs));
  const parameters = runs && isAlike ? parametersAmong(runs) : null;
  if (!runs || !parameters) return null;
  const index = new Map(runs.map((run, i) => [run, i]));
  const cut = (draft: TensorDraft, run: Run): TensorDraft | null => {
    const pieces = draft.placement.kind === 'dense' ? draft.placement.pieces : [];
    const piece = pieces[index.get(run) ?? -1];
    return piece ? partOf(draft, run, [piece]) : null;
  };
  return parameters.map((run) => {
    const tensors = new Map<string, TensorDraft>();
    for (const [key, draft] of drafts) {
      const part = cut(draft, run);
      if (part) tensors.set(key, part);
    }
    const path = `${bucket.path}[${run.first}:${run.first + run.elements}]`;
    return { path, master: bucket.master && cut(bucket.master, run), tensors };
  });
}

/** Buckets as they are listed, and as they are judged. */
export function cutBuckets(opened: OpenedDcp, common: CommonState, file: string): CutBuckets {
  const named = [...opened.tensors].filter(([name]) => isBucketKey(name));
  const problems: Problem[] = [];
  const parts: Bucket[] = [];
  for (const bucket of findBuckets(new Map(named))) {
    const own = cutBucket(bucket, opened);
    if (own) parts.push(...own);
    else problems.push(unjudged(bucket.path, file));
  }
  for (const [name, draft] of named) {
    const key = name.slice(name.lastIndexOf('.') + 1);
    draft.role = key === 'param' ? 'master' : roleOfState(key);
  }
  const stored = { prefix: 'optimizer.distributed.', file, groups: common.groups };
  return {
    wholes: named.map(([, draft]) => draft),
    parts: parts.flatMap(({ master, tensors }) => [
      ...(master ? [master] : []),
      ...tensors.values(),
    ]),
    optimizers: parts.length > 0 ? [bucketOptimizer(stored, parts)] : [],
    problems,
  };
}

function unjudged(path: string, file: string): Problem {
  const message =
    `nothing tells the parameters of ${path} from the holes between them: it is listed, and not ` +
    'judged';
  return { rule: 'note', kind: 'info', file, message };
}
