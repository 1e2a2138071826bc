import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { kerasArchive } from '../../../src/formats/keras/keras-archive.ts';
import { kerasH5 } from '../../../src/formats/keras/keras-h5.ts';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { readTensorBytes } from '../../../src/sources/tensor-bytes.ts';
import { temporaryFolder } from '../../sources/temporary-folder.ts';
import { judged } from '../../verdict/judged.ts';
import { cutOutcomes, flipOutcomes } from '../damaged-bytes.ts';
import { expectedOf, fixtures } from '../golden.ts';
import { expectGolden } from '../opened-golden.ts';
import { outcomeOf } from '../outcome.ts';

const scratch = temporaryFolder();
const made = join(import.meta.dirname, '../../fixtures/keras');
const hostile = join(import.meta.dirname, '../../fixtures/hostile');

const files = ['keras-h5', 'keras-v3'].flatMap((name) => {
  return expectedOf(name).checkpoints.map((expected) => ({ name, path: expected.path, expected }));
});
const pairs = ['keras-h5', 'keras-v3'].flatMap((name) => {
  return (expectedOf(name).pairs ?? []).map(({ base, head }) => ({ name, base, head }));
});

/** Little-endian float32 values of a tensor. */
async function valuesOf(path: string, name: string): Promise<number[]> {
  const { checkpoint, source } = await openCheckpoint(path);
  const tensor = checkpoint.tensors.find((each) => each.name === name);
  if (!tensor) throw new Error(`no ${name}`);
  const into = new Uint8Array(4 * tensor.elements);
  await readTensorBytes(source, tensor, { first: 0, count: tensor.elements, into });
  await source.close();
  return [...new Float32Array(into.buffer)];
}

describe('files of Keras', () => {
  it.each(files)('$name/$path has the variables and roles that Keras saved', async (file) => {
    const checkpoint = await expectGolden(join(fixtures, file.name, file.path), file.expected);
    expect(checkpoint).toMatchObject({ layout: file.name, problems: [] });
    const [optimizer] = checkpoint.optimizers;
    expect(optimizer?.groups[0]?.hyper.lr).toBeCloseTo(0.01, 9);
    // Bare weights come without a configuration: nothing names the class.
    const isNamed = !file.path.endsWith('.weights.h5');
    expect(optimizer?.kind).toBe(isNamed ? 'adam' : null);
    expect(optimizer?.groups[0]?.hyper.betas).toEqual(isNamed ? [0.9, 0.999] : undefined);
  });

  it.each(pairs)('$name: $base and $head are intact, every second moment judged', async (pair) => {
    const at = (path: string) => join(fixtures, pair.name, path);
    const result = await judged(at(pair.head), at(pair.base), {});
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    const decay = result.coverage?.rules.find(({ rule }) => rule === 'second-moment-decay');
    expect([decay?.elements, decay?.of]).toEqual([91, 91]);
  });

  it('with a table whose rows repeat in a batch are judged by what holds for it', async () => {
    const at = (step: number) => join(made, `embedding-${step}.h5`);
    const result = await judged(at(5), at(4), {});
    expect([result.verdict, result.findings]).toEqual(['intact', []]);
    const share = (rule: string) => {
      const found = result.coverage?.rules.find((each) => each.rule === rule);
      return found && [found.elements, found.of];
    };
    // Of 497 elements the table of 20 rows holds 160: its squares are those of parts of a gradient.
    expect(share('second-moment-decay')).toEqual([497, 497]);
    expect(share('moment-bound')).toEqual([337, 497]);
    expect(share('bounded-update')).toEqual([337, 497]);
  });

  it('with a second moment damaged name the parameter and the element', async () => {
    const name = 'optimizer_weights/adam_1/sequential_1_hidden_kernel_velocity';
    const original = join(fixtures, 'keras-h5/step-4.h5');
    const { checkpoint, source } = await openCheckpoint(original);
    await source.close();
    const placement = checkpoint.tensors.find((tensor) => tensor.name === name)?.placement;
    if (placement?.kind !== 'dense' || !placement.pieces[0]) throw new Error('not contiguous');
    const bytes = readFileSync(original);
    const at = placement.pieces[0].offset + 4 * 11 + 3;
    bytes[at] = (bytes[at] as number) ^ 0x08;
    const damaged = join(scratch, 'step-4.h5');
    writeFileSync(damaged, bytes);
    const result = await judged(damaged, join(fixtures, 'keras-h5/step-3.h5'), {});
    expect(result.verdict).toBe('corrupt');
    expect(result.findings?.[0]).toMatchObject({
      rule: 'second-moment-decay',
      parameter: 'model_weights/hidden/sequential_1/hidden/kernel',
      tensor: name,
      file: 'step-4.h5',
      element: { index: 11 },
    });
  });

  it('of version 2 tell by their names what a slot is for', async () => {
    const { checkpoint } = await outcomeOf(join(made, 'keras-2.h5'));
    const state = checkpoint?.optimizers[0]?.parameters.map(({ parameter, tensors, step }) => {
      return [parameter, tensors.exp_avg, tensors.exp_avg_sq, step];
    });
    const slot = (name: string) => `optimizer_weights/Adam/${name}:0`;
    expect(state).toEqual([
      ['model_weights/dense/dense/kernel:0', slot('dense/kernel/m'), slot('dense/kernel/v'), 7],
      ['model_weights/dense/dense/bias:0', slot('m/dense/bias'), slot('v/dense/bias'), 7],
    ]);
  });
});

