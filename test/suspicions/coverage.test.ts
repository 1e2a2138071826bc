/** What could be judged, and why not the rest. */
import { describe, expect, it } from 'vitest';
import type { SuspicionCoverage } from '../../src/suspicions/finding.ts';
import { emptyRunMemory } from '../../src/suspicions/run-memory.ts';
import { suspicions } from '../../src/suspicions/suspicions.ts';
import { readRun, replay } from './recorded-run.ts';

const { judgements } = replay(readRun('mlp-adam'), emptyRunMemory());

function cover(checkpoint: number, rule: string): SuspicionCoverage | undefined {
  return judgements[checkpoint]?.coverage.find((each) => each.rule === rule);
}

describe('coverage of suspicions', () => {
  it('has every rule that judges a validation, at every checkpoint', () => {
    const apart = ['whole-run-moved', 'recurring-suspect'];
    const ids = suspicions.map(({ id }) => id).filter((id) => !apart.includes(id));
    for (const { coverage } of judgements) {
      expect(coverage.map(({ rule }) => rule)).toEqual(ids);
      for (const { elements, of, unknown } of coverage) {
        expect(elements + unknown.reduce((sum, each) => sum + each.elements, 0)).toBe(of);
      }
    }
  });

  it('says from which checkpoint on a rule can judge', () => {
    const first = (rule: string) =>
      judgements.findIndex((_, i) => (cover(i, rule)?.elements ?? 0) > 0);
    // Section 5 of the specification; the 9th checkpoint of this run is a witness, without updates.
    expect(first('isolated-value')).toBe(4);
    expect(first('isolated-update')).toBe(5);
    expect(first('scale-break')).toBe(7);
    expect(first('update-size-break')).toBe(9);
    expect(first('stuck-bit-lane')).toBe(1);
    expect(first('lone-giant')).toBe(0);
  });

  it('gives the reason', () => {
    expect(cover(0, 'lost-precision')?.unknown[0]?.reason).toBe('no earlier checkpoint');
    expect(cover(2, 'isolated-value')?.unknown[0]?.reason).toBe('too little history');
    expect(cover(8, 'isolated-update')?.unknown[0]?.reason).toContain('not like those before');
  });
});
