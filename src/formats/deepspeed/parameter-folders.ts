/** `zero/<parameter>/<key>.pt`: one file for each tensor of each parameter, whole. */

import type { HyperValue } from '../../checkpoint/optimizer.ts';
import type { SourceFile } from '../../sources/source.ts';
import type { RawState } from '../optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import type { TorchParts } from '../torch-parts.ts';
import { readScalars } from '../torch-zip/scalars.ts';
import type { Shape } from './stored-values.ts';

const fileName = /^zero\/(.+)\/([^/]+)\.pt$/;

/** The key under which the fp32 weights lie. */
const masterKey = 'fp32';

export interface ParameterFolder {
  readonly name: string;
  /** Files by what they hold: `fp32`, `exp_avg`, `step`. */
  readonly files: ReadonlyMap<string, SourceFile>;
}

/** Folders of parameters, in the order of their names. */
export function parameterFolders(files: readonly SourceFile[]): readonly ParameterFolder[] {
  const folders = new Map<string, Map<string, SourceFile>>();
  for (const file of files) {
    const match = fileName.exec(file.name);
    if (!match) continue;
    const [name, key] = [match[1] as string, match[2] as string];
    const own = folders.get(name) ?? new Map<string, SourceFile>();
    folders.set(name, own.set(key, file));
  }
  return [...folders].map(([name, own]) => ({ name, files: own }));
}

/** True where an optimizer moves the parameter: frozen, tied and buffer tensors have weights alone. */
export function isTrained({ files }: ParameterFolder): boolean {
  return [...files.keys()].some((key) => key !== masterKey);
}

export interface ReadParameter {
  readonly state: RawState;
  readonly master: TensorDraft | null;
  /** Its counter where one is stored, and the file of it. */
  readonly step: number | null;
  readonly stepFile: string | null;
  readonly tensors: readonly TensorDraft[];
}

/**
 * Reads the files of one parameter. `shape`: what a flat tensor is to be seen as.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readParameter(
  parts: TorchParts,
  folder: ParameterFolder,
  shape: Shape | null,
): Promise<ReadParameter> {
  const { name, files } = folder;
  const path = `optimizer.state.${name}`;
  const tensors = new Map<string, TensorDraft>();
  const plain = new Map<string, HyperValue>();
  let master: TensorDraft | null = null;
  let step: number | null = null;
  for (const [key, file] of files) {
    const torch = await parts.read(file);
    if (!torch) continue;
    if (typeof torch.root === 'number') plain.set(key, torch.root);
    const tensor = torch.byPath.get('param') ?? torch.byPath.get('');
    if (!tensor) continue;
    if (key === masterKey) {
      master = shaped({ ...tensor, name: `optimizer.master.${name}` }, shape);
      continue;
    }
    const draft = shaped({ ...tensor, name: `${path}.${key}` }, shape);
    tensors.set(key, draft);
    if (key !== 'step') continue;
    const from = { source: parts.source, file: file.name, sizeBytes: file.sizeBytes };
    step = (await readScalars(from, [draft])).get(draft.name) ?? null;
  }
  const counted = plain.get('step');
  return {
    state: { id: name, path, tensors, plain },
    master,
    step: step ?? (typeof counted === 'number' ? counted : null),
    stepFile: files.get('step')?.name ?? null,
    tensors: master ? [master, ...tensors.values()] : [...tensors.values()],
  };
}

/** Stage 3 leaves tensors flat; the bytes are the same in any shape. */
function shaped(tensor: TensorDraft, to: Shape | null): TensorDraft {
  const isFlat = tensor.shape.length === 1 && tensor.placement.kind === 'dense';
  if (!to || !isFlat || tensor.elements !== to.elements) return tensor;
  return { ...tensor, shape: to.shape };
}
