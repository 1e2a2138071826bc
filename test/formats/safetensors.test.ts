import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { digestOf, expectedOf, fixtures } from './golden.ts';
import { outcomeOf } from './outcome.ts';

const folder = temporaryFolder();

/** A file with this header, as text or as an object, and this many bytes of data. */
function file(name: string, header: unknown, dataLength = 0): string {
  const text = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  const path = join(folder, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, Buffer.concat([prefix, text, Buffer.alloc(dataLength)]));
  return path;
}

const f32 = (elements: number, begin: number) => ({
  dtype: 'F32',
  shape: [elements],
  data_offsets: [begin, begin + 4 * elements],
});

describe.each(['safetensors-single', 'safetensors-tied', 'safetensors-sharded'])('%s', (name) => {
  const golden = expectedOf(name);

  it.each(golden.checkpoints)('lists what the framework saved in $path', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, expected.path));
    const { layout, step, complete, problems, optimizers } = checkpoint;
    expect({ layout, step, complete, problems, optimizers }).toEqual({
      layout: golden.layout,
      step: expected.step,
      complete: expected.complete,
      problems: [],
      optimizers: [],
    });
    const found = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
    expect([...found.keys()].sort()).toEqual(expected.tensors.map((one) => one.name).sort());
    for (const one of expected.tensors) {
      const tensor = found.get(one.name);
      expect(tensor).toMatchObject({
        dtype: one.dtype,
        shape: one.shape,
        elements: one.elements,
        parameter: one.parameter,
        aliasOf: null,
        file: one.file ?? basename(expected.path),
        // Where the fixture asserts no role, only the kind of number is known.
        role: one.role === 'other' ? expect.stringMatching(/parameter|other/) : one.role,
      });
      if (tensor) expect(await digestOf(source, tensor), one.name).toBe(one.sha256);
    }
    await source.close();
  });
});

describe('a safetensors file', () => {
  it('says which dropped tensor is another one', async () => {
    const { dropped = {} } = expectedOf('safetensors-tied');
    const { checkpoint } = await openCheckpoint(
      join(fixtures, 'safetensors-tied/model.safetensors'),
    );
    expect(checkpoint.tied).toEqual(Object.entries(dropped));
  });

  it('is not believed about ties to tensors that it lacks', async () => {
    const header = { __metadata__: { format: 'pt', a: 'w', b: 'nothing', w: 'w' }, w: f32(1, 0) };
    const { checkpoint } = await outcomeOf(file('ties.safetensors', header, 4));
    expect(checkpoint?.tied).toEqual([['a', 'w']]);
  });

  it('is recognised by its content under any name', async () => {
    const { checkpoint, kind } = await outcomeOf(file('weights.dat', { w: f32(2, 0) }, 8));
    expect(kind).toBe('fine');
    expect(checkpoint?.layout).toBe('safetensors');
  });

  it('tells buffers from parameters by well-known names only', async () => {
    const integer = { dtype: 'I64', shape: [], data_offsets: [12, 20] };
    const header = {
      'bn.weight': f32(1, 0),
      'bn.running_mean': f32(1, 4),
      'my.gradient': f32(1, 8),
      'bn.num_batches_tracked': integer,
      ids: { dtype: 'I32', shape: [1], data_offsets: [20, 24] },
    };
    const { checkpoint } = await outcomeOf(file('roles.safetensors', header, 24));
    expect(Object.fromEntries(checkpoint?.tensors.map((t) => [t.name, t.role]) ?? [])).toEqual({
      'bn.weight': 'parameter',
      'bn.running_mean': 'buffer',
      'my.gradient': 'parameter',
      'bn.num_batches_tracked': 'buffer',
      ids: 'other',
    });
  });

  it('may end its header with white space and begin it with spaces', async () => {
    const text = ` \n${JSON.stringify({ w: f32(1, 0) })} \n`;
    expect((await outcomeOf(file('space.safetensors', text, 4))).kind).toBe('fine');
    expect((await outcomeOf(file('nul.safetensors', `${text}\0`, 4))).kind).toBe('problem');
  });

  it('keeps a sum of more than 2^53 bytes apart from what exists', async () => {
    const header = {
      a: { dtype: 'U8', shape: [2 ** 53 - 1], data_offsets: [0, 2 ** 53 - 1] },
      b: { dtype: 'U8', shape: [2 ** 53 - 1], data_offsets: [0, 2 ** 53 - 1] },
    };
    const { checkpoint, kind } = await outcomeOf(file('sum.safetensors', header, 4));
    expect(kind).toBe('problem');
    expect(checkpoint?.tensors.every(({ placement }) => placement.kind === 'absent')).toBe(true);
  });

  it('lists no more than a thousand problems and counts the rest', async () => {
    const entries = Array.from({ length: 3000 }, (_, i) => [`t${i}`, f32(1, 0)]);
    const { checkpoint } = await outcomeOf(
      file('flood.safetensors', Object.fromEntries(entries), 4),
    );
    expect(checkpoint?.problems).toHaveLength(1001);
    expect(checkpoint?.problems.at(-1)?.message).toContain('1999 more');
  });

  it('with 200,000 tensors opens', async () => {
    const entries = Array.from({ length: 200_000 }, (_, i) => [`layer.${i}.weight`, f32(1, 4 * i)]);
    const path = file('many.safetensors', Object.fromEntries(entries), 800_000);
    const { checkpoint, kind } = await outcomeOf(path);
    expect(kind).toBe('fine');
    expect(checkpoint?.tensors).toHaveLength(200_000);
  });
});

describe('a file cut at any byte', () => {
  const whole = readFileSync(join(fixtures, 'safetensors-tied/model.safetensors'));
  const names = expectedOf('safetensors-tied').checkpoints[0]?.tensors.map((t) => t.name) ?? [];

  it('is damage, and what is left of it stays readable', async () => {
    const path = join(folder, 'cut.safetensors');
    const headerEnd = 8 + Number(whole.readBigUInt64LE());
    for (let length = 0; length < whole.length; length++) {
      writeFileSync(path, whole.subarray(0, length));
      const { kind, checkpoint, error } = await outcomeOf(path);
      expect(kind, `${length} bytes: ${error?.stack}`).toBe('problem');
      expect(checkpoint?.complete, `${length} bytes`).toBe(false);
      expect(checkpoint?.problems.some(({ rule }) => rule === 'file-truncated')).toBe(true);
      const tensors = checkpoint?.tensors ?? [];
      expect(tensors.length).toBe(length < headerEnd ? 0 : names.length);
      const readable = tensors.filter(({ placement }) => placement.kind === 'dense');
      expect(readable.length).toBeLessThan(names.length);
      for (const { placement } of readable) {
        const [piece] = placement.kind === 'dense' ? placement.pieces : [];
        if (piece) expect(piece.offset + piece.elements * 4).toBeLessThanOrEqual(length);
      }
    }
  });

  it('and changed at any byte of its header still ends in a typed outcome', async () => {
    const path = join(folder, 'changed.safetensors');
    const headerEnd = 8 + Number(whole.readBigUInt64LE());
    const kinds = new Set<string>();
    for (let at = 0; at < headerEnd; at++) {
      for (const bits of [3, 128]) {
        const copy = Buffer.from(whole);
        copy[at] = (copy[at] as number) ^ bits;
        writeFileSync(path, copy);
        kinds.add((await outcomeOf(path)).kind);
      }
    }
    expect([...kinds].sort()).toEqual(['fine', 'problem', 'security']);
  });
});
