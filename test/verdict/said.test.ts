/** What is said of small checkpoints: laws read off records, ancestry, and what cannot be told. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import type { ScanOptions } from '../../src/scan/options.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { healthy, type SnapshotParts, writeSnapshot } from './snapshot-file.ts';

const folder = temporaryFolder();
const engine = await openEngine('reference');
let count = 0;

afterAll(() => engine.close());

function file(parts: SnapshotParts): string {
  count += 1;
  return writeSnapshot(join(folder, `checkpoint-${count}.safetensors`), parts);
}

function say(head: string, base: string | null = null, options: ScanOptions = {}): Promise<Result> {
  return judge({ head, base, options, engine, next: 'again' });
}

const two = (step: number, change: Record<string, number[]> = {}) => ({
  step,
  tensors: { ...healthy('a', step), ...healthy('b', step, 5), ...change },
});

function loud(result: Result): string[] {
  return (result.findings ?? [])
    .filter(({ severity }) => severity !== 'info')
    .map(({ rule }) => rule);
}

function changed(values: readonly number[] | undefined, index: number, value: number): number[] {
  return (values ?? []).map((each, i) => (i === index ? value : each));
}

describe("'finite-values'", () => {
  it('holds for numbers, breaks for NaN and both infinities, and names the first', async () => {
    expect((await say(file(two(10)))).verdict).toBe('intact');
    for (const bad of [Number.NaN, Infinity, -Infinity]) {
      const tensors = two(10).tensors;
      const head = file({
        step: 10,
        tensors: { ...tensors, 'exp_avg/a': changed(tensors['exp_avg/a'], 7, bad) },
      });
      const result = await say(head);
      expect(result.verdict).toBe('corrupt');
      const finding = result.findings?.find(({ rule }) => rule === 'finite-values');
      expect(finding).toMatchObject({ element: { index: 7 }, count: 1, parameter: 'parameter/a' });
    }
  });

  it('leaves other checks seeing: one NaN hides no broken element beside it', async () => {
    const tensors = two(10).tensors;
    const first = changed(changed(tensors['exp_avg/a'], 7, Number.NaN), 9, 1e6);
    const result = await say(file({ step: 10, tensors: { ...tensors, 'exp_avg/a': first } }));
    expect(loud(result)).toEqual(expect.arrayContaining(['finite-values', 'moment-bound']));
    expect(result.findings?.find(({ rule }) => rule === 'moment-bound')?.element?.index).toBe(9);
  });

  it('cannot tell for buffers, which may hold masks', async () => {
    const mask = Array.from({ length: 64 }, (_, i) => (i % 2 ? -Infinity : 0));
    const result = await say(
      file({ step: 10, tensors: { ...two(10).tensors, 'buffer/mask': mask } }),
    );
    expect(loud(result)).toEqual([]);
  });
});

describe("'step-counter'", () => {
  it('breaks for fractions, negative counts and float32 counters that stand still', async () => {
    for (const bad of [2.5, -1, 2 ** 24]) {
      const result = await say(file(two(10, { 'step/a': [bad] })));
      expect(loud(result)).toContain('step-counter');
    }
    expect(loud(await say(file(two(10, { 'step/a': [2 ** 24 - 1] }))))).not.toContain(
      'step-counter',
    );
  });

  it('breaks where one counter went backwards while others did not', async () => {
    const result = await say(file(two(20, { 'step/a': [9] })), file(two(10)));
    expect(loud(result)).toContain('step-counter');
  });

  it('calls it ancestry where all went backwards, and judges no pair', async () => {
    const result = await say(file(two(10)), file(two(20)));
    expect(result.verdict).toBe('suspect');
    expect(loud(result)).toEqual(['lineage-changed']);
    const rule = result.coverage?.rules.find(({ rule: id }) => id === 'moment-increment');
    expect(rule).toMatchObject({ elements: 0, unknown: [{ reason: 'the step went backwards' }] });
  });
});

describe("'bits-agree'", () => {
  it('compares two copies of one step bit for bit, −0 and all', async () => {
    const base = file(two(10));
    expect((await say(file(two(10)), base)).verdict).toBe('intact');
    const tensors = two(10).tensors;
    const weights = changed(
      tensors['parameter/a'],
      3,
      (tensors['parameter/a']?.[3] as number) + 1e-6,
    );
    const result = await say(
      file({ step: 10, tensors: { ...tensors, 'parameter/a': weights } }),
      base,
    );
    expect(loud(result)).toEqual(['bits-agree']);
    expect(result.findings?.[0]).toMatchObject({ element: { index: 3 }, count: 1 });
  });

  it('calls two branches of a run by their name, not damage', async () => {
    const other = { step: 10, tensors: { ...healthy('a', 10, 1), ...healthy('b', 10, 2) } };
    const result = await say(file(other), file(two(10)));
    expect(loud(result)).toEqual(['lineage-changed']);
  });

  it('holds declared ties to each other', async () => {
    const tensors = two(10).tensors;
    const tied = { c: 'a' };
    const copy = { ...tensors, 'parameter/c': tensors['parameter/a'] as number[] };
    expect(loud(await say(file({ step: 10, tensors: copy, tied })))).toEqual([]);
    const torn = { ...copy, 'parameter/c': changed(copy['parameter/c'], 5, 2) };
    expect(loud(await say(file({ step: 10, tensors: torn, tied })))).toEqual(['bits-agree']);
  });

  it('confirms a flip in a frozen parameter, and only notes one that moved as a whole', async () => {
    const frozen = Array.from({ length: 64 }, (_, i) => i / 7);
    const base = file(two(10, { 'parameter/layers.0.bias': frozen }));
    const flipped = file(two(20, { 'parameter/layers.0.bias': changed(frozen, 8, 99) }));
    expect(loud(await say(flipped, base, { lrMax: 1e-3 }))).toEqual(['bits-agree']);
    const moved = file(two(20, { 'parameter/layers.0.bias': frozen.map((x) => x * 0.99 + 0.1) }));
    expect(loud(await say(moved, base, { lrMax: 1e-3 }))).toEqual([]);
  });
});

describe("'constant-buffers'", () => {
  const steps = Array.from({ length: 512 }, (_, i) => i);
  const powers = Array.from({ length: 16 }, (_, i) => 10_000 ** (-i / 16));
  const rotary = 'buffer/rope.inv_freq';
  const ids = 'buffer/embeddings.position_ids';
  const of = (result: Result) =>
    result.coverage?.rules.find(({ rule }) => rule === 'constant-buffers');

  it('holds positions and frequencies to what they are computed from, without a base', async () => {
    const good = await say(file({ ...two(10, { [rotary]: powers }), whole: { [ids]: steps } }));
    expect(loud(good)).toEqual([]);
    expect(of(good)).toMatchObject({ elements: 528, of: 528 });
    const bad = await say(
      file({
        ...two(10, { [rotary]: changed(powers, 3, (powers[3] as number) * (1 + 2 ** -18)) }),
        whole: { [ids]: changed(steps, 7, 7 + 2 ** 33) },
      }),
    );
    expect(bad.verdict).toBe('corrupt');
    expect(bad.findings).toMatchObject([
      { rule: 'constant-buffers', tensor: ids, element: { index: 7 }, bits: { flip: 33 } },
      { rule: 'constant-buffers', tensor: rotary, element: { index: 3 }, count: 1 },
    ]);
  });

  it('holds them to the base, and only notes what was computed anew as a whole', async () => {
    const table = Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const name = 'buffer/rope.sin_cached';
    const base = file(two(10, { [name]: table }));
    const rates = { lrMax: 1e-3 };
    expect(loud(await say(file(two(20, { [name]: table })), base, rates))).toEqual([]);
    const torn = file(two(20, { [name]: changed(table, 9, 0.5) }));
    expect(loud(await say(torn, base, rates))).toEqual(['constant-buffers']);
    const anew = file(two(20, { [name]: table.map((x) => x / 2) }));
    const noted = await say(anew, base, rates);
    expect(loud(noted)).toEqual([]);
    expect(noted.findings).toMatchObject([{ rule: 'frozen-changed', severity: 'info' }]);
  });

  it('cannot tell of positions that are padded, nor of frequencies that are scaled', async () => {
    const result = await say(
      file({
        ...two(10, { [rotary]: powers.map((x) => x / 4) }),
        whole: { [ids]: steps.map((i) => i + 2) },
      }),
    );
    expect(loud(result)).toEqual([]);
    const reason = 'the buffer is computed in another way';
    expect(of(result)).toMatchObject({ elements: 0, unknown: [{ reason, elements: 528 }] });
  });

  it('makes no checkpoint intact by itself', async () => {
    const result = await say(file({ step: 10, tensors: { [rotary]: powers } }));
    expect(result.verdict).toBe('unremarkable');
  });
});

describe('what cannot be told', () => {
  it('is said with its reason, never shown as fine', async () => {
    const result = await say(file(two(20)), file(two(10)));
    const update = result.coverage?.rules.find(({ rule }) => rule === 'bounded-update');
    expect(update).toMatchObject({ elements: 0 });
    expect(update?.unknown[0]?.reason).toMatch(/learning rates/);
    const known = await say(file(two(20)), file(two(10)), { lrMax: 1e-3 });
    const judged = known.coverage?.rules.find(({ rule }) => rule === 'bounded-update');
    expect(judged).toMatchObject({ elements: 128, of: 128, unknown: [] });
  });

  it('leaves the moment laws alone where betas changed between the two', async () => {
    const head = file({ ...two(20), betas: [0.9, 0.95] });
    const result = await say(head, file(two(10)));
    expect(loud(result)).toEqual([]);
    const rules = result.coverage?.rules.filter(({ rule }) => rule.startsWith('moment-'));
    expect(rules?.every(({ elements }) => elements === 0)).toBe(true);
  });

  it('judges no moments of a class that nothing declares, until it is declared', async () => {
    const head = file({ ...two(10), optimizer: 'MyOptimizer' });
    const result = await say(head);
    expect(result.verdict).toBe('unremarkable');
    const declared = await say(head, null, { optimizer: { kind: 'adamw' } });
    expect(['intact', 'unremarkable']).toContain(declared.verdict);
  });
});
