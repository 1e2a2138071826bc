/** Replicas of one step across ranks: what must be equal bit for bit, and which copy is the odd one out. */
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Engine } from '../engines/engine.ts';
import type { CopyRecord } from '../records/copy-record.ts';
import { foldDigests } from '../suspicions/exact-state.ts';
import { planComparison } from './plan.ts';
import type { Opened } from './scan.ts';

/** Roles that data parallelism keeps equal; batch statistics and random states are each rank's own. */
const replicated: ReadonlySet<string> = new Set([
  'parameter',
  'master',
  'average',
  'first-moment',
  'second-moment',
  'max-second-moment',
  'momentum',
  'scale',
  'step',
]);

export interface ReplicaOutcome {
  readonly tensor: Tensor;
  /** Index of the odd copy, and of one that the majority agrees with. */
  readonly odd: number;
  readonly reference: number;
  /** False: as many copies say otherwise, so that which one is damaged cannot be told. */
  readonly hasMajority: boolean;
  /** Null: the tensor is missing there, or has another type or shape. */
  readonly record: CopyRecord | null;
}

export interface ReplicaReport {
  readonly outcomes: readonly ReplicaOutcome[];
  /** Elements compared in every copy. */
  readonly compared: number;
}

async function digestOf(opened: Opened, tensor: Tensor, engine: Engine): Promise<string> {
  const none = { head: [], base: [] };
  const result = await engine.run(
    {
      elements: tensor.elements,
      streams: { sB: { tensor, origin: 'head' } },
      summaries: ['sB'],
      laws: [],
      copies: [],
      sha256: [],
    },
    { sources: { head: opened.source, base: null }, checksums: none },
  );
  const table = result.summaries.sB?.digests ?? new Uint32Array();
  return `${tensor.dtype} ${tensor.shape.join()} ${foldDigests(table)}`;
}

async function compare(
  copies: readonly Opened[],
  name: string,
  ends: { odd: number; reference: number },
  engine: Engine,
): Promise<CopyRecord | null> {
  const [head, base] = [copies[ends.odd] as Opened, copies[ends.reference] as Opened];
  const find = (opened: Opened) => opened.checkpoint.tensors.find((tensor) => tensor.name === name);
  const [found, expected] = [find(head), find(base)];
  if (!found || !expected || found.dtype !== expected.dtype || found.elements !== expected.elements)
    return null;
  const plan = planComparison(
    'same-step',
    { tensor: expected, origin: 'base' },
    { tensor: found, origin: 'head' },
  );
  const context = {
    sources: { head: head.source, base: base.source },
    checksums: { head: [], base: [] },
  };
  return (await engine.run(plan.sweep, context)).copies[0] ?? null;
}

/** Groups copies by what they hold; the largest group is the reference, the rest are odd. */
function oddOnes(digests: readonly (string | null)[]): {
  reference: number;
  odd: number[];
  hasMajority: boolean;
} {
  const groups = new Map<string, number[]>();
  digests.forEach((digest, i) => {
    const key = digest ?? 'missing';
    groups.set(key, [...(groups.get(key) ?? []), i]);
  });
  const sorted = [...groups.values()].sort((a, b) => b.length - a.length);
  const [largest = [], next = []] = sorted;
  return {
    reference: largest[0] ?? 0,
    odd: sorted.slice(1).flat(),
    hasMajority: largest.length > next.length,
  };
}

/** Compares every replicated tensor of `copies` (two or more, of one step). */
export async function compareReplicas(
  copies: readonly Opened[],
  engine: Engine,
): Promise<ReplicaReport> {
  const names = new Map<string, Tensor>();
  for (const { checkpoint } of copies) {
    for (const tensor of checkpoint.tensors) {
      const readable = tensor.aliasOf === null && tensor.placement.kind !== 'absent';
      if (readable && replicated.has(tensor.role) && !names.has(tensor.name))
        names.set(tensor.name, tensor);
    }
  }
  const byName = copies.map(
    ({ checkpoint }) => new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor])),
  );
  const outcomes: ReplicaOutcome[] = [];
  let compared = 0;
  for (const [name, tensor] of names) {
    const digests: (string | null)[] = [];
    for (const [i, opened] of copies.entries()) {
      const own = byName[i]?.get(name);
      digests.push(
        own && own.placement.kind !== 'absent' ? await digestOf(opened, own, engine) : null,
      );
    }
    compared += tensor.elements;
    const { reference, odd, hasMajority } = oddOnes(digests);
    for (const each of odd) {
      const record = await compare(copies, name, { odd: each, reference }, engine);
      outcomes.push({ tensor, odd: each, reference, hasMajority, record });
    }
  }
  return { outcomes, compared };
}
