/**
 * One rank's share of a tensor, as DTensor (FSDP2, tensor parallelism) and ShardedTensor (FSDP1)
 * pickle it: the shape of the whole outside, the rank's own part and its place inside.
 */
import { attributeOf, attributesOf, classNameOf, integersOf } from '../pickle/attributes.ts';
import { isDict, isGlobal, isSequence, type PickleValue } from '../pickle/values.ts';
import { type ElementType, elementTypeOf } from './element-types.ts';

/** A part that this file holds. */
export interface ShardPart {
  /** The tensor as it was pickled. */
  readonly local: PickleValue;
  readonly origin: readonly number[];
  readonly sizes: readonly number[];
}

export interface ShardSpec {
  readonly kind: 'shard';
  readonly type: ElementType | null;
  /** Of the whole tensor. */
  readonly size: PickleValue;
  readonly parts: readonly ShardPart[];
  /** Tensors that describe the mesh of ranks. */
  readonly others: readonly PickleValue[];
}

/** What cannot be joined, and why. */
export interface UnjoinedSpec {
  readonly kind: 'absent';
  readonly type: ElementType | null;
  readonly size: PickleValue;
  readonly reason: string;
}

/** (class, element type, size, stride, offset, layout, device, requires_grad) */
interface Shell {
  readonly type: ElementType | null;
  readonly size: PickleValue;
}

/** `shell`: arguments of `_rebuild_wrapper_subclass`; `state`: what the class keeps beside them. */
export function readShards(
  shell: readonly PickleValue[],
  state: PickleValue,
): ShardSpec | UnjoinedSpec {
  const [wrapper = null, dtype = null, size = null] = shell;
  const type = isGlobal(dtype) ? elementTypeOf(dtype.name) : null;
  const name = classNameOf(wrapper);
  if (name === 'DTensor') return readDistributed({ type, size }, state);
  if (name === 'ShardedTensor') return readSharded({ type, size }, state);
  return unjoined({ type, size }, `a tensor of ${name ?? 'a class that has no name'}`);
}

function unjoined({ type, size }: Shell, reason: string): UnjoinedSpec {
  return { kind: 'absent', type, size, reason };
}

/** ([shards], metadata, ranks, specification, …) */
function readSharded(shell: Shell, state: PickleValue): ShardSpec | UnjoinedSpec {
  const [shards] = isSequence(state) ? state.items : [];
  const parts: ShardPart[] = [];
  for (const shard of isSequence(shards) ? shards.items : []) {
    const metadata = attributeOf(shard, 'metadata');
    const origin = integersOf(attributeOf(metadata, 'shard_offsets'));
    const sizes = integersOf(attributeOf(metadata, 'shard_sizes'));
    const local = attributeOf(shard, 'tensor');
    if (!origin || !sizes || local === undefined) {
      return unjoined(shell, 'a shard of it does not say where it lies');
    }
    parts.push({ local, origin, sizes });
  }
  return { kind: 'shard', ...shell, parts, others: [] };
}

/** (nothing, {_local_tensor, _spec}) */
function readDistributed(shell: Shell, state: PickleValue): ShardSpec | UnjoinedSpec {
  const slots = isSequence(state) ? state.items.find((item) => isDict(item)) : state;
  const entries = isDict(slots) ? slots.entries : new Map<PickleValue, PickleValue>();
  const [local, spec] = [entries.get('_local_tensor'), entries.get('_spec')];
  const mesh = attributeOf(spec, 'mesh');
  const ranks = meshShape(mesh);
  const coordinate = integersOf(attributeOf(mesh, '_coordinate_on_dim'));
  const placements = attributeOf(spec, 'placements');
  const shape = integersOf(shell.size);
  if (local === undefined || !shape || !ranks || !coordinate || !isSequence(placements)) {
    return unjoined(shell, 'it does not say which rank’s share it is');
  }
  const cuts = placements.items.map((placement, i) => {
    return { placement, ranks: ranks[i] ?? 1, at: coordinate[i] ?? 0 };
  });
  const place = placeOf(shape, cuts);
  if (typeof place === 'string') return unjoined(shell, place);
  const others = ['_rank_map', 'mesh'].flatMap((name) => attributeOf(mesh, name) ?? []);
  return { kind: 'shard', ...shell, parts: [{ local, ...place }], others };
}

/** Ranks along each dimension of the mesh: spelled in three ways so far. */
function meshShape(mesh: PickleValue | undefined): readonly number[] | null {
  const layout = attributeOf(mesh, '_layout');
  const axes = attributeOf(layout, 'axes');
  if (isSequence(axes)) {
    const sizes = axes.items.map((axis) => integersOf(attributeOf(axis, 'shape')));
    return sizes.every((size) => size !== null)
      ? sizes.map((size) => (size ?? []).reduce((product, n) => product * n, 1))
      : null;
  }
  const shape = integersOf(attributeOf(layout, 'shape'));
  if (shape) return shape;
  const single = attributeOf(layout, 'shape');
  if (typeof single === 'number') return [single];
  // Until 2.9 the ranks themselves, as a tensor.
  const ranks = attributeOf(mesh, 'mesh');
  return ranks !== undefined && 'args' in Object(ranks) ? shapeOfTensor(ranks) : null;
}

/** Size is the third argument of torch's own reconstruct function. */
function shapeOfTensor(tensor: PickleValue): readonly number[] | null {
  return typeof tensor === 'object' && tensor !== null && 'args' in tensor
    ? integersOf(tensor.args[2])
    : null;
}

interface Cut {
  readonly placement: PickleValue;
  /** Ranks that the dimension is cut for, and which of them this is. */
  readonly ranks: number;
  readonly at: number;
}

/** Text says why the share's place is not known. */
function placeOf(
  shape: readonly number[],
  cuts: readonly Cut[],
): { origin: readonly number[]; sizes: readonly number[] } | string {
  const origin = shape.map(() => 0);
  const sizes = [...shape];
  // FSDP over tensor parallelism cuts what the inner dimension left: those come after the others.
  const isStrided = ({ placement }: Cut) => classNameOf(placement) === '_StridedShard';
  const ordered = [
    ...cuts.filter((cut) => !isStrided(cut)),
    ...cuts.filter(isStrided).toReversed(),
  ];
  for (const { placement, ranks, at } of ordered) {
    const name = classNameOf(placement);
    if (name === 'Replicate') continue;
    if (name !== 'Shard' && name !== '_StridedShard') return 'its ranks hold parts of a sum';
    const dim = attributesOf(placement)?.get('dim');
    const d = typeof dim === 'number' && dim < 0 ? dim + shape.length : dim;
    if (typeof d !== 'number' || sizes[d] === undefined || !(at < ranks)) {
      return 'it does not say how it was cut';
    }
    const left = sizes[d] as number;
    const chunk = Math.ceil(left / ranks);
    const start = Math.min(at * chunk, left);
    origin[d] = (origin[d] as number) + start;
    sizes[d] = Math.min(chunk, left - start);
  }
  return { origin, sizes };
}
