/** Weights in several files of torch.save with an index: `pytorch_model-00001-of-00002.bin`. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import { fileStateOf, type Source, type SourceFile } from '../sources/source.ts';
import type { Format, Sighting } from './format.ts';
import { markModel } from './optimizer-state/model-tensors.ts';
import type { TensorDraft } from './optimizer-state/tensor-draft.ts';
import { readIndex, type SafetensorsIndex } from './safetensors-index.ts';
import { TorchParts } from './torch-parts.ts';

export const torchSharded: Format = {
  id: 'torch-sharded',
  title: 'PyTorch: weights in several files of torch.save with an index',
  recognise: ({ source, files }) => (!source.isFile && indexOf(files) ? 'certain' : 'no'),
  complete: async (sighting) => (await open(sighting)).complete,
  open,
};

function indexOf(files: readonly SourceFile[]): SourceFile | undefined {
  return files.find(({ name }) => /^[^/]+\.bin\.index\.json$/.test(name));
}

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const index = indexOf(files) as SourceFile;
  const reader = new ShardReader(source, await readIndex(source, index));
  await reader.read(files);
  const { parts } = reader;
  markModel({ prefix: '', tensors: reader.tensors, order: 'order' });
  return {
    path: source.path,
    layout: 'torch-sharded',
    step: null,
    complete: reader.isWhole && parts.isWhole,
    files: [index, ...parts.files].map(fileStateOf),
    tensors: [...reader.tensors.values()],
    optimizers: [],
    frozen: [],
    tied: reader.tied,
    hasScheduler: false,
    checksums: parts.checksums,
    problems: parts.problems.toArray(),
  };
}

class ShardReader {
  readonly parts: TorchParts;
  readonly tensors = new Map<string, TensorDraft>();
  readonly tied: (readonly [string, string])[] = [];
  readonly #index: SafetensorsIndex;
  isWhole: boolean;

  constructor(source: Source, index: SafetensorsIndex) {
    this.parts = new TorchParts(source);
    this.parts.problems.addAll(index.problems);
    this.#index = index;
    this.isWhole = index.shardOf !== null;
  }

  async read(files: readonly SourceFile[]): Promise<void> {
    const mapped = new Map<string, string[]>();
    for (const [tensor, shard] of this.#index.shardOf ?? []) {
      const names = mapped.get(shard);
      if (names) names.push(tensor);
      else mapped.set(shard, [tensor]);
    }
    for (const [name, names] of [...mapped].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const file = files.find((each) => each.name === name);
      if (file) await this.#shard(file, names);
      else {
        this.isWhole = false;
        const message = `the index maps ${names.length} tensors to this file, which is not there`;
        this.#damage('shard-missing', { file: name, message });
      }
    }
  }

  async #shard(file: SourceFile, mapped: readonly string[]): Promise<void> {
    const torch = await this.parts.read(file);
    if (!torch || torch.root === undefined) return;
    this.tied.push(...torch.tied);
    for (const tensor of torch.tensors) {
      const home = this.#index.shardOf?.get(tensor.name);
      const about = { file: file.name, tensor: tensor.name };
      if (home === undefined) {
        const message = 'this shard holds it, the index does not list it';
        this.#damage('tensor-unlisted', { ...about, message });
      }
      if (this.tensors.has(tensor.name) || (home !== undefined && home !== file.name)) {
        this.#damage('duplicate-name', { ...about, message: 'it lies in another shard too' });
      } else this.tensors.set(tensor.name, tensor);
    }
    for (const tensor of mapped) {
      if (torch.byPath.has(tensor)) continue;
      const message = 'the index maps it to this file, which does not hold it';
      this.#damage('tensor-missing', { file: file.name, tensor, message });
    }
  }

  #damage(rule: Problem['rule'], problem: Omit<Problem, 'rule' | 'kind'>): void {
    this.parts.problems.add({ rule, kind: 'damage', ...problem });
  }
}
