import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Tensor } from '../../src/checkpoint/tensor.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { type Opened, scanPair } from '../../src/scan/scan.ts';
import { readTensorBytes } from '../../src/sources/tensor-bytes.ts';

const folder = join(import.meta.dirname, '../fixtures/formats/lightning');

async function weightsOf({ source }: Opened, tensor: Tensor): Promise<Float32Array> {
  const into = new Uint8Array(4 * tensor.elements);
  await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
  return new Float32Array(into.buffer);
}

describe('the movements of a scanned pair', () => {
  const opened: Opened[] = [];
  beforeAll(async () => {
    for (const step of [4, 9]) {
      opened.push(await openCheckpoint(join(folder, `epoch=0-step=${step}.ckpt`)));
    }
  });
  afterAll(async () => {
    for (const { source } of opened) await source.close();
  });

  const scan = (head: Opened, base: Opened | null) =>
    scanPair({ head, base, noBase: 'no base' }, openReferenceEngine(), {});

  it('are those of every weight, by its shape', async () => {
    const [base, head] = opened as [Opened, Opened];
    const { alignment, movements } = await scan(head, base);
    const units = alignment.units.filter(({ weight }) => weight.head && weight.base);
    expect(units).toHaveLength(6);
    expect([...movements.keys()]).toEqual(units.map(({ key }) => key));
    for (const { key, weight } of units) {
      const now = await weightsOf(head, weight.head as Tensor);
      const before = await weightsOf(base, weight.base as Tensor);
      const sizes = now.map((x, i) => Math.abs(x - (before[i] as number)));
      const { shape, elements } = weight.head as Tensor;
      const isJudged = shape.length > 1 && (shape[0] as number) >= 4 && elements >= 64;
      const record = movements.get(key);
      expect(record?.deltaMax1, key).toBe(Math.max(...sizes));
      expect(record?.deltaMax1, key).toBeGreaterThan(0);
      expect(record?.deltaMax1Index, key).toBe(sizes.indexOf(Math.max(...sizes)));
      expect(record?.rowEnergy, key).toHaveLength(isJudged ? (shape[0] as number) : 0);
      expect(record?.ratioMean, key).toBeGreaterThan(0);
    }
  });

  it('are none without a base, and none against time', async () => {
    const [base, head] = opened as [Opened, Opened];
    expect((await scan(head, null)).movements.size).toBe(0);
    expect((await scan(base, head)).movements.size).toBe(0);
    expect((await scan(head, head)).movements.size).toBe(0);
  });
});
