/** What the tensors of distributed checkpoints are for. */
import { decodedSource } from '../../sources/decoded-source.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { windowSource } from '../../sources/window-source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { entryOf } from '../pickle/values.ts';
import { readScalar } from '../scalar-value.ts';
import { readContents, type TorchContents } from '../torch-zip/contents.ts';
import type { SavedState } from '../torch-zip/torch-file.ts';
import { storedStep } from '../torch-zip/trainer-state.ts';
import { mixedSaves, stepsByFile } from './mixed-saves.ts';
import type { OpenedDcp } from './open-dcp.ts';
import { buildStateTree, type StateLeaf } from './state-tree.ts';

export interface DcpContents extends TorchContents {
  readonly tensors: readonly TensorDraft[];
}

function leavesOf({ metadata, tensors, values }: OpenedDcp): StateLeaf[] {
  // Paths are in the order of the state that was saved; the metadata is sorted by rank.
  const names = new Set([...(metadata?.paths.keys() ?? []), ...tensors.keys(), ...values.keys()]);
  return [...names].flatMap((name): StateLeaf[] => {
    const content = tensors.get(name) ?? values.get(name);
    return content ? [{ name, path: metadata?.paths.get(name) ?? null, content }] : [];
  });
}

/** Tensors inside pickled values, under the names of those. */
function innerTensors({ values }: OpenedDcp): TensorDraft[] {
  return [...values].flatMap(([name, { byPath }]) => {
    return [...byPath].map(([path, draft]) => {
      draft.name = path === '' ? name : `${name}.${path}`;
      draft.aliasOf = null;
      return draft;
    });
  });
}

/**
 * Reads the state that lies in one distributed checkpoint, or in several that belong together.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readDcpContents(
  source: Source,
  parts: readonly OpenedDcp[],
): Promise<DcpContents> {
  const files = parts.flatMap((part) => part.files);
  const [metadata] = files as [SourceFile];
  const tensors = parts.flatMap((part) => [...part.tensors.values(), ...innerTensors(part)]);
  const state = buildStateTree(parts.flatMap(leavesOf), metadata.name);
  const encoded = parts.flatMap((part) => part.encoded);
  const from = windowSource(decodedSource(source, encoded), files);
  const contents = await readContents({ source: from, file: metadata }, state);
  const steps = stepsByFile(tensors, contents.optimizers);
  const problems = [
    ...contents.problems,
    ...parts.flatMap((part) => mixedSaves(part.files, steps)),
  ];
  const step = contents.step ?? (await trainStateStep(from, state));
  return { ...contents, step, problems, tensors };
}

/** TorchTitan counts in a state of its own, as a tensor or as a number. */
async function trainStateStep(source: Source, state: SavedState): Promise<number | null> {
  const told = storedStep(entryOf(state.root, 'train_state'));
  const tensor = state.byPath.get('train_state.step');
  if (told !== null || !tensor) return told;
  const step = await readScalar(source, tensor);
  return Number.isSafeInteger(step) && Number(step) >= 0 ? step : null;
}
