/** What becomes of a damaged file, in the words of the hostile fixtures, when all of it is read. */
import type { StoredChecksum } from '../../src/checkpoint/checkpoint.ts';
import { sizeBytes } from '../../src/checkpoint/dtype.ts';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import type { Format } from '../../src/formats/format.ts';
import { readChecksum } from '../../src/scan/checksums.ts';
import { decodedSource } from '../../src/sources/decoded-source.ts';
import type { Source } from '../../src/sources/source.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';
import { MemorySource } from './torch-zip/memory-source.ts';

async function matches(source: Source, stored: StoredChecksum): Promise<boolean> {
  return (await readChecksum(source, stored)) === stored.expected;
}

/** fine, problem, security, limit, a code, or `untyped` with a stack, which is never right. */
export async function outcomeOfBytes(
  format: Format,
  name: string,
  bytes: Uint8Array,
): Promise<string> {
  const memory = new MemorySource(name, bytes);
  try {
    const sighting = await memory.sighting();
    await format.complete(sighting);
    const { problems, tensors, checksums, encoded } = await format.open(sighting);
    const kinds = new Set(problems.map(({ kind }) => kind));
    if (kinds.has('security')) return 'security';
    if (kinds.has('damage')) return 'problem';
    const source = decodedSource(memory, encoded ?? []);
    for (const tensor of tensors) {
      if (tensor.placement.kind === 'absent') continue;
      const into = new Uint8Array(sizeBytes(tensor.dtype, tensor.elements) as number);
      await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
    }
    for (const stored of checksums) if (!(await matches(source, stored))) return 'problem';
    return 'fine';
  } catch (error) {
    if (!isLaikaError(error)) return `untyped: ${(error as Error).stack}`;
    if (error.code === 'bytes-damaged') return 'problem';
    return error.code === 'limit-exceeded' ? 'limit' : error.code;
  }
}

/** Outcomes of the file cut after each byte, `step` apart, by how many bytes were left. */
export async function cutOutcomes(
  format: Format,
  file: { readonly name: string; readonly bytes: Uint8Array },
  step = 1,
): Promise<Map<number, string>> {
  const outcomes = new Map<number, string>();
  for (let length = 0; length < file.bytes.length; length += step) {
    const outcome = await outcomeOfBytes(format, file.name, file.bytes.subarray(0, length));
    outcomes.set(length, outcome);
  }
  return outcomes;
}

/** Outcomes of the file with one bit inverted, at every `step`-th byte, by the byte. */
export async function flipOutcomes(
  format: Format,
  file: { readonly name: string; readonly bytes: Uint8Array },
  step = 1,
): Promise<Map<number, string>> {
  const outcomes = new Map<number, string>();
  for (let at = 0; at < file.bytes.length; at += step) {
    const copy = Uint8Array.from(file.bytes);
    copy[at] = (copy[at] as number) ^ (1 << (at % 8));
    outcomes.set(at, await outcomeOfBytes(format, file.name, copy));
  }
  return outcomes;
}
