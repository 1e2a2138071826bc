/**
 * The nested state that was saved, put together again from its flattened names, so that it reads
 * like a file of torch.save: models, optimizers and schedulers are found in it in the same way.
 */
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { emptyDict, isDict, type PickleDict, type PickleValue } from '../pickle/values.ts';
import { readTensor } from '../torch-zip/rebuild.ts';
import type { Container, SavedState } from '../torch-zip/torch-file.ts';
import { below, keyText, walkTree } from '../torch-zip/tree-walk.ts';
import { flatAtRoot, groupsOf, isFlatState, unflattenedPath } from './flat-optimizer.ts';
import type { DcpItem } from './items.ts';

/** One name of the flattened state. */
export interface StateLeaf {
  readonly name: string;
  /** Null: the name itself is the path. */
  readonly path: readonly (string | number)[] | null;
  readonly content: TensorDraft | DcpItem;
}

type Key = string | number;

interface Branch {
  readonly parent: PickleDict;
  readonly key: Key;
  readonly dict: PickleDict;
}

function isTensor(content: StateLeaf['content']): content is TensorDraft {
  return 'placement' in content;
}

/** Stands where a tensor stood. */
function placeholder(): PickleValue {
  const nothing = { state: undefined, items: null, entries: null };
  return { kind: 'object', made: 'new', callee: null, args: [], offset: 0, ...nothing };
}

class TreeBuilder {
  readonly root = emptyDict();
  readonly drafts = new Map<PickleValue, TensorDraft>();
  /** In the order in which they were made: parents first. */
  readonly #branches: Branch[] = [];
  readonly #known = new Set<PickleValue>([this.root]);

  /** Puts a value at its path; where that runs through another value, under its name at the root. */
  put(path: readonly Key[], leaf: StateLeaf): void {
    const value = this.#valueOf(leaf.content);
    const key = path.at(-1) as Key;
    const home = this.#home(path.slice(0, -1));
    if (home && !home.entries.has(key)) home.entries.set(key, value);
    else this.root.entries.set(leaf.name, value);
  }

  /** Dictionaries whose keys count from zero were lists, but for an optimizer's numbered states. */
  finish(): void {
    for (const { parent, key, dict } of this.#branches.toReversed()) {
      const isList = key !== 'state' && [...dict.entries.keys()].every((each, i) => each === i);
      const list: PickleValue = { kind: 'list', items: [...dict.entries.values()] };
      const groups = key === 'param_groups' && !isList ? groupsOf(dict) : undefined;
      if (isList) parent.entries.set(key, list);
      else if (groups) parent.entries.set(key, groups);
      // SGD without momentum keeps groups and no state.
      if (groups && !parent.entries.has('state')) parent.entries.set('state', emptyDict());
    }
  }

  #valueOf(content: StateLeaf['content']): PickleValue {
    if (!isTensor(content)) return content.root ?? null;
    const value = placeholder();
    this.drafts.set(value, content);
    return value;
  }

  #home(path: readonly Key[]): PickleDict | null {
    let dict = this.root;
    for (const key of path) {
      const next = dict.entries.get(key);
      if (next === undefined) {
        const made = emptyDict();
        this.#branches.push({ parent: dict, key, dict: made });
        this.#known.add(made);
        dict.entries.set(key, made);
        dict = made;
      } else if (isDict(next) && this.#known.has(next)) dict = next;
      else return null;
    }
    return dict;
  }
}

/** Before torch 2.0 nothing but the name says where a tensor lay; models were kept under a few. */
function pathOf(name: string): readonly Key[] {
  const match = /^(model|module|state_dict)\.(.+)$/.exec(name);
  return match ? [match[1] as string, match[2] as string] : [name];
}

/**
 * Where a model and its optimizer's flattened state were saved in one dictionary: what each of
 * their leaves lacks above it.
 */
function mergedAtRoot(
  leaves: readonly StateLeaf[],
  paths: readonly (readonly Key[])[],
): ReadonlyMap<StateLeaf, readonly Key[]> {
  const flat = isFlatState(paths);
  const names = flatAtRoot(paths);
  const above = new Map<StateLeaf, readonly Key[]>();
  if (paths.some(([first]) => first === 'model' || first === 'optimizer')) return above;
  let models = 0;
  for (const [i, leaf] of leaves.entries()) {
    const path = paths[i] as readonly Key[];
    if (path.length !== 1) continue;
    if (flat(path)) above.set(leaf, ['optimizer']);
    else if (isTensor(leaf.content) && names.has(String(path[0]))) {
      above.set(leaf, ['model']);
      models += 1;
    }
  }
  return models > 0 ? above : new Map();
}

/**
 * Builds the tree; `where` is named when a limit is passed.
 * @throws LaikaError `limit-exceeded` for nesting past any use.
 */
export function buildStateTree(leaves: readonly StateLeaf[], where: string): SavedState {
  const builder = new TreeBuilder();
  const paths = leaves.map(({ name, path }) => path ?? pathOf(name));
  const flat = isFlatState(paths);
  const merged = mergedAtRoot(leaves, paths);
  const items: { path: string; item: DcpItem }[] = [];
  for (const [i, leaf] of leaves.entries()) {
    const stored = paths[i] as readonly Key[];
    const nested = flat(stored) ? unflattenedPath(stored) : stored;
    const path = [...(merged.get(leaf) ?? []), ...nested];
    builder.put(path, leaf);
    if (!isTensor(leaf.content) && leaf.content.byPath.size > 0) {
      items.push({ path: path.map((key) => keyText(key)).join('.'), item: leaf.content });
    }
  }
  builder.finish();
  const containers: Container[] = [];
  const byPath = new Map<string, TensorDraft>();
  walkTree(builder.root, where, {
    leaf: (path, value) => {
      const draft = builder.drafts.get(value);
      if (draft) byPath.set(path, draft);
      return draft !== undefined || readTensor(value) !== null;
    },
    container: (path, value) => void containers.push({ path, value }),
  });
  for (const { path, item } of items) {
    for (const [inner, draft] of item.byPath) byPath.set(below(path, inner), draft);
  }
  return { root: builder.root, containers, byPath };
}
