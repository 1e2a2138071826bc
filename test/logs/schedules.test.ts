import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Checkpoint } from '../../src/checkpoint/checkpoint.ts';
import type { HyperValue, OptimizerGroup } from '../../src/checkpoint/optimizer.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { scheduleOf } from '../../src/logs/schedule-kinds.ts';
import { rateSequence, scheduledRates } from '../../src/logs/schedules.ts';

const folder = join(import.meta.dirname, '../fixtures/schedulers');

interface Case {
  readonly kind: string;
  readonly first: number;
  readonly last: number;
  readonly rates: readonly (readonly number[])[];
}

const cases: Record<string, Case> = JSON.parse(
  readFileSync(join(folder, 'expected.json'), 'utf8'),
).cases;

interface Pair {
  readonly base: Checkpoint;
  readonly head: Checkpoint;
}

async function open(name: string): Promise<Checkpoint> {
  const { checkpoint, source } = await openCheckpoint(join(folder, `${name}.pt`));
  await source.close();
  return checkpoint;
}

async function pairOf(name: string): Promise<Pair> {
  return { base: await open(`${name}-a`), head: await open(`${name}-b`) };
}

function groupOf({ base, head }: Pair, index: number) {
  const at = (end: Checkpoint) => end.optimizers[0]?.groups[index] as OptimizerGroup;
  return { index, base: at(base), head: at(head) };
}

const known = Object.keys(cases).filter((name) => {
  return !['lambda', 'restarts', 'sequential', 'changed', 'by-hand'].includes(name);
});

describe('a schedule', () => {
  it.each(known)('gives the rates that torch used, group by group: %s', async (name) => {
    const pair = await pairOf(name);
    for (const [index, used] of (cases[name] as Case).rates.entries()) {
      const sequence = rateSequence(pair, groupOf(pair, index)) ?? [];
      expect(sequence).toHaveLength(used.length);
      for (const [i, rate] of used.entries()) {
        const far = Math.abs((sequence[i] as number) - rate);
        expect(far, `${name}: group ${index}, rate ${i}`).toBeLessThanOrEqual(1e-12 * rate);
      }
    }
  });

  it.each(known)('spans exactly these rates: %s', async (name) => {
    const pair = await pairOf(name);
    for (const [index, used] of (cases[name] as Case).rates.entries()) {
      const hull = scheduledRates(pair, groupOf(pair, index));
      if ('unknown' in hull) throw new Error(hull.unknown);
      const [low, high] = [Math.min(...used), Math.max(...used)];
      expect(hull.low).toBeLessThanOrEqual(low);
      expect(hull.high).toBeGreaterThanOrEqual(high);
      // A phase of a cycle may end between two steps: then its peak is no step's rate.
      const loose = name.startsWith('one-cycle') ? 0.01 : 4e-12;
      expect(hull.low).toBeGreaterThanOrEqual(low * (1 - loose));
      expect(hull.high).toBeLessThanOrEqual(high * (1 + loose));
    }
  });

  it('is known for each of torch’s kinds that are told apart by their keys', async () => {
    const kinds = new Set<string>();
    for (const name of known) {
      const { head } = await pairOf(name);
      const [one] = head.schedulers ?? [];
      const group = { baseRate: 0.1, hyper: head.optimizers[0]?.groups[0]?.hyper ?? {} };
      const schedule = scheduleOf(one?.state ?? {}, group);
      expect(schedule?.kind).toBe(cases[name]?.kind);
      kinds.add(schedule?.kind ?? '');
    }
    expect(kinds.size).toBe(8);
  });
});

/** The head with another scheduler's state. */
function withState(head: Checkpoint, change: Record<string, HyperValue>): Checkpoint {
  const [one] = head.schedulers ?? [];
  return { ...head, schedulers: [{ path: '', state: { ...one?.state, ...change } }] };
}

describe('a schedule is unknown', () => {
  it.each([
    ['lambda', 'no kind'],
    ['restarts', 'no kind'],
    ['sequential', 'exactly one scheduler'],
    ['by-hand', 'its scheduler’s|stored rate'],
    ['changed', 'stored rate|changed'],
  ])('for %s', async (name, why) => {
    const pair = await pairOf(name);
    for (const index of [0, 1]) {
      const found = scheduledRates(pair, groupOf(pair, index));
      expect('unknown' in found && found.unknown).toMatch(new RegExp(why));
      expect(rateSequence(pair, groupOf(pair, index))).toBeNull();
    }
  });

  it('where an end does not have the rate that it gives', async () => {
    const pair = await pairOf('cosine');
    const group = groupOf(pair, 0);
    const lr = group.head.hyper.lr as number;
    const off = (part: number) => ({
      ...group,
      head: { ...group.head, hyper: { ...group.head.hyper, lr: lr * (1 + part) } },
    });
    expect(scheduledRates(pair, off(1e-14))).toHaveProperty('low');
    expect(scheduledRates(pair, off(1e-11))).toHaveProperty('unknown');
    expect(scheduledRates(pair, off(Number.NaN))).toHaveProperty('unknown');
  });

  it('where the state has a key that torch’s own has not, or lost one', async () => {
    const pair = await pairOf('step');
    const group = groupOf(pair, 0);
    expect(scheduledRates(pair, group)).toHaveProperty('low');
    const more = withState(pair.head, { warmup: 3 });
    expect(scheduledRates({ ...pair, head: more }, group)).toHaveProperty('unknown');
    for (const key of ['base_lrs', 'last_epoch', 'gamma', '_last_lr']) {
      const less = withState(pair.head, { [key]: null });
      expect(scheduledRates({ ...pair, head: less }, group)).toHaveProperty('unknown');
    }
  });

  it('where the base is behind the head, or has no scheduler', async () => {
    const pair = await pairOf('exponential');
    const group = groupOf(pair, 0);
    const back = { base: pair.head, head: pair.base };
    const turned = { index: 0, base: group.head, head: group.base };
    expect(scheduledRates(back, turned)).toHaveProperty('unknown');
    const bare = { ...pair.base, schedulers: [] };
    expect(scheduledRates({ ...pair, base: bare }, group)).toHaveProperty('unknown');
  });

  it('where two optimizers share the file', async () => {
    const pair = await pairOf('linear');
    const two = { ...pair.head, optimizers: [...pair.head.optimizers, ...pair.head.optimizers] };
    expect(scheduledRates({ ...pair, head: two }, groupOf(pair, 0))).toHaveProperty('unknown');
  });
});
