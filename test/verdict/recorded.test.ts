/** Real runs, healthy and damaged by recipe, through the whole way of the data: files in, verdict out. */
import { afterAll, describe, expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import type { Result } from '../../src/verdict/result.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { judgeCase, type RecordedCase, recordedCases } from './recorded-cases.ts';

const engine = await openEngine('auto');
const place = temporaryFolder();

afterAll(() => engine.close());

async function judged(each: RecordedCase): Promise<Result> {
  const [result] = await judgeCase(each, [engine], place);
  return result as Result;
}

const of = (name: string) => recordedCases.filter((each) => each.class === name);

describe('recorded runs', () => {
  it('has cases of every class', () => {
    for (const name of ['clean', 'provable', 'structural', 'invisible', 'lineage', 'declaration']) {
      expect(of(name).length, name).toBeGreaterThan(0);
    }
  });

  it.each(of('clean'))('$id: healthy, and the laws really ran', async (each) => {
    const result = await judged(each);
    expect(result.verdict).toBe('intact');
    expect(result.findings?.filter(({ severity }) => severity !== 'info')).toEqual([]);
    if (each.files.head === each.files.base) return;
    const rule = result.coverage?.rules.find(({ rule: id }) => id === 'moment-increment');
    expect(Number(rule?.elements) / Number(rule?.of)).toBeGreaterThan(0.95);
  });

  it.each(of('provable'))('$id: confirmed, with tensor and element', async (each) => {
    const result = await judged(each);
    expect(each.accept).toContain(result.verdict);
    if (result.verdict !== 'corrupt' || !each.parameters) return;
    const told = JSON.stringify(result.findings);
    expect(each.parameters.some((name) => told.includes(name))).toBe(true);
    if (each.index === null || each.index === undefined) return;
    expect(result.findings?.some(({ element }) => element?.index === each.index)).toBe(true);
  });

  it.each(of('structural'))('$id: the container is damaged', async (each) => {
    const result = await judged(each);
    expect(result.verdict).toBe('corrupt');
    expect(result.findings?.some(({ kind }) => kind === 'structure')).toBe(true);
  });

  it.each([...of('invisible'), ...of('lineage'), ...of('declaration')])(
    '$id: says no more than can be known',
    async (each) => {
      expect(each.accept).toContain((await judged(each)).verdict);
    },
  );
});
