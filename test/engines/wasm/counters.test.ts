import { beforeAll, describe, expect, it } from 'vitest';
import type { DType } from '../../../src/checkpoint/dtype.ts';
import { openReferenceEngine } from '../../../src/engines/reference/reference-engine.ts';
import { ByteSummary } from '../../../src/engines/wasm/byte-summary.ts';
import { HalfSummary } from '../../../src/engines/wasm/half-summary.ts';
import { JoinedSummary } from '../../../src/engines/wasm/join-summaries.ts';
import { type Kernels, loadKernels } from '../../../src/engines/wasm/kernels.ts';
import { dataAt } from '../../../src/engines/wasm/layout.ts';
import { writeFreshState } from '../../../src/engines/wasm/stream-state.ts';
import type { WasmStream } from '../../../src/engines/wasm/stream-summary.ts';
import { Views } from '../../../src/engines/wasm/views.ts';
import { randomBytes } from '../seeded.ts';
import { summarise } from '../tensors.ts';

const chunk = 8192;
const chunks = 5;

let kernels: Kernels;
let views: Views;

beforeAll(async () => {
  const loaded = await loadKernels();
  kernels = loaded.kernels;
  views = new Views(loaded.buffer);
  writeFreshState(views);
});

function streamOf(dtype: DType): WasmStream {
  const elements = chunk * chunks;
  return { kernels, views, slot: 3, dtype, elements, span: elements, data: dataAt, codes: dataAt };
}

describe('32-bit counters', () => {
  it.each(['bf16', 'u8'] as const)(
    'of %s lose nothing when they are emptied on the way',
    async (dtype) => {
      const size = dtype === 'u8' ? 1 : 2;
      const bytes = randomBytes(1, chunk * chunks * size);
      const stream = streamOf(dtype);
      const limit = 2 * chunk;
      const summary =
        dtype === 'u8' ? new ByteSummary(stream, limit) : new HalfSummary(stream, dtype, limit);
      for (let i = 0; i < chunks; i++) {
        views.u8.set(bytes.subarray(i * chunk * size, (i + 1) * chunk * size), dataAt);
        summary.add({ first: i * chunk, count: chunk });
      }
      const expected = await summarise(openReferenceEngine(), dtype, bytes);
      const joined = new JoinedSummary(dtype, bytes.length);
      joined.add(summary.part());
      expect({ ...joined.finish(), digests: expected.digests }).toEqual(expected);
    },
  );
});
