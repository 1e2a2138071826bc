import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import { emptyFolder } from '../altered-copy.ts';
import { judgePair, serious } from '../judge-pair.ts';
import { outcomeOf } from '../outcome.ts';
import { compareTensors, digestOf, expectedStateOf, fixtures } from '../torch-zip/golden-state.ts';

const hostile = join(import.meta.dirname, '../../fixtures/hostile');

function written(name: string, bytes: Uint8Array): string {
  const path = join(emptyFolder(), name);
  writeFileSync(path, bytes);
  return path;
}

describe.each(['torch-legacy-1.13', 'torch-legacy-2.13'])('%s', (name) => {
  it.each(expectedStateOf(name).checkpoints)('$path lists what torch saved', async (expected) => {
    const { checkpoint, source } = await openCheckpoint(join(fixtures, name, expected.path));
    expect(checkpoint.problems.filter(({ kind }) => kind !== 'info')).toEqual([]);
    expect(checkpoint).toMatchObject({ layout: 'torch-legacy', complete: true });
    if (expected.step !== null) expect(checkpoint.step).toBe(expected.step);
    compareTensors(checkpoint, expected);
    for (const one of expected.tensors) {
      const tensor = checkpoint.tensors.find((each) => each.name === one.name);
      if (tensor) expect(await digestOf(source, tensor, 64), one.name).toBe(one.sha256);
    }
    for (const [i, { kind: _, prefix, steps }] of expected.optimizers.entries()) {
      const found = checkpoint.optimizers[i];
      expect(found?.prefix).toBe(prefix);
      for (const { parameter, step } of found?.parameters ?? []) {
        expect(step).toBe(Number(steps[parameter ?? '']));
      }
    }
    await source.close();
  });

  it('is intact from one step to the next, and the laws see every second moment', async () => {
    const at = (step: number) => join(fixtures, name, `step-00000${step}.pth`);
    const result = await judgePair(at(5), at(4));
    expect(serious(result)).toEqual([]);
    expect(result.verdict).toBe('intact');
    const replay = result.coverage?.rules.find(({ rule }) => rule === 'replay-moments');
    expect(replay).toMatchObject({ elements: 113, of: 113 });
  });
});

describe('a stream', () => {
  const path = join(fixtures, 'torch-legacy-2.13/step-000005.pth');
  const bytes = readFileSync(path);

  it('with a bit inverted in a second moment is confirmed, though nothing sums it', async () => {
    const { checkpoint, source } = await openCheckpoint(path);
    await source.close();
    const tensor = checkpoint.tensors.find(({ name }) => name === 'optimizer.state.0.exp_avg_sq');
    const [piece] = tensor?.placement.kind === 'dense' ? tensor.placement.pieces : [];
    const damaged = Buffer.from(bytes);
    const at = (piece?.offset ?? 0) + 4 * 20 + 3;
    damaged[at] = (damaged[at] as number) ^ 0x40;
    const head = written('step-000005.pth', damaged);
    const base = join(fixtures, 'torch-legacy-2.13/step-000004.pth');
    const result = await judgePair(head, base);
    expect(serious(result)).toContainEqual(
      expect.objectContaining({
        certainty: 'confirmed',
        tensor: 'optimizer.state.0.exp_avg_sq',
        parameter: 'net.first.weight',
        element: expect.objectContaining({ index: 20 }),
      }),
    );
  });

  it('that is cut anywhere is not complete, and says so with a type', async () => {
    for (let length = 1; length < bytes.length; length += 97) {
      const outcome = await outcomeOf(written('cut.pth', bytes.subarray(0, length)));
      if (length < 15) continue;
      expect(outcome.kind, `${length} bytes`).toBe('problem');
      expect(outcome.checkpoint).toMatchObject({ complete: false, layout: 'torch-legacy' });
    }
  });

  it('of pickles longer than its first window is read whole', async () => {
    // A key of two million characters in front of the object's own.
    const [start, text] = [139, Buffer.alloc(2_000_000, 'k')];
    const length = Buffer.alloc(5);
    length.writeUInt8(0x58, 0);
    length.writeUInt32LE(text.length, 1);
    const none = Buffer.from('N');
    const longer = Buffer.concat([
      bytes.subarray(0, start + 4),
      length,
      text,
      none,
      bytes.subarray(start + 4),
    ]);
    const { checkpoint } = await outcomeOf(written('long.pth', longer));
    const plain = (await outcomeOf(path)).checkpoint;
    expect(checkpoint?.problems).toEqual([]);
    expect(checkpoint?.tensors).toHaveLength(plain?.tensors.length ?? 0);
  });
});

describe('hostile streams and pickles', () => {
  const expected: Record<string, { kind: string }> = JSON.parse(
    readFileSync(join(hostile, 'expected.json'), 'utf8'),
  );
  const names = Object.keys(expected).filter((name) => /^(legacy|bare)-/.test(name));
  /** Where the note allows a second answer, the one that we give. */
  const chosen: Record<string, string> = { 'legacy-source.pth': 'fine' };

  it.each(names.map((name) => [name, expected[name]?.kind ?? ''] as const))(
    '%s: %s',
    async (name, kind) => {
      const outcome = await outcomeOf(join(hostile, name));
      expect(outcome.kind, outcome.error?.stack).toBe(chosen[name] ?? kind);
    },
  );
});

/** Pickled by hand: `{'w': _load_from_bytes(stream)}`. */
function holding(stream: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(stream.length, 0);
  const call = Buffer.from('ctorch.storage\n_load_from_bytes\n(B');
  const parts = ['\x80\x03}X\x01\0\0\0w', call, length, stream, 'tRs.'];
  return Buffer.concat(parts.map((part) => Buffer.from(part as string, 'latin1')));
}

describe('a stream inside a pickle', () => {
  const code = Buffer.from('\x80\x02cos\nsystem\n(X\x0a\0\0\0echo pwnedtR.', 'latin1');
  const header = readFileSync(join(fixtures, 'torch-legacy-2.13/step-000005.pth')).subarray(0, 137);
  const stream = Buffer.concat([header, code, Buffer.from('\x80\x02].', 'latin1')]);

  it.each([
    ['that asks for code', holding(stream), 'os.system'],
    ['inside another', holding(Buffer.concat([header, holding(stream)])), 'os.system'],
    ['that is no stream of torch', holding(code), 'no storage of torch'],
  ])('%s is told: loading the pickle would load it', async (_what, bytes, words) => {
    const { kind, checkpoint } = await outcomeOf(written('model.pkl', bytes));
    expect(kind).toBe('security');
    const found = checkpoint?.problems.filter(({ rule }) => rule === 'code-in-pickle');
    expect(found?.map(({ message }) => message).join()).toContain(words);
  });

  it('is looked at where streams lie inside each other without end', async () => {
    let bytes = holding(stream);
    for (let depth = 0; depth < 40; depth += 1) bytes = holding(Buffer.concat([header, bytes]));
    expect((await outcomeOf(written('model.pkl', bytes))).kind).toBe('security');
  });
});
