import { Buffer } from 'node:buffer';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readSliceKey } from '../../../src/formats/tf-bundle/slice-key.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { judged } from '../../verdict/judged.ts';
import { outcomeOf } from '../outcome.ts';

const made = join(import.meta.dirname, '../../fixtures/tensorflow');

/** As TensorFlow reads them back. */
const values: Record<string, number[]> = JSON.parse(
  readFileSync(join(made, 'values.json'), 'utf8'),
);

describe('a checkpoint of a graph with partitioned variables', () => {
  it('has the values that TensorFlow reads', async () => {
    const { checkpoint, source } = await openCheckpoint(join(made, 'partitioned.index'));
    expect(checkpoint).toMatchObject({ step: 5, complete: true, problems: [] });
    const names = checkpoint.tensors.map(({ name }) => name);
    expect(names).toEqual([...Object.keys(values), 'global_step'].sort());
    for (const tensor of checkpoint.tensors) {
      if (tensor.name === 'global_step') continue;
      const into = new Uint8Array(4 * tensor.elements);
      await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
      expect([tensor.name, [...new Float32Array(into.buffer)]]).toEqual([
        tensor.name,
        values[tensor.name],
      ]);
    }
    await source.close();
  });

  it('tells by their names whose moments they are', async () => {
    const { checkpoint } = await outcomeOf(join(made, 'partitioned.index'));
    const state = checkpoint?.optimizers[0]?.parameters.map(({ parameter, tensors, step }) => {
      return [parameter, tensors.exp_avg, tensors.exp_avg_sq, step];
    });
    const expected = ['dense/kernel', 'table', 'wide'].map((name) => {
      return [name, `${name}/Adam`, `${name}/Adam_1`, null];
    });
    expect(state).toEqual(expected);
  });

  it('has a checksum of every part', async () => {
    const folder = join(temporaryFolder(), 'copy');
    cpSync(made, folder, { recursive: true });
    const file = join(folder, 'partitioned.data-00001-of-00002');
    const bytes = readFileSync(file);
    bytes[4000] = (bytes[4000] as number) ^ 1;
    writeFileSync(file, bytes);
    const result = await judged(join(folder, 'partitioned.index'), null, {});
    expect(result.verdict).toBe('corrupt');
    expect(result.findings?.[0]).toMatchObject({ rule: 'checksum-mismatch' });
  });
});

describe('a key of a part', () => {
  it('that is cut or of no place is none', () => {
    const key = Buffer.from([0, 97, 0, 1, 1, 1, 0x84, 0x7f]);
    expect(readSliceKey(key)).toEqual({ name: 'a', origin: [4], sizes: [null] });
    for (let length = 0; length < key.length; length += 1) {
      expect(readSliceKey(key.subarray(0, length))).toBeNull();
    }
    expect(readSliceKey(Buffer.concat([key, key]))).toBeNull();
  });
});
