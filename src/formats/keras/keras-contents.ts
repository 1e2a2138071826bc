/** What an HDF5 file of Keras holds, wherever it lies: its tensors, and what they are for. */
import type { EncodedFile } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Tensor } from '../../checkpoint/tensor.ts';
import { decodedSource } from '../../sources/decoded-source.ts';
import type { Source } from '../../sources/source.ts';
import type { Hdf5Place } from '../hdf5/hdf5-bytes.ts';
import { type Hdf5File, readHdf5 } from '../hdf5/hdf5-file.ts';
import { tensorsOf } from '../hdf5/hdf5-tensors.ts';
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
function layoutOf({ groups }: Hdf5File): KerasContents['layout'] {
  const root = groups.get('');
  if (groups.has('model_weights') || root?.has('layer_names') || root?.has('keras_version')) {
    return 'keras-h5';
  }
  const marks = ['layers', 'optimizer', 'vars', '_layer_checkpoint_dependencies'];
  return marks.some((name) => groups.has(name)) ? 'keras-v3' : null;
}

/** Attributes of a whole model: its layers in one text, its optimizer in another. */
function attributeConfig({ groups }: Hdf5File, file: string): KerasConfig {
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

/**
 * Reads the HDF5 file at `place`; `config` where it lies beside the file and not in it.
 * @throws LaikaError as `readHdf5`.
 */
export async function readKerasContents(
  source: Source,
  place: Hdf5Place,
  from: { readonly listedIn: string; readonly config: KerasConfig | null },
): Promise<KerasContents> {
  const hdf5 = await readHdf5(source, place);
  const { tensors, encoded, problems, isWhole } = tensorsOf(hdf5.arrays, place, from.listedIn);
  const own = decodedSource(source, encoded);
  const layout = layoutOf(hdf5);
  const config = from.config ?? attributeConfig(hdf5, from.listedIn);
  const headers = new Map(hdf5.arrays.map(({ path, header }) => [path, header]));
  const { optimizers, step } =
    layout === 'keras-h5'
      ? await readLegacyVariables(own, tensors, config)
      : await readKerasVariables(own, { tensors, headers, groups: hdf5.groups }, config);
  return {
    layout,
    step,
    tensors,
    encoded,
    optimizers,
    problems: [...hdf5.problems, ...problems, ...config.problems],
    isWhole: hdf5.isWhole && isWhole,
  };
}
