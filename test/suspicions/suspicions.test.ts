/** The list of rules: its constants against score.py, its texts, its budget in words. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  evidenceSentence,
  evidenceWords,
  infoBits,
  severityOf,
  warningBits,
} from '../../src/suspicions/budget.ts';
import { loneGiantGap } from '../../src/suspicions/lone-giant.ts';
import { statisticalRules, suspicions } from '../../src/suspicions/suspicions.ts';

const score = readFileSync(new URL('../fixtures/suspicions/score.py', import.meta.url), 'utf8');

const groups: Readonly<Record<string, string>> = { t: 'weight', m: 'first', v: 'second' };
const statistics: Readonly<Record<string, string>> = {
  dReach: 'deltaReach',
  dRowPeak: 'deltaRowPeak',
  dBlockPeak: 'deltaBlockPeak',
  dMedian: 'deltaMedian',
  dRms: 'deltaRms',
};

/** The rows of score.py's table LINES, and its set CALM. */
function oracleLines(): string[] {
  const calm = /CALM = \{(.*?)\}/.exec(score)?.[1] ?? '';
  const rows = score.matchAll(
    /\("([a-z-]+)", "([tmv])", "(\w+)", "(excess|residual)", ([01]), ([0-9.]+), ([0-9.]+)\)/g,
  );
  return [...rows].map(([, rule = '', group = '', statistic = '', kind, alone, floor, slope]) =>
    [
      rule,
      `${groups[group]}.${statistics[statistic] ?? statistic}`,
      kind,
      alone === '1',
      calm.includes(`"${rule}"`),
      Number(floor),
      Number(slope),
    ].join(' '),
  );
}

describe('the list of suspicions', () => {
  it('has the lines and constants of score.py', () => {
    const mine = statisticalRules.flatMap(({ id, lines }) =>
      lines.map((line) =>
        [id, line.id, line.kind, line.alone, line.calm, line.floor, line.octavesPerBit].join(' '),
      ),
    );
    const oracle = oracleLines();
    expect(oracle).toHaveLength(14);
    expect(mine.sort()).toEqual(oracle.sort());
    const { weight, first, second } = loneGiantGap;
    expect(score).toContain(`LONE = math.log2(1e4), math.log2(100), 12, 8, 4, 64, {`);
    expect(score).toContain(`{"t": ${weight}, "m": ${first}, "v": ${second}}`);
  });

  it('names each line after its group and statistic, once', () => {
    const lines = statisticalRules.flatMap((rule) => rule.lines);
    expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
    for (const { id, group, statistic } of lines) expect(id).toBe(`${group}.${statistic}`);
  });

  it('has kebab-case ids, none twice, and a text in every place', () => {
    expect(new Set(suspicions.map(({ id }) => id)).size).toBe(suspicions.length);
    for (const rule of suspicions) {
      expect(rule.id).toMatch(/^[a-z]+(-[a-z]+)*$/);
      const { title, statement, means, catches, quiet, needs, cost } = rule;
      for (const text of [title, statement, means, catches, quiet, needs, cost]) {
        expect(text.length).toBeGreaterThan(3);
      }
    }
  });
});

describe('the budget', () => {
  it('warns from 1 in 10,000 and tells from 1 in 100', () => {
    expect(2 ** warningBits).toBeCloseTo(10_000, 6);
    expect(2 ** infoBits).toBeCloseTo(100, 6);
    expect(severityOf(13.28)).toBe('info');
    expect(severityOf(13.29)).toBe('warning');
    expect(severityOf(6.64)).toBeNull();
    expect(severityOf(6.65)).toBe('info');
    expect(severityOf(Number.NaN)).toBeNull();
  });

  it.each([
    [6.7, 'about once in 100'],
    [10, 'about once in 1,000'],
    [13.3, 'about once in 10,000'],
    [19.9, 'about once in 10,000'],
    [20, 'about once in 1,000,000'],
    [60, 'about once in 1,000,000'],
    [60.1, 'never by chance'],
  ])('puts %d bits into words: %s', (net, words) => {
    expect(evidenceWords(net)).toBe(words);
  });

  it('says how many comparisons were allowed for', () => {
    expect(evidenceSentence(14, 4120)).toContain('after allowing for 4,120 comparisons');
  });
});
