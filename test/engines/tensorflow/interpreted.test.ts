import { describe, expect, it } from 'vitest';
import { dtypeBits } from '../../../src/checkpoint/dtype.ts';
import { openReferenceEngine } from '../../../src/engines/reference/reference-engine.ts';
import { selfTest } from '../../../src/engines/self-test.ts';
import { openTensorflowOn } from '../../../src/engines/tensorflow/tensorflow-engine.ts';
import { sameLaws } from '../law-contract.ts';
import { randomBytes } from '../seeded.ts';
import { summarise } from '../tensors.ts';
import { interpreter } from './interpreter.ts';

const open = () => openTensorflowOn(interpreter);

describe('the tensorflow engine, its models interpreted,', () => {
  describe('laws, beside the reference engine', () => sameLaws(open));

  it.each(['f32', 'bf16', 'f16'] as const)(
    'summarises %s as the reference engine does, bit for bit',
    async (dtype) => {
      const engine = await open();
      const reference = openReferenceEngine();
      const size = dtypeBits[dtype] / 8;
      for (const elements of [1023, 1024, 2049, 5000, 263_168]) {
        // Random bits, ordinary numbers, and zeros with a few of either among them.
        for (const top of [null, 0x3b, 0]) {
          const bytes = randomBytes(elements, size * elements);
          if (top === 0) bytes.fill(0, 4 * size, size * (elements - 7));
          else if (top) for (let i = size - 1; i < bytes.length; i += size) bytes[i] = top;
          const expected = await summarise(reference, dtype, bytes);
          expect(await summarise(engine, dtype, bytes), `${elements}, ${top}`).toEqual(expected);
        }
      }
    },
  );

  it('passes the self-test', async () => {
    expect(await selfTest(await open(), 8 * 1024 + 77)).toMatchObject({ ok: true });
  });
});
