/** An optimizer over flat vectors as one over parameters: names, groups, counters, joined tensors. */
import { unowned } from '../../checkpoint/tensor.ts';
import type { Owner } from '../optimizer-state/map-parameters.ts';
import type { ModelTensors, RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { FlatParameter, Slice } from './flat-layout.ts';
import { joinSlices } from './join-slices.ts';
import { isOfWholes, wholeSlices } from './muon-momentum.ts';
import type { Shape } from './stored-values.ts';

/** The vectors of one rank. */
export interface RankVectors {
  readonly optimizer: RawOptimizer;
  readonly masters: readonly (TensorDraft | undefined)[];
  readonly steps: ReadonlyMap<string, number>;
}

export interface FlatSource {
  /** By rank; the first one's groups and counters stand for all. */
  readonly ranks: ReadonlyMap<number, RankVectors>;
  readonly parameters: readonly FlatParameter[];
  readonly model: ModelTensors;
  /** With its dot: `optimizer.`, behind the name of a model-parallel rank where there are several. */
  readonly prefix: string;
  readonly mapping: Owner['mapping'];
}

export interface NamedOptimizer {
  readonly optimizer: RawOptimizer;
  readonly owners: ReadonlyMap<string, Owner>;
  /** Values of counters, by name. */
  readonly scalars: ReadonlyMap<string, number>;
  /** Masters, moments and counters. */
  readonly tensors: readonly TensorDraft[];
}

/** Null: no rank's vectors could be read. */
export function nameParameters(source: FlatSource): NamedOptimizer | null {
  const [first] = source.ranks.values();
  return first ? new Namer(source, first).build() : null;
}

class Namer {
  readonly #source: FlatSource;
  readonly #first: RankVectors;
  readonly #owners = new Map<string, Owner>();
  readonly #scalars = new Map<string, number>();
  readonly #tensors: TensorDraft[] = [];
  readonly #states = new Map<string, RawState>();
  readonly #masters = new Map<string, TensorDraft>();
  #wholes: ReadonlyMap<string, Slice> | null = null;

  constructor(source: FlatSource, first: RankVectors) {
    this.#source = source;
    this.#first = first;
  }

  build(): NamedOptimizer {
    for (const parameter of this.#source.parameters) this.#name(parameter);
    const { prefix, file } = { ...this.#first.optimizer, prefix: this.#source.prefix };
    const byFlat = new Map<string, string[]>();
    for (const { name, flat } of this.#source.parameters) {
      const names = byFlat.get(String(flat));
      if (names) names.push(name);
      else byFlat.set(String(flat), [name]);
    }
    const groups = this.#first.optimizer.groups.map((group) => {
      return { ...group, ids: group.ids.flatMap((id) => byFlat.get(id) ?? []) };
    });
    const masters = groups.map(({ ids }) => ids.flatMap((id) => this.#masters.get(id) ?? []));
    const isWhole = masters.every((list, i) => list.length === groups[i]?.ids.length);
    return {
      optimizer: { prefix, file, states: this.#states, groups, masters: isWhole ? masters : null },
      owners: this.#owners,
      scalars: this.#scalars,
      tensors: this.#tensors,
    };
  }

  #name(parameter: FlatParameter): void {
    const { name, shape, elements, slices, flat } = parameter;
    const { prefix, model, mapping, ranks } = this.#source;
    const full = `${model.prefix}${name}`;
    const owner = model.tensors.get(name) ?? absentOwner(full, parameter);
    this.#owners.set(name, { tensor: owner, mapping });
    const join = (
      key: string,
      vectorOf: (share: RankVectors, slice: Slice) => Vector,
      from: readonly Slice[] = slices,
    ) => {
      const joined = joinSlices({ name: key, shape, elements, slices: from }, (slice) => {
        const share = ranks.get(slice.rank);
        return share && vectorOf(share, slice);
      });
      if (joined) this.#tensors.push(joined);
      return joined;
    };
    const master = join(`${prefix}master.${name}`, ({ masters }, slice) => masters[slice.flat]);
    if (master) this.#masters.set(name, master);
    const path = `${prefix}state.${name}`;
    const tensors = new Map<string, TensorDraft>();
    const stored = this.#first.optimizer.states.get(String(flat));
    for (const [key, vector] of stored?.tensors ?? []) {
      if (key === 'step' ? vector.elements === 1 : vector.shape.length === 0) {
        tensors.set(key, this.#single(`${path}.${key}`, vector));
      }
      if (vector.shape.length !== 1 || tensors.has(key)) continue;
      const stateOf = ({ optimizer }: RankVectors, slice: Slice) => {
        return optimizer.states.get(String(slice.flat))?.tensors.get(key);
      };
      const joined = join(`${path}.${key}`, stateOf, this.#slicesOf(parameter, key));
      if (joined) tensors.set(key, joined);
    }
    const step = this.#first.steps.get(String(flat));
    const counter = tensors.get('step');
    if (counter && step !== undefined) this.#scalars.set(counter.name, step);
    this.#states.set(name, { id: name, path, tensors, plain: stored?.plain ?? new Map() });
  }

  #slicesOf({ name, flat, slices }: FlatParameter, key: string): readonly Slice[] {
    if (!isOfWholes(this.#first.optimizer, flat, key)) return slices;
    this.#wholes ??= wholeSlices(this.#source.parameters);
    const whole = this.#wholes.get(name);
    return whole ? [whole] : [];
  }

  /** Every parameter of a vector takes each of its steps: the vector's counter is its own. */
  #single(name: string, stored: TensorDraft): TensorDraft {
    const single: TensorDraft = { ...stored, name, aliasOf: null };
    this.#tensors.push(single);
    return single;
  }
}

type Vector = TensorDraft | undefined;

/** A parameter whose own elements are in no file: ZeRO 3 keeps the master alone. */
export function absentOwner(name: string, { shape, elements }: Shape): TensorDraft {
  return {
    name,
    role: 'parameter',
    ...unowned,
    file: '',
    dtype: 'f32',
    shape,
    elements,
    placement: { kind: 'absent', reason: 'its elements lie with the ranks' },
  };
}
