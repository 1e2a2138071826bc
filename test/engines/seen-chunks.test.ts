/** An engine that leaves a part of a sweep to another one sees the bytes that the other reads. */
import { describe, expect, it } from 'vitest';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';
import { randomBytes } from './seeded.ts';
import { contextOf, denseStream, sweepOf } from './tensors.ts';

const file = randomBytes(1, 2_500_000);

describe.each([
  ['reference', async () => openReferenceEngine()],
  ['wasm', openWasmEngine],
] as const)('the %s engine', (_, open) => {
  it('shows every chunk in order to whoever asks', async () => {
    const engine = await open();
    const streams = {
      wB: denseStream('f32', [{ file: 'a', offset: 4, elements: 600_000 }]),
      copyB: denseStream('bf16', [{ file: 'a', offset: 1, elements: 600_000 }]),
    };
    const shown = { wB: [] as Uint8Array[], copyB: [] as Uint8Array[] };
    const starts: number[] = [];
    await engine.run(
      sweepOf(streams, { summaries: ['wB'] }),
      contextOf(
        { a: file },
        {
          onChunk: ({ first, count }, bytesOf) => {
            starts.push(first);
            shown.wB.push(bytesOf('wB').slice());
            shown.copyB.push(bytesOf('copyB').slice());
            expect(bytesOf('wB').length).toBe(4 * count);
          },
        },
      ),
    );
    expect(starts).toEqual([0, 262_144, 524_288]);
    expect(Buffer.concat(shown.wB).equals(file.subarray(4, 2_400_004))).toBe(true);
    expect(Buffer.concat(shown.copyB).equals(file.subarray(1, 1_200_001))).toBe(true);
    await engine.close();
  });
});
