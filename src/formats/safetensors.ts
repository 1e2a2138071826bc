/** A single safetensors file, or a folder that `save_pretrained` filled: weights, or Laika's snapshot. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { SourceFile } from '../sources/source.ts';
import type { Format, Sighting } from './format.ts';
import { headerBytesMost, readSafetensorsFile, type SafetensorsFile } from './safetensors-file.ts';
import { isSnapshot, readSnapshot, type Snapshot, snapshotStep } from './snapshot.ts';

/** Names under which a folder holds its weights in one file, best first. */
const folderNames = [
  'model.safetensors',
  'adapter_model.safetensors',
  'diffusion_pytorch_model.safetensors',
];

/** Other files that hold state: a folder with them is more than this layout reads. */
const otherState = /\.(pt|pth|bin|ckpt|pkl|distcp)$|^\.metadata$/;

export const safetensors: Format = {
  id: 'safetensors',
  title: 'safetensors: weights in one file, or a Laika snapshot',
  recognise,
  complete: async (sighting) => (await readOnly(sighting)).isWhole,
  open,
  step,
};

/** Only a snapshot's header tells it. */
async function step(sighting: Sighting): Promise<number | null> {
  const file = await readOnly(sighting);
  return isSnapshot(file) ? snapshotStep(file) : null;
}

function recognise(sighting: Sighting): 'certain' | 'named' | 'no' {
  const file = weightsOf(sighting);
  if (!file) return 'no';
  if (sighting.source.isFile && looksLikeHeader(sighting.head, file.sizeBytes)) return 'certain';
  if (sighting.source.isFile && saysNothing(sighting.head, file.sizeBytes)) return 'no';
  return file.name.endsWith('.safetensors') ? 'named' : 'no';
}

/** A length that fits, then spaces and an opening brace. */
function looksLikeHeader(head: Uint8Array, sizeBytes: number): boolean {
  if (head.length < 10) return false;
  const view = new DataView(head.buffer, head.byteOffset);
  const length = view.getBigUint64(0, true);
  if (length < 2n || length > headerBytesMost || length > sizeBytes - 8) return false;
  let at = 8;
  while (head[at] === 0x20) at += 1;
  return head[at] === 0x7b;
}

/** The shortest entry of a tensor takes more, in JSON. */
const entryLeast = 48;

/** A length that no file can have, and no room for a tensor after it: only the name speaks for it. */
function saysNothing(head: Uint8Array, sizeBytes: number): boolean {
  if (head.length < 8 || sizeBytes >= 8 + entryLeast) return false;
  return new DataView(head.buffer, head.byteOffset).getBigUint64(0, true) >= 2n ** 63n;
}

function weightsOf({ source, files }: Sighting): SourceFile | undefined {
  if (source.isFile) return files[0];
  for (const name of folderNames) {
    const found = files.find((file) => file.name === name);
    if (found) return found;
  }
  return undefined;
}

async function readOnly(sighting: Sighting): Promise<SafetensorsFile> {
  return readSafetensorsFile(sighting.source, weightsOf(sighting) as SourceFile);
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const file = await readOnly(sighting);
  const contents = isSnapshot(file)
    ? await readSnapshot(sighting.source, file)
    : plainContents(file);
  return {
    path: sighting.source.path,
    layout: 'safetensors',
    step: contents.step,
    complete: file.isWhole,
    files: [file.file],
    tensors: contents.tensors,
    optimizers: contents.optimizers,
    frozen: contents.frozen,
    tied: contents.tied,
    hasScheduler: false,
    checksums: [],
    problems: [...file.problems, ...contents.problems, ...otherFiles(sighting, file)],
  };
}

function plainContents(file: SafetensorsFile): Snapshot {
  const { tensors } = file;
  return { step: null, tensors, optimizers: [], frozen: [], tied: tiesOf(file), problems: [] };
}

/** `save_model` drops tied tensors and notes them: believed where the kept name is a tensor. */
export function tiesOf(file: SafetensorsFile): [string, string][] {
  if (file.metadata.size === 0) return [];
  const names = new Set(file.tensors.map((tensor) => tensor.name));
  return [...file.metadata].filter(([name, kept]) => names.has(kept) && !names.has(name));
}

function otherFiles(sighting: Sighting, { file }: SafetensorsFile): Checkpoint['problems'] {
  if (sighting.source.isFile) return [];
  const unread = sighting.files.filter(({ name }) => name !== file.name && otherState.test(name));
  return unread.slice(0, 100).map(({ name }) => ({
    rule: 'note',
    kind: 'info',
    file: name,
    message: 'this file is not read as part of a folder of weights',
  }));
}
