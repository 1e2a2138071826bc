/** Healthy pairs by every optimizer of torch: all laws that apply hold, and each really judged. */
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { readLogs } from '../../src/logs/read-logs.ts';
import { judge } from '../../src/verdict/judge.ts';
import type { Result } from '../../src/verdict/result.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';

const fixture = (name: string) =>
  fileURLToPath(new URL(`../fixtures/optimizers/${name}`, import.meta.url));

/** Laws that must judge elements at nine steps, and those that one step adds. */
const kinds: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  [
    'adamw',
    ['moment-bound', 'moment-increment', 'bounded-update'],
    ['replay-moments', 'replay-weights'],
  ],
  [
    'adam-l2',
    ['moment-bound', 'moment-increment', 'bounded-update'],
    ['replay-moments', 'replay-weights'],
  ],
  ['amsgrad', ['moment-increment', 'bounded-update', 'maximum-dominates'], ['replay-weights']],
  ['nadam', ['moment-increment', 'capped-update'], ['replay-moments']],
  ['nadam-decoupled', ['moment-increment', 'capped-update'], ['replay-moments']],
  ['radam', ['moment-increment', 'bounded-update'], ['replay-moments']],
  ['adamax', ['capped-update', 'second-moment-decay'], []],
  ['rmsprop', ['capped-update', 'second-moment-decay'], []],
  ['adagrad', ['capped-update', 'second-moment-decay'], []],
  ['sgd', ['no-blank-lines'], ['replay-sgd']],
  ['sgd-nesterov', ['no-blank-lines'], ['replay-sgd']],
  ['adafactor', ['factor-balance'], []],
  ['muon', ['capped-update'], []],
  ['muon-match', ['capped-update'], []],
  ['lamb-clip', ['moment-bound', 'bounded-update'], []],
  ['lamb-plain', ['moment-bound', 'bounded-update'], []],
  ['lamb', ['moment-bound'], []],
  ['lion', ['capped-update'], []],
];

const engine = await openEngine('auto');
const folder = temporaryFolder();

afterAll(() => engine.close());

async function pair(kind: string, base: string, head: string): Promise<Result> {
  const log = await readLogs([fixture(`${kind}.jsonl`)]);
  return judge({ head, base, options: { log }, engine, next: 'again' });
}

function judged(result: Result, rule: string): number {
  return Number(result.coverage?.rules.find((each) => each.rule === rule)?.elements ?? 0);
}

describe('healthy pairs', () => {
  it.each(kinds)('%s: quiet, with %j judged', async (kind, always, once) => {
    const nine = await pair(kind, fixture(`${kind}-21.pt`), fixture(`${kind}-30.pt`));
    expect(nine.findings?.filter(({ severity }) => severity !== 'info')).toEqual([]);
    for (const rule of always) expect(judged(nine, rule), rule).toBeGreaterThan(0);
    const one = await pair(kind, fixture(`${kind}-20.pt`), fixture(`${kind}-21.pt`));
    expect(one.findings?.filter(({ severity }) => severity !== 'info')).toEqual([]);
    for (const rule of [...always, ...once]) expect(judged(one, rule), rule).toBeGreaterThan(0);
  });
});

const reasons = (result: Result, rule: string) =>
  result.coverage?.rules.find((each) => each.rule === rule)?.unknown.map(({ reason }) => reason);

describe('weights that no law bounds', () => {
  it('are said with the optimizer that is the reason', async () => {
    const free = async (kind: string) =>
      reasons(
        await pair(kind, fixture(`${kind}-21.pt`), fixture(`${kind}-30.pt`)),
        'bounded-update',
      );
    expect(await free('lamb')).toEqual(['LAMB’s trust ratio is not clipped']);
    expect(await free('adafactor')).toEqual(['no update law for adafactor']);
    expect(await free('sgd')).toEqual(['the gradients of SGD are free over more steps than one']);
    expect(await free('adamw')).toEqual([]);
  });
});

describe('a clip norm in force since the first step', () => {
  const clipped = (kind: string, clipNorm: number) =>
    judge({
      ...{ head: fixture(`${kind}-30.pt`), base: null },
      ...{ options: { clipNorm }, engine, next: 'again' },
    });

  it.each(['adamw', 'lamb', 'sgd-nesterov', 'lion'])(
    '%s: holds where it was large enough, breaks where it cannot have been',
    async (kind) => {
      const fine = await clipped(kind, 1000);
      expect(fine.findings).toEqual([]);
      expect(judged(fine, 'clip-bound')).toBe(146);
      const result = await clipped(kind, 1e-3);
      expect(result.findings).toMatchObject([{ rule: 'clip-bound', certainty: 'confirmed' }]);
    },
  );

  it('says nothing where L2 decay joins the gradient', async () => {
    const result = await clipped('sgd', 1e-3);
    expect(result.findings).toEqual([]);
    expect(reasons(result, 'clip-bound')).toEqual(['L2 decay is added to the gradient']);
  });
});

/** Moves one weight of the first layer by `by` in a copy with its checksums renewed by leaving them out. */
async function moved(kind: string, by: number): Promise<{ copy: string; at: number }> {
  const path = fixture(`${kind}-30.pt`);
  const { checkpoint, source } = await openCheckpoint(path);
  await source.close();
  const tensor = checkpoint.tensors.find(({ name }) => name === 'model.0.weight');
  if (tensor?.placement.kind !== 'dense') throw new Error('the fixture has changed');
  const bytes = readFileSync(path);
  const at = (tensor.placement.pieces[0]?.offset ?? 0) + 4 * 37;
  bytes.writeFloatLE(bytes.readFloatLE(at) + by, at);
  const copy = join(folder, `${kind}-${by}.pt`);
  writeFileSync(copy, bytes);
  return { copy, at };
}

describe('a weight out of reach', () => {
  it.each([
    ...['adamw', 'nadam', 'radam', 'adamax', 'rmsprop', 'adagrad', 'muon'],
    ...['lamb-clip', 'lamb-plain', 'lion'],
  ])('%s: named, beside the checksum that the change also breaks', async (kind) => {
    const { copy, at } = await moved(kind, 5);
    const result = await pair(kind, fixture(`${kind}-21.pt`), copy);
    const finding = result.findings?.find(({ rule }) => /^(bounded|capped)-update$/.test(rule));
    expect(finding).toMatchObject({
      ...{ parameter: 'model.0.weight', element: { index: 37 } },
      ...{ file: basename(copy), offset: at },
    });
  });
});
