/** Reads an optimizer's dictionary as it is, without concluding anything. */
import type { HyperValue } from '../../checkpoint/optimizer.ts';
import type { RawGroup, RawOptimizer, RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { maxStateItems } from '../pickle/limits.ts';
import { pickleLimit } from '../pickle/machine.ts';
import {
  entryOf,
  isDict,
  isObject,
  isSequence,
  isTagged,
  type PickleDict,
  type PickleValue,
} from '../pickle/values.ts';
import { type OptimizerDict, parentPath } from './optimizer-dicts.ts';
import type { SavedState } from './torch-file.ts';
import { below, childrenOf, keyText } from './tree-walk.ts';

/** Lists inside a state (LBFGS's directions, SOAP's matrices) are this deep at most. */
const maxStateDepth = 3;

/** Since 0.50 bitsandbytes keeps its tensors in a dictionary inside the state, away from FSDP. */
const quantizedState = '__bnb_optimizer_quant_state__';

/** Lists in groups hold betas, coefficients and small tables. */
const maxListDepth = 4;
const maxListItems = 10_000;

/** Lists of fp32 masters: Megatron's, its older name, and DeepSpeed's. */
const masterKeys = ['fp32_from_fp16_params', 'fp32_from_float16', 'fp32_groups'];

export interface ReaderOptions {
  /** File that the optimizer lies in. */
  readonly name: string;
  /** The number in the tensor of one element at a path, where it was read. */
  readonly tensorValue: (path: string) => number | undefined;
}

interface StateParts {
  readonly tensors: Map<string, TensorDraft>;
  readonly plain: Map<string, HyperValue>;
}

interface Place {
  readonly key: string;
  readonly path: string;
  readonly value: PickleValue;
  readonly depth: number;
}

interface Member {
  readonly key: PickleValue;
  readonly value: PickleValue;
  /** Of the dictionary that it lies in. */
  readonly path: string;
}

/** What a parameter's state holds; of bitsandbytes' inner dictionary as well, under its own keys. */
function* membersOf(state: PickleValue, path: string): Generator<Member> {
  for (const { key, value } of isDict(state) ? childrenOf(state) : []) {
    if (key !== quantizedState || !isDict(value)) yield { key, value, path };
    else for (const each of childrenOf(value)) yield { ...each, path: below(path, key) };
  }
}

/** One reader for all optimizers of a file: what they share is counted for each of them. */
export class OptimizerReader {
  readonly #file: SavedState;
  readonly #options: ReaderOptions;
  readonly #visited = new Set<PickleValue>();
  #spent = 0;

  constructor(file: SavedState, options: ReaderOptions) {
    this.#file = file;
    this.#options = options;
  }

  /** @throws LaikaError `limit-exceeded` where lists are shared beyond any use. */
  read(found: OptimizerDict): RawOptimizer {
    const { path, dict } = found;
    const stored = entryOf(dict, 'param_groups');
    const groups = (isSequence(stored) ? stored.items : []).map((group, i) => {
      return this.#group(group, below(below(path, 'param_groups'), i));
    });
    return {
      prefix: path === '' ? '' : `${path}.`,
      file: this.#options.name,
      states: this.#states(dict, path),
      groups,
      masters: this.#masters(found, groups),
    };
  }

  #spend(items: number): void {
    this.#spent += items;
    if (this.#spent > maxStateItems) {
      throw pickleLimit(this.#options.name, `more than ${maxStateItems} items in its optimizers`);
    }
  }

  #tensor(path: string, value: PickleValue): TensorDraft | undefined {
    return isObject(value) ? this.#file.byPath.get(path) : undefined;
  }

  #states(dict: PickleDict, path: string): Map<string, RawState> {
    const states = new Map<string, RawState>();
    const entries = entryOf(dict, 'state');
    for (const [id, state] of isDict(entries) ? entries.entries : []) {
      const statePath = below(below(path, 'state'), id);
      const parts: StateParts = { tensors: new Map(), plain: new Map() };
      for (const { key, value, path } of membersOf(state, statePath)) {
        this.#collect(parts, { key: keyText(key), path: below(path, key), value, depth: 0 });
      }
      const text = keyText(id);
      states.set(text, { id: text, path: statePath, ...parts });
    }
    return states;
  }

  /** What lies under one key of a state: a tensor, a number, or a list of tensors. */
  #collect(parts: StateParts, { key, path, value, depth }: Place): void {
    this.#spend(1);
    const tensor = this.#tensor(path, value);
    if (tensor) {
      parts.tensors.set(key, tensor);
      return;
    }
    if (!isTagged(value)) {
      const plain = this.#plain(value, path);
      if (plain !== undefined) parts.plain.set(key, plain);
      return;
    }
    // What is shared was listed under its first place.
    if (depth >= maxStateDepth || this.#visited.has(value)) return;
    this.#visited.add(value);
    for (const child of childrenOf(value)) {
      this.#collect(parts, {
        key: `${key}.${keyText(child.key)}`,
        path: below(path, child.key),
        value: child.value,
        depth: depth + 1,
      });
    }
  }

  #group(group: PickleValue, path: string): RawGroup {
    const hyper = new Map<string, HyperValue>();
    let ids: string[] = [];
    let names: string[] | null = null;
    for (const [key, value] of isDict(group) ? group.entries : []) {
      this.#spend(1);
      const text = keyText(key);
      if (text === 'params') ids = this.#texts(value);
      else if (text === 'param_names') names = this.#texts(value);
      else {
        const plain = this.#plain(value, below(path, key));
        if (plain !== undefined) hyper.set(text, plain);
      }
    }
    const step = this.#tensor(below(path, 'step'), entryOf(group, 'step') ?? null);
    // A list of another length says nothing about who is who.
    const matching = (names as string[] | null)?.length === ids.length ? names : null;
    return { hyper, ids, names: matching, stepDtype: step?.dtype ?? null };
  }

  #texts(value: PickleValue): string[] {
    if (!isSequence(value)) return [];
    this.#spend(value.items.length);
    return value.items.map((item) => keyText(item));
  }

  /** A plain value; undefined for anything that no law could read. */
  #plain(value: PickleValue, path: string, depth = 0): HyperValue | undefined {
    if (typeof value === 'bigint') return Number(value);
    if (value === null || typeof value === 'boolean') return value;
    if (typeof value === 'number' || typeof value === 'string') return value;
    if (!isTagged(value)) return undefined;
    if (!isSequence(value)) return isObject(value) ? this.#options.tensorValue(path) : undefined;
    if (value.items.length > maxListItems || depth >= maxListDepth) return undefined;
    this.#spend(value.items.length);
    const items: HyperValue[] = [];
    for (const [i, item] of value.items.entries()) {
      const plain = this.#plain(item, `${path}.${i}`, depth + 1);
      if (plain === undefined) return undefined;
      items.push(plain);
    }
    return items;
  }

  /**
   * Megatron and DeepSpeed keep `[[tensor, …], …]` beside the optimizer: a list for each group, in
   * its order.
   */
  #masters({ path, parent }: OptimizerDict, groups: readonly RawGroup[]): TensorDraft[][] | null {
    const key = masterKeys.find((each) => isSequence(entryOf(parent, each)));
    const lists = key === undefined ? undefined : entryOf(parent, key);
    if (!key || !isSequence(lists) || lists.items.length !== groups.length) return null;
    const base = below(parentPath(path), key);
    const masters = lists.items.map((list, group) => {
      const items = isSequence(list) ? list.items : [];
      this.#spend(items.length);
      return items.flatMap((item, i) => this.#tensor(`${base}.${group}.${i}`, item) ?? []);
    });
    const fits = masters.every((list, group) => list.length === groups[group]?.ids.length);
    return fits ? masters : null;
  }
}
