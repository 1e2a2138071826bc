/** Laws about lines of 16 elements: they hold, break and cannot tell just below and just above each bound. */
import { describe, expect, it } from 'vitest';
import type { LineLaw } from '../../src/laws/law.ts';
import { noBlankLines } from '../../src/laws/no-blank-lines.ts';
import { spacing, stateProgress, subjects } from '../../src/laws/state-progress.ts';
import { type Arrays, judgeArrays, lawContext } from './judge-arrays.ts';

const context = lawContext({
  ...{ beta1: 0.9, beta2: 0.999, stepBase: 7, stepHead: 8 },
  rates: [1e-3, 1e-3],
});

type Verdict = 'holds' | 'broken' | 'unknown';

function judge(law: LineLaw, subject: 'w' | 'm' | 'v', arrays: Arrays): Verdict {
  const binding = law.bind(context);
  if (binding.kind === 'unknown') throw new Error(binding.reason);
  const constants = { ...binding.constants, subject: subjects.indexOf(subject) };
  const { judged, broken } = judgeArrays(law, constants, arrays);
  if (judged === 0) return 'unknown';
  return broken > 0 ? 'broken' : 'holds';
}

const line = (at: (i: number) => number) => Float32Array.from({ length: 16 }, (_, i) => at(i));

/** A line whose every element must move by a healthy step, in weights and in both moments. */
const healthy = {
  wA: line((i) => 0.5 + i / 100),
  wB: line((i) => 0.499 + i / 100),
  mA: line((i) => 0.01 + i / 1000),
  mB: line((i) => 0.011 + i / 1000),
  vA: line((i) => 0.02 + i / 1000),
  vB: line((i) => 0.021 + i / 1000),
};

describe("'state-progress'", () => {
  const still = (subject: 'w' | 'm' | 'v', of: Arrays = healthy): Arrays => ({
    ...of,
    [`${subject}B`]: of[`${subject}A`]?.slice() as Float32Array,
  });

  it.each(subjects)('%s: breaks where a line stood still, holds where one element moved', (at) => {
    expect(judge(stateProgress, at, healthy)).toBe('holds');
    expect(judge(stateProgress, at, still(at))).toBe('broken');
    const one = still(at);
    (one[`${at}B`] as Float32Array)[15] = healthy[`${at}B`][15] as number;
    expect(judge(stateProgress, at, one)).toBe('holds');
  });

  it('needs twelve elements that must move: eleven cannot tell', () => {
    // m² = v: such a second moment rests.
    const resting = (count: number) => ({
      ...healthy,
      vA: line((i) => (i < count ? (healthy.mA[i] as number) ** 2 : (healthy.vA[i] as number))),
    });
    expect(judge(stateProgress, 'v', still('v', resting(4)))).toBe('broken');
    expect(judge(stateProgress, 'v', still('v', resting(5)))).toBe('unknown');
  });

  it('takes a second moment for resting up to a thousandth, and no further', () => {
    const near = (relative: number) => ({
      ...healthy,
      vA: line((i) => (healthy.mA[i] as number) ** 2 / (1 - relative)),
    });
    expect(judge(stateProgress, 'v', still('v', near(0.9e-3)))).toBe('unknown');
    expect(judge(stateProgress, 'v', still('v', near(1.1e-3)))).toBe('broken');
  });

  it('wants of a weight only a step of more than 64 times its spacing', () => {
    const sized = (ulps: number) => {
      const step = 1e-3 * (healthy.mB[0] as number);
      const root = step / (ulps * spacing(0.5));
      return {
        ...healthy,
        wA: line((i) => 0.5 + i * 2 ** -20),
        mB: line(() => healthy.mB[0] as number),
        vB: line(() => root * root),
      };
    };
    expect(judge(stateProgress, 'w', still('w', sized(63)))).toBe('unknown');
    expect(judge(stateProgress, 'w', still('w', sized(65)))).toBe('broken');
  });

  it('cannot tell of a line of one magnitude, which may be clamped or masked', () => {
    const clamped = { ...healthy, wA: line((i) => (i % 2 ? -0.5 : 0.5)) };
    expect(judge(stateProgress, 'w', still('w', clamped))).toBe('unknown');
    clamped.wA[3] = 0.25;
    expect(judge(stateProgress, 'w', still('w', clamped))).toBe('broken');
  });
});

describe("'no-blank-lines'", () => {
  const blank = (subject: 'w' | 'm' | 'v', of: Arrays = healthy): Arrays => ({
    ...of,
    [`${subject}B`]: new Float32Array(16),
  });

  it.each(subjects)(
    '%s: breaks where a line became all zero, holds where one number is left',
    (at) => {
      expect(judge(noBlankLines, at, healthy)).toBe('holds');
      expect(judge(noBlankLines, at, blank(at))).toBe('broken');
      const one = blank(at);
      (one[`${at}B`] as Float32Array)[3] = 2 ** -149;
      expect(judge(noBlankLines, at, one)).toBe('holds');
    },
  );

  it('needs twelve elements that held numbers: eleven cannot tell', () => {
    const some = (count: number) => ({ ...healthy, wA: line((i) => (i < count ? 1 : 0)) });
    expect(judge(noBlankLines, 'w', blank('w', some(12)))).toBe('broken');
    expect(judge(noBlankLines, 'w', blank('w', some(11)))).toBe('unknown');
  });

  it('takes no moment for alive that decay may flush: β₁ᵏ|m| and β₂ᵏ v above 1e-30', () => {
    const m = (size: number) => ({ ...healthy, mA: line(() => size / 0.9) });
    expect(judge(noBlankLines, 'm', blank('m', m(1.01e-30)))).toBe('broken');
    expect(judge(noBlankLines, 'm', blank('m', m(0.99e-30)))).toBe('unknown');
    const v = (size: number) => ({ ...healthy, vA: line(() => size / 0.999) });
    expect(judge(noBlankLines, 'v', blank('v', v(1.01e-30)))).toBe('broken');
    expect(judge(noBlankLines, 'v', blank('v', v(0.99e-30)))).toBe('unknown');
  });
});
