/** Most units of a layer die or wake: medians leave, and nothing is damaged. */
import { describe, expect, it } from 'vitest';
import type { PairRecord } from '../../src/records/pair-record.ts';
import { emptyPairRecord } from '../../src/records/pair-record.ts';
import { judgeValidation } from '../../src/suspicions/judge-validation.ts';
import { emptyRunMemory, type RunMemory } from '../../src/suspicions/run-memory.ts';
import type { JudgedTensor } from '../../src/suspicions/validation.ts';
import { recordOf, tensorOf } from './small-tensor.ts';

const rows = 64;
const elements = 4096;

interface Update {
  /** Octave of most |Δ|, and of the root energy of most rows. */
  readonly middle: number;
  /** Root mean square of Δ, in octaves. */
  readonly rms: number;
  /** Root energy of the most moved row, in octaves. */
  readonly brightest: number;
}

/** How a weight of 64 rows moved. */
function pairOf({ middle, rms, brightest }: Update): PairRecord {
  const rowEnergy = new Float64Array(rows).fill(4 ** middle);
  rowEnergy[9] = 4 ** brightest;
  const deltaOctaves = new Float64Array(256);
  deltaOctaves[127 + middle] = elements;
  return {
    ...emptyPairRecord({ rows, elements }),
    changed: elements,
    deltaMax1: 2 ** (rms + 3),
    deltaMax2: 2 ** (rms + 2.9),
    deltaMax1Index: 3,
    deltaSquares: elements * 4 ** rms,
    deltaOctaves,
    rowEnergy,
  };
}

const usual: Update = { middle: -10, rms: -9, brightest: -8 };

/** Statistics of a healthy run breathe a little. */
function breathing(step: number, update: Update): Update {
  const breath = ((step * 7) % 5) / 50;
  return { ...update, rms: update.rms + breath, brightest: update.brightest + breath };
}

function tensors(step: number, odd: Update): JudgedTensor[] {
  return ['a', 'b', 'c', 'd', 'e', 'f'].map((name) =>
    tensorOf(name, 'weight', {
      record: recordOf({ content: step }),
      pair: pairOf(breathing(step + name.charCodeAt(0), name === 'a' ? odd : usual)),
    }),
  );
}

function taught(update: Update): RunMemory {
  let memory = emptyRunMemory();
  for (let step = 1; step <= 24; step++) {
    memory = judgeValidation(memory, { step, beta1: 0.9, tensors: tensors(step, update) }).memory;
  }
  return memory;
}

function warned(memory: RunMemory, odd: Update): string[] {
  const { findings } = judgeValidation(memory, {
    step: 25,
    beta1: 0.9,
    tensors: tensors(25, odd),
  });
  return findings
    .filter(({ severity }) => severity === 'warning')
    .flatMap(({ rule, others }) => [rule, ...others.map((other) => other.rule)]);
}

const memory = taught(usual);

describe('uneven-update', () => {
  it('tells of a row that changed far more than it and the others ever did', () => {
    expect(warned(memory, { ...usual, brightest: 0 })).toContain('uneven-update');
  });

  it('is quiet where the others stopped and no row moved more', () => {
    expect(warned(memory, { ...usual, middle: -30 })).toEqual([]);
  });
});

describe('update-size-break', () => {
  it('tells of a tensor of which all elements moved far more', () => {
    expect(warned(memory, { middle: -2, rms: -1, brightest: 0 })).toContain('update-size-break');
  });

  it('tells of a tensor that as a whole moved far less', () => {
    expect(warned(memory, { middle: -18, rms: -17, brightest: -16 })).toContain(
      'update-size-break',
    );
  });

  it('is quiet where most elements stopped, or woke, beside a few that move as before', () => {
    expect(warned(memory, { ...usual, middle: -30 })).toEqual([]);
    expect(warned(taught({ ...usual, middle: -30 }), usual)).toEqual([]);
  });
});
