/** One mutated checkpoint: opened and read to its last byte. Only findings or typed errors may come of it. */
import { sizeBytes } from '../../src/checkpoint/dtype.ts';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import type { Tensor } from '../../src/checkpoint/tensor.ts';
import type { Engine } from '../../src/engines/engine.ts';
import { openSource } from '../../src/formats/open-checkpoint.ts';
import { scanPair } from '../../src/scan/scan.ts';
import type { Source } from '../../src/sources/source.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';
import { Random } from '../fuzz/random.ts';
import type { Specimen } from './corpus.ts';
import { MemorySource } from './memory-source.ts';
import { mutate } from './mutations.ts';

export interface Outcome {
  /** `findings`, `quiet`, or the code of a typed error; `breach`: something else was thrown. */
  readonly kind: string;
  /** Of a breach: its stack. */
  readonly detail?: string;
}

function sizeOf({ files }: Specimen): number {
  let bytes = 0;
  for (const { length } of files.values()) bytes += length;
  return bytes;
}

/** The copy that trial `trial` of seed `seed` makes of one of the specimens. */
export function mutated(specimens: readonly Specimen[], seed: number, trial: number) {
  const random = new Random(seed, trial);
  // Of two the smaller: large ones add time, not structure.
  const [one, other] = [random.pick(specimens), random.pick(specimens)];
  const specimen = sizeOf(one) <= sizeOf(other) ? one : other;
  return { specimen, files: mutate(specimen.files, random) };
}

/**
 * Opens the copy and reads the ends of some tensors; `whole`: scans it as `validate` does. Never
 * throws.
 */
export async function runTrial(
  { specimen, files }: ReturnType<typeof mutated>,
  engine: Engine,
  whole: boolean,
): Promise<Outcome> {
  try {
    const opened = await openSource(new MemorySource(files, specimen.isFile));
    const found = [...opened.checkpoint.problems];
    if (whole) {
      const { problems } = await scanPair({ head: opened, base: null, noBase: 'none' }, engine, {});
      found.push(...problems.head);
    } else {
      const { tensors } = opened.checkpoint;
      const step = Math.ceil(tensors.length / tensorsRead);
      for (let i = 0; i < tensors.length; i += step) {
        await readEnds(opened.source, tensors[i] as Tensor);
      }
    }
    const isDamaged = found.some(({ kind }) => kind !== 'info') || !opened.checkpoint.complete;
    return { kind: isDamaged ? 'findings' : 'quiet' };
  } catch (error) {
    if (isLaikaError(error)) return { kind: error.code };
    return { kind: 'breach', detail: error instanceof Error ? String(error.stack) : String(error) };
  }
}

const endElements = 64;

/** Tensors of which the ends are read, evenly spread. */
const tensorsRead = 12;

async function readEnds(source: Source, tensor: Tensor): Promise<void> {
  const count = Math.min(endElements, tensor.elements);
  const bytes = sizeBytes(tensor.dtype, count);
  if (tensor.placement.kind === 'absent' || bytes === null) return;
  for (const first of new Set([0, tensor.elements - count])) {
    // Types smaller than a byte are read in whole bytes.
    if (sizeBytes(tensor.dtype, first) === null) continue;
    await readTensorBytes(source, tensor, { first, count, into: new Uint8Array(bytes) });
  }
}
