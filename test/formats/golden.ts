/** Compares what a format lists with what the framework that wrote the files says about them. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dtypeBits } from '../../src/checkpoint/dtype.ts';
import type { Tensor } from '../../src/checkpoint/tensor.ts';
import type { Source } from '../../src/sources/source.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';

export const fixtures = join(import.meta.dirname, '../fixtures/formats');

export interface ExpectedTensor {
  readonly name: string;
  readonly file?: string;
  readonly role: string;
  readonly parameter: string | null;
  readonly mapping?: string;
  readonly alias_of?: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly sha256: string;
  /** Of the float32 values, where `sha256` is of quantised blocks. */
  readonly dequantised_sha256?: string;
}

export interface ExpectedCheckpoint {
  readonly path: string;
  readonly complete: boolean;
  readonly step: number | null;
  readonly tensors: readonly ExpectedTensor[];
}

export interface ExpectedCase {
  readonly layout: string;
  readonly pairs?: readonly { base: string; head: string; steps: number }[];
  readonly checkpoints: readonly ExpectedCheckpoint[];
  readonly dropped?: Readonly<Record<string, string>>;
}

export function expectedOf(name: string): ExpectedCase {
  return JSON.parse(readFileSync(join(fixtures, name, 'expected.json'), 'utf8'));
}

/** SHA-256 of the logical bytes, fetched in runs of at most `elements` elements. */
export async function digestOf(source: Source, tensor: Tensor, elements = 64): Promise<string> {
  const hash = createHash('sha256');
  for (let first = 0; first < tensor.elements; first += elements) {
    const count = Math.min(elements, tensor.elements - first);
    const into = new Uint8Array((count * dtypeBits[tensor.dtype]) / 8);
    await readTensorBytes(source, tensor, { first, count, into });
    hash.update(into);
  }
  return hash.digest('hex');
}