describe('an HDF5 file', () => {
  it('has numbers of either byte order, in its header too, and bfloat16 by its mark', async () => {
    const path = join(made, 'types.weights.h5');
    const { checkpoint } = await outcomeOf(path);
    expect(checkpoint?.tensors.map(({ dtype, placement }) => [dtype, placement.kind])).toEqual([
      ['f32', 'strided'],
      ['f16', 'dense'],
      ['bf16', 'dense'],
      ['bool', 'dense'],
      ['i64', 'dense'],
      ['f32', 'dense'],
      ['f32', 'inline'],
    ]);
    const sevenths = [0, 1, 2, 3, 4, 5].map((n) => Math.fround(n / 7));
    expect(await valuesOf(path, 'layers/dense/vars/0')).toEqual(sevenths);
    expect(await valuesOf(path, 'layers/dense/vars/6')).toEqual([8, 9]);
  });

  it('with more links than one node holds lists all of them', async () => {
    const { checkpoint } = await outcomeOf(join(made, 'many.weights.h5'));
    const names = Array.from({ length: 40 }, (_, i) => `layers/dense_${i}/vars/0`);
    expect(checkpoint?.tensors.map(({ name }) => name).sort()).toEqual(names.sort());
    for (const i of [0, 17, 39]) {
      const path = join(made, 'many.weights.h5');
      expect(await valuesOf(path, `layers/dense_${i}/vars/0`)).toEqual([i, i]);
    }
  });

  it.each([
    ['external-link.weights.h5', 'path-escape'],
    ['external-data.weights.h5', 'path-escape'],
  ])('%s points to another file, which is not opened', async (name, rule) => {
    const { kind, checkpoint } = await outcomeOf(join(made, name));
    expect(kind).toBe('security');
    expect(checkpoint?.problems.map((problem) => problem.rule)).toContain(rule);
  });

  it('whose groups form a circle is walked once', async () => {
    const { kind, checkpoint } = await outcomeOf(join(made, 'circle.weights.h5'));
    expect(kind).toBe('fine');
    expect(checkpoint?.tensors.length).toBe(1);
  });

  it('of other content is said to be no checkpoint', async () => {
    expect((await outcomeOf(join(made, 'data.h5'))).kind).toBe('not-a-checkpoint');
  });

  it('that was compressed in its archive is read, and classes of the program are named', async () => {
    const path = join(made, 'deflated.keras');
    const { kind, checkpoint } = await outcomeOf(path);
    expect(kind).toBe('fine');
    expect(checkpoint?.problems.map(({ message }) => message).join()).toContain('own: Model');
    expect((await valuesOf(path, 'layers/dense/vars/0'))[3]).toBe(Math.fround(3 / 7));
  });
});

describe('damaged files of Keras', () => {
  const read = (path: string) => ({
    name: basename(path),
    bytes: readFileSync(join(fixtures, path)),
  });
  const weights = read('keras-v3/last.weights.h5');
  const archive = read('keras-v3/step-4.keras');

  it('cut anywhere are damage', async () => {
    const bare = await cutOutcomes(kerasH5, weights, 97);
    expect(new Set(bare.values())).toEqual(new Set(['problem']));
    const packed = await cutOutcomes(kerasArchive, archive, 97);
    expect(new Set(packed.values())).toEqual(new Set(['problem']));
  });

  it('with any bit inverted end in a typed outcome', async () => {
    const typed = /^(fine|problem|security|limit|not-a-checkpoint)$/;
    const bare = await flipOutcomes(kerasH5, weights, 41);
    expect([...bare.values()].filter((kind) => !typed.test(kind))).toEqual([]);
    const packed = await flipOutcomes(kerasArchive, archive, 113);
    expect([...packed.values()].filter((kind) => !typed.test(kind))).toEqual([]);
    // Nothing but dates, versions and padding of the archive goes without a checksum.
    const fine = [...packed.values()].filter((kind) => kind === 'fine').length;
    expect(fine).toBeLessThan(packed.size / 20);
  });

  const expected: Record<string, { kind: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => /^(h5|keras)-/.test(name));

  it('have three hostile relatives', () => {
    expect(readdirSync(hostile).filter((name) => /^(h5|keras)-/.test(name))).toEqual(names.sort());
    expect(names.length).toBe(3);
  });

  it.each(names)('%s', async (name) => {
    expect((await outcomeOf(join(hostile, name))).kind).toBe(expected[name]?.kind);
  });
});
