import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../../src/formats/open-checkpoint.ts';
import type { PickleValue } from '../../../src/formats/pickle/values.ts';
import { schedulersIn } from '../../../src/formats/torch-zip/scheduler-state.ts';

const fixtures = join(import.meta.dirname, '../../fixtures');

async function schedulersOf(path: string) {
  const { checkpoint, source } = await openCheckpoint(join(fixtures, path));
  await source.close();
  return { step: checkpoint.step, schedulers: checkpoint.schedulers ?? [] };
}

function dict(entries: Readonly<Record<string, PickleValue>>): PickleValue {
  return { kind: 'dict', entries: new Map(Object.entries(entries)), state: undefined };
}

describe('the state of a scheduler', () => {
  it('is read from the file that holds it, with its plain values', async () => {
    const { schedulers, step } = await schedulersOf('schedulers/multi-step-b.pt');
    expect([step, schedulers]).toMatchObject([
      8,
      [{ path: 'lr_scheduler', state: { gamma: 0.3, last_epoch: 8, base_lrs: [0.1, 0.02] } }],
    ]);
    const milestones = schedulers[0]?.state.milestones as readonly (readonly number[])[];
    expect(new Map(milestones as readonly [number, number][])).toEqual(
      new Map([
        [4, 1],
        [6, 2],
        [30, 1],
      ]),
    );
  });

  it('is read from the Trainer’s scheduler.pt', async () => {
    const { schedulers, step } = await schedulersOf('formats/hf-trainer/checkpoint-12');
    expect(schedulers).toMatchObject([{ path: '', state: { last_epoch: step } }]);
    expect(schedulers[0]?.state).toHaveProperty('lr_lambdas');
  });

  it('is read for every part of a compound one', async () => {
    const { schedulers } = await schedulersOf('schedulers/sequential-b.pt');
    expect(schedulers.map(({ path }) => path)).toEqual([
      'lr_scheduler',
      'lr_scheduler._schedulers.0',
      'lr_scheduler._schedulers.1',
    ]);
  });

  it('keeps a key whose value is nothing plain, and a name as any other', () => {
    const deep: PickleValue = [1, 2, 3, 4, 5, 6].reduce<PickleValue>(
      (inner) => ({ kind: 'list', items: [inner] }),
      7,
    );
    const value = dict({ last_epoch: 3, base_lrs: deep, ['__proto__']: 5, big: 2n ** 60n });
    const [only] = schedulersIn([{ path: 'a', value }]);
    expect(Object.entries(only?.state ?? {})).toEqual([
      ['last_epoch', 3],
      ['base_lrs', null],
      ['__proto__', 5],
      ['big', 2 ** 60],
    ]);
  });

  it('stops at what no scheduler has: endless lists, endless schedulers', () => {
    const items = Array.from({ length: 200_000 }, (_, i) => i);
    const value = dict({ last_epoch: 3, base_lrs: { kind: 'list', items } });
    expect(schedulersIn([{ path: '', value }])[0]?.state.base_lrs).toBeNull();
    const many = Array.from({ length: 1000 }, () => ({ path: '', value }));
    expect(schedulersIn(many)).toHaveLength(64);
  });
});
