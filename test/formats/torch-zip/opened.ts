/** Opening a file as the formats of this folder do, and what its bytes say beyond that. */
import { crc32 } from 'node:zlib';
import type { Checkpoint } from '../../../src/checkpoint/checkpoint.ts';
import { sizeBytes } from '../../../src/checkpoint/dtype.ts';
import { isLaikaError } from '../../../src/checkpoint/errors.ts';
import type { Tensor } from '../../../src/checkpoint/tensor.ts';
import type { Format } from '../../../src/formats/format.ts';
import { sight } from '../../../src/formats/sighting.ts';
import { torchZip } from '../../../src/formats/torch-zip/torch-zip.ts';
import { openLocalSource } from '../../../src/sources/local.ts';
import type { Source } from '../../../src/sources/source.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { MemorySource } from './memory-source.ts';

export interface Opened {
  readonly checkpoint: Checkpoint;
  readonly source: Source;
}

export async function openPath(path: string, format: Format = torchZip): Promise<Opened> {
  const source = await openLocalSource(path);
  return { checkpoint: await format.open(await sight(source)), source };
}

export async function openBytes(bytes: Uint8Array, name = 'model.pt'): Promise<Opened> {
  const source = new MemorySource(name, bytes);
  return { checkpoint: await torchZip.open(await source.sighting()), source };
}

export async function logicalBytes(source: Source, tensor: Tensor): Promise<Buffer> {
  const into = Buffer.alloc(sizeBytes(tensor.dtype, tensor.elements) as number);
  await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
  return into;
}

/** Members whose bytes do not have the checksum that the file stores. */
export async function wrongChecksums({ checkpoint, source }: Opened): Promise<string[]> {
  const wrong: string[] = [];
  for (const { file, member, offset, length, expected } of checkpoint.checksums) {
    const bytes = Buffer.alloc(length);
    await source.read(file, offset, bytes);
    if (crc32(bytes) !== expected) wrong.push(member);
  }
  return wrong;
}

/** In the words of the hostile fixtures: fine, problem, security, limit, not-a-checkpoint. */
export async function outcomeOf(open: () => Promise<Opened>): Promise<string> {
  try {
    const opened = await open();
    const kinds = new Set(opened.checkpoint.problems.map(({ kind }) => kind));
    if (kinds.has('security')) return 'security';
    if (kinds.has('damage') || (await wrongChecksums(opened)).length > 0) return 'problem';
    return 'fine';
  } catch (error) {
    if (!isLaikaError(error)) return `untyped: ${(error as Error).stack}`;
    return error.code === 'limit-exceeded' ? 'limit' : error.code;
  }
}

export function tensorOf({ checkpoint }: Opened, name: string): Tensor {
  const tensor = checkpoint.tensors.find((each) => each.name === name);
  if (!tensor) throw new Error(`no tensor ${name} among ${checkpoint.tensors.map((t) => t.name)}`);
  return tensor;
}
