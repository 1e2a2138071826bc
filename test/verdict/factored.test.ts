/** A stale weight of Adafactor: its factored moments are all that says that training went on. */
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import { judge } from '../../src/verdict/judge.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { writeSnapshot } from './snapshot-file.ts';

const folder = temporaryFolder();
const engine = await openEngine('auto');

afterAll(() => engine.close());

const wave = (size: number, phase: number) =>
  Array.from({ length: size }, (_, i) => 2 + Math.sin(1.7 * i + phase));

function checkpoint(step: number, weightOf: number): string {
  // Factors of one matrix have one mean.
  const row = wave(8, step);
  const tensors = {
    'parameter/w': wave(64, weightOf / 50),
    'row_var/w': row,
    'col_var/w': [...row].reverse(),
    'step/w': [step],
  };
  const path = join(folder, `step-${step}-${weightOf}.safetensors`);
  return writeSnapshot(path, { step, optimizer: 'Adafactor', tensors });
}

/** Rules found at step 7 of a run that walked there, told its last weight. */
async function rulesAt(weightOf: number): Promise<string[]> {
  let memory = emptyRunMemory();
  let base: string | null = null;
  let found: string[] = [];
  for (const step of [1, 2, 3, 4, 5, 6, 7]) {
    const head = checkpoint(step, step === 7 ? weightOf : step);
    const result = await judge({
      ...{ head, base, options: {}, engine, next: '', memory },
      onMemory: (after) => {
        memory = after;
      },
    });
    const loud = (result.findings ?? []).filter(({ severity }) => severity !== 'info');
    found = loud.map(({ rule, tensor }) => `${rule} ${tensor}`);
    base = head;
  }
  return found;
}

describe('a weight with factored moments', () => {
  it('is called stale where it stood still and its factors moved', async () => {
    expect(await rulesAt(6)).toEqual(['stale-tensor parameter/w']);
  });

  it('is not where it moved', async () => {
    expect(await rulesAt(7)).toEqual([]);
  });
});
