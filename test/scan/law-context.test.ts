import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alignCheckpoints, type Unit } from '../../src/checkpoint/align.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { trainingLog } from '../../src/logs/training-log.ts';
import { lawContexts } from '../../src/scan/law-context.ts';
import type { ScanOptions } from '../../src/scan/options.ts';

const folder = join(import.meta.dirname, '../fixtures/formats/lightning');

async function contextOf(options: ScanOptions, change: { scheduler: boolean }) {
  const open = async (step: number) => {
    const opened = await openCheckpoint(join(folder, `epoch=0-step=${step}.ckpt`));
    await opened.source.close();
    const { checkpoint } = opened;
    return change.scheduler ? checkpoint : { ...checkpoint, schedulers: [] };
  };
  const pair = { base: await open(4), head: await open(9) };
  const { units } = alignCheckpoints(pair.head, pair.base);
  const unit = units.find(({ first }) => first.head !== null) as Unit;
  const contexts = lawContexts(unit, pair, options);
  if (typeof contexts === 'string') throw new Error(contexts);
  return contexts[0];
}

const log = (offsets?: readonly number[]) => {
  const line = { lrs: null, gradNorm: null, gradNormClipped: null, loss: null };
  // Halved after five updates, as the run's StepLR did.
  const rate = (update: number) => (update <= 5 ? 2e-3 : 1e-3);
  const shift = offsets ? 1 : 0;
  const entries = Array.from({ length: 9 }, (_, i) => i + 1);
  return trainingLog(
    new Map(entries.map((update) => [update - shift, { ...line, lr: rate(update) }])),
    { sources: ['x'], lrIsOfStep: true, ...(offsets ? { updateOffsets: offsets } : {}) },
  );
};

describe('the rates between two checkpoints of Lightning', () => {
  it('are those of the scheduler whose state both of them hold', async () => {
    const context = await contextOf({}, { scheduler: true });
    expect(context).toMatchObject({ stepBase: 4, stepHead: 9, rates: [1e-3, 2e-3] });
    expect((await contextOf({ lrMax: 1 }, { scheduler: true }))?.rates).toEqual([1e-3, 2e-3]);
  });

  it('are unknown without it, unless a log or the user says them', async () => {
    const options = { scheduler: false };
    expect((await contextOf({}, options))?.rates).toBeNull();
    expect((await contextOf({ lrMax: 1 }, options))?.rates).toEqual([0, 1]);
    expect((await contextOf({ log: log() }, options))?.rates).toEqual([1e-3, 2e-3]);
    const found = (await contextOf({ log: log([1, 2]) }, options))?.rates;
    expect(found?.[0]).toBeCloseTo(1e-3, 8);
    expect(found?.[1]).toBeCloseTo(2e-3, 8);
  });
});
