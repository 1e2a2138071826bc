/** What an HDF5 file of Keras holds, wherever it lies: its tensors, and what they are for. */
import type { EncodedFile } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Tensor } from '../../checkpoint/tensor.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import type { Source } from '../../sources/source.ts';
import type { Hdf5Place } from '../hdf5/hdf5-bytes.ts';
import { type Hdf5Array, type Hdf5File, readHdf5, type Texts } from '../hdf5/hdf5-file.ts';
import { tensorsOf } from '../hdf5/hdf5-tensors.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import { type KerasConfig, noConfig, readKerasConfig } from './keras-config.ts';
import { readLegacyVariables } from './keras-legacy.ts';
import { readKerasVariables } from './keras-variables.ts';

export interface KerasContents {
  /** Null: nothing says that Keras wrote it. */
  readonly layout: 'keras-v3' | 'keras-h5' | null;
  readonly step: number | null;
  readonly tensors: readonly Tensor[];
  readonly encoded: readonly EncodedFile[];
  readonly optimizers: readonly Optimizer[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/** Newer files keep layers in groups of these names; older ones say which version wrote them. */
function layoutOf({ groups }: Pick<Hdf5File, 'groups'>): KerasContents['layout'] {
  const root = groups.get('');
  if (groups.has('model_weights') || root?.has('layer_names') || root?.has('keras_version')) {
    return 'keras-h5';
  }
  const marks = ['layers', 'optimizer', 'vars', '_layer_checkpoint_dependencies'];
  return marks.some((name) => groups.has(name)) ? 'keras-v3' : null;
}

/** Attributes of a whole model: its layers in one text, its optimizer in another. */
function attributeConfig({ groups }: Pick<Hdf5File, 'groups'>, file: string): KerasConfig {
  const root = groups.get('');
  const parts = ['model_config', 'training_config'].map((where) => {
    const text = root?.get(where)?.[0];
    return text === undefined ? noConfig : readKerasConfig({ text, file, where });
  });
  const [model, training] = parts as [KerasConfig, KerasConfig];
  return {
    settings: training.settings,
    layers: model.layers,
    constrains: model.constrains || training.constrains,
    problems: [...model.problems, ...training.problems],
  };
}

/** One HDF5 file; `listedIn` is the real one, which the user knows. */
export interface KerasPart {
  readonly place: Hdf5Place;
  readonly listedIn: string;
}

/**
 * Reads the HDF5 files that are one model, mostly one alone; `config` where it lies beside them and
 * not in them.
 * @throws LaikaError as `readHdf5`.
 */
export async function readKerasContents(
  source: Source,
  parts: readonly [KerasPart, ...KerasPart[]],
  config: KerasConfig | null,
): Promise<KerasContents> {
  const joined = await joinedParts(source, parts);
  const { hdf5, tensors, encoded } = joined;
  const own = decodedSource(source, encoded);
  const layout = layoutOf(hdf5);
  const told = config ?? attributeConfig(hdf5, parts[0].listedIn);
  const headers = new Map(hdf5.arrays.map(({ path, header }) => [path, header]));
  const { optimizers, step } =
    layout === 'keras-h5'
      ? await readLegacyVariables(own, tensors, told)
      : await readKerasVariables(own, { tensors, headers, groups: hdf5.groups }, told);
  return {
    layout,
    step,
    tensors,
    encoded,
    optimizers,
    problems: [...joined.problems, ...told.problems],
    isWhole: joined.isWhole,
  };
}

interface Joined {
  readonly hdf5: Pick<Hdf5File, 'arrays' | 'groups'>;
  readonly tensors: readonly TensorDraft[];
  readonly encoded: readonly EncodedFile[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/** All parts as one file, whose arrays were made part by part. */
async function joinedParts(source: Source, parts: readonly KerasPart[]): Promise<Joined> {
  const problems = new ProblemList();
  const arrays: Hdf5Array[] = [];
  const groups = new Map<string, Texts>();
  const tensors = new Map<string, TensorDraft>();
  const encoded: EncodedFile[] = [];
  let isWhole = true;
  let before = 0;
  for (const { place, listedIn } of parts) {
    const hdf5 = await readHdf5(source, place);
    const found = tensorsOf(hdf5.arrays, place, listedIn);
    problems.addAll(hdf5.problems);
    problems.addAll(found.problems);
    for (const each of found.encoded) encoded.push(each);
    for (const each of hdf5.arrays) arrays.push({ ...each, header: before + each.header });
    for (const [path, texts] of hdf5.groups) {
      groups.set(path, new Map([...texts, ...(groups.get(path) ?? [])]));
    }
    for (const tensor of found.tensors) {
      const known = tensors.get(tensor.name);
      if (!known) tensors.set(tensor.name, tensor);
      else problems.add(repeatedIn(tensor, known));
    }
    isWhole = isWhole && hdf5.isWhole && found.isWhole;
    before += place.sizeBytes;
  }
  const hdf5 = { arrays, groups };
  return { hdf5, tensors: [...tensors.values()], encoded, problems: problems.toArray(), isWhole };
}

function repeatedIn({ name, file }: TensorDraft, known: TensorDraft): Problem {
  const message = `${known.file} holds an array of this name too`;
  return { rule: 'duplicate-name', kind: 'security', file, tensor: name, message };
}
