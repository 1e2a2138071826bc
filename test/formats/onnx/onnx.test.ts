import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { sizeBytes } from '../../../src/checkpoint/dtype.ts';
import { onnx } from '../../../src/formats/onnx/onnx.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readChecksum } from '../../../src/scan/checksums.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { cutOutcomes, flipOutcomes } from '../damaged-bytes.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { expectGolden } from '../opened-golden.ts';
import { outcomeOf } from '../outcome.ts';

const scratch = temporaryFolder();
const made = join(import.meta.dirname, '../../fixtures/onnx');
const hostile = join(import.meta.dirname, '../../fixtures/hostile');
const inline = {
  name: 'inline.onnx',
  bytes: readFileSync(join(fixtures, 'onnx-external/inline.onnx')),
};

describe('an ONNX model', () => {
  it.each(expectedOf('onnx-external').checkpoints)(
    '$path has the values that onnx saved',
    async (e) => {
      const checkpoint = await expectGolden(join(fixtures, 'onnx-external', e.path), e);
      expect(checkpoint).toMatchObject({ layout: 'onnx', problems: [] });
    },
  );

  it('has the values of every data field, and of graphs inside it', async () => {
    const expected = JSON.parse(readFileSync(join(made, 'fields.json'), 'utf8'));
    const { checkpoint, source } = await openCheckpoint(join(made, 'fields.onnx'));
    const found: Record<string, string> = {};
    for (const tensor of checkpoint.tensors) {
      const into = Buffer.alloc(sizeBytes(tensor.dtype, tensor.elements) as number);
      await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
      found[tensor.name] = into.toString('hex');
    }
    expect(found).toEqual(expected);
    expect(checkpoint.problems).toEqual([]);
    for (const stored of checkpoint.checksums) {
      expect(await readChecksum(source, stored)).toBe(stored.expected);
    }
    expect(checkpoint.checksums.map(({ kind, file }) => [kind, file])).toEqual([
      ['sha1', 'hashed.bin'],
    ]);
    await source.close();
  });

  it('knows the files that lie beside it: one that is gone or short is damage', async () => {
    const folder = join(scratch, 'beside');
    cpSync(join(fixtures, 'onnx-external'), folder, { recursive: true });
    const bytes = readFileSync(join(folder, 'weights.bin'));
    writeFileSync(join(folder, 'weights.bin'), bytes.subarray(0, -1));
    const short = await outcomeOf(join(folder, 'model.onnx'));
    expect(short.checkpoint?.problems[0]).toMatchObject({ rule: 'tensor-out-of-bounds' });
    rmSync(join(folder, 'weights.bin'));
    const gone = await outcomeOf(join(folder, 'model.onnx'));
    expect(gone.checkpoint?.problems[0]).toMatchObject({ rule: 'shard-missing' });
    expect(gone.checkpoint?.complete).toBe(false);
  });
});

describe('a damaged ONNX model', () => {
  it('cut anywhere is damage', async () => {
    const outcomes = await cutOutcomes(onnx, inline, 11);
    expect(new Set(outcomes.values())).toEqual(new Set(['problem']));
  });

  it('with any bit inverted ends in a typed outcome', async () => {
    const outcomes = await flipOutcomes(onnx, inline, 7);
    const typed = /^(fine|problem|security|limit|not-a-checkpoint)$/;
    expect([...outcomes.values()].filter((kind) => !typed.test(kind))).toEqual([]);
  });

  const expected: Record<string, { kind: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => name.startsWith('onnx-'));
  // Its note allows this answer too: the name says ONNX.
  const chosen: Record<string, string> = { 'onnx-varint.onnx': 'problem' };

  it('has nine hostile relatives', () => {
    expect(readdirSync(hostile).filter((name) => name.startsWith('onnx-'))).toEqual(names.sort());
    expect(names.length).toBe(9);
  });

  it('a million and one empty nodes are a limit', async () => {
    const nodes = Buffer.alloc(2_000_002, Buffer.of(0x0a, 0));
    // The length of the graph: 2,000,002 as a varint.
    const graph = Buffer.concat([Buffer.of(0x08, 0x08, 0x3a, 0x82, 0x89, 0x7a), nodes]);
    const path = join(scratch, 'nodes.onnx');
    writeFileSync(path, graph);
    const { kind, error } = await outcomeOf(path);
    expect(kind).toBe('limit');
    expect(error?.message).toContain('1000000 nodes');
  });

  it.each(names)('%s', async (name) => {
    expect((await outcomeOf(join(hostile, name))).kind).toBe(chosen[name] ?? expected[name]?.kind);
  });
});
