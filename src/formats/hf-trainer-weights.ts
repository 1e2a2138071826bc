/** The weights in a folder of the Hugging Face Trainer, in any of the forms that it writes. */
import type { StoredChecksum } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { markModel } from './optimizer-state/model-tensors.ts';
import type { ModelTensors } from './optimizer-state/raw-optimizer.ts';
import type { TensorDraft } from './optimizer-state/tensor-draft.ts';
import { ProblemList } from './problem-list.ts';
import { tiesOf } from './safetensors.ts';
import { readSafetensorsFile } from './safetensors-file.ts';
import { findIndex, readShardedSafetensors } from './safetensors-sharded.ts';
import { readTorchFile } from './torch-zip/torch-file.ts';

export interface TrainerWeights {
  readonly models: readonly ModelTensors[];
  readonly files: readonly SourceFile[];
  readonly tied: readonly (readonly [string, string])[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

const wholeFiles = ['model.safetensors', 'adapter_model.safetensors'];
const torchFiles = ['pytorch_model.bin', 'adapter_model.bin', 'pytorch_model_fsdp.bin'];
const safetensorsShard = /^model[^/]*-[0-9]{5}-of-[0-9]{5}\.safetensors$/;
const torchShard = /^pytorch_model-([0-9]{5})-of-([0-9]{5})\.bin$/;

/** Files with weights among those of one folder; the forms exclude each other, in this order. */
export function weightFilesOf(files: readonly SourceFile[]): readonly SourceFile[] {
  const named = (names: readonly string[]) => files.filter(({ name }) => names.includes(name));
  const matching = (pattern: RegExp) => files.filter(({ name }) => pattern.test(name));
  const index = findIndex(files);
  const forms = [
    index ? [index, ...matching(safetensorsShard)] : [],
    named(wholeFiles),
    matching(safetensorsShard),
    named(torchFiles),
    matching(torchShard),
  ];
  return forms.find((form) => form.length > 0) ?? [];
}

/**
 * Lists the weights among `files`, the files of the folder itself.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readTrainerWeights(
  source: Source,
  files: readonly SourceFile[],
): Promise<TrainerWeights> {
  const chosen = weightFilesOf(files);
  if (chosen.some(({ name }) => name.endsWith('.bin'))) return readTorchWeights(source, chosen);
  const sharded = chosen.some(({ name }) => !wholeFiles.includes(name));
  return sharded ? readShards(source, files) : readWhole(source, chosen);
}

function modelOf(tensors: readonly Tensor[]): ModelTensors {
  const drafts = new Map<string, TensorDraft>(
    tensors.map((tensor) => [tensor.name, { ...tensor }]),
  );
  // safetensors sorts by type and name: how the model defines its parameters is lost.
  const model: ModelTensors = { prefix: '', tensors: drafts, order: 'sorted' };
  markModel(model);
  return model;
}

async function readWhole(source: Source, files: readonly SourceFile[]): Promise<TrainerWeights> {
  const problems = new ProblemList();
  const tensors: Tensor[] = [];
  const tied: (readonly [string, string])[] = [];
  let isWhole = true;
  for (const file of files) {
    const read = await readSafetensorsFile(source, file);
    problems.addAll(read.problems);
    tensors.push(...read.tensors);
    tied.push(...tiesOf(read));
    isWhole = isWhole && read.isWhole;
  }
  const models = files.length > 0 ? [modelOf(tensors)] : [];
  return { models, files, tied, checksums: [], problems: problems.toArray(), isWhole };
}

async function readShards(source: Source, files: readonly SourceFile[]): Promise<TrainerWeights> {
  const { tensors, tied, problems, isWhole, ...read } = await readShardedSafetensors(source, files);
  const names = new Set(read.files.map(({ name }) => name));
  const own = files.filter(({ name }) => names.has(name));
  return { models: [modelOf(tensors)], files: own, tied, checksums: [], problems, isWhole };
}

/** Shards that their own names promise and that are not there. */
function missingShards(files: readonly SourceFile[]): Problem[] {
  const found = files.flatMap(({ name }) => {
    const match = torchShard.exec(name);
    return match ? [{ number: Number(match[1]), count: match[2] as string }] : [];
  });
  const [first] = found;
  if (!first) return [];
  const present = new Set(found.map(({ number }) => number));
  const missing: Problem[] = [];
  for (let number = 1; number <= Number(first.count) && missing.length < 100; number += 1) {
    if (present.has(number)) continue;
    const file = `pytorch_model-${String(number).padStart(5, '0')}-of-${first.count}.bin`;
    const message = 'a shard of the weights is missing';
    missing.push({ rule: 'shard-missing', kind: 'damage', file, message });
  }
  return missing;
}

async function readTorchWeights(
  source: Source,
  files: readonly SourceFile[],
): Promise<TrainerWeights> {
  const problems = new ProblemList();
  const missing = missingShards(files);
  problems.addAll(missing);
  const tensors = new Map<string, TensorDraft>();
  const tied: (readonly [string, string])[] = [];
  const checksums: StoredChecksum[] = [];
  let isWhole = missing.length === 0;
  for (const file of files) {
    const torch = await readTorchFile(source, file.name, file.sizeBytes);
    problems.addAll(torch.problems);
    for (const tensor of torch.tensors) {
      if (!tensors.has(tensor.name)) tensors.set(tensor.name, tensor);
    }
    tied.push(...torch.tied);
    checksums.push(...torch.checksums);
    isWhole = isWhole && torch.isWhole;
  }
  // One file keeps the model's order; shards keep it from one to the next.
  const model: ModelTensors = { prefix: '', tensors, order: 'order' };
  markModel(model);
  return { models: [model], files, tied, checksums, problems: problems.toArray(), isWhole };
}
