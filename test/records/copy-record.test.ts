import { describe, expect, it } from 'vitest';
import { emptyCopyRecord, mergeCopyRecord } from '../../src/records/copy-record.ts';

const different = { compared: 5, different: 2, first: 7, expectedBits: 1n, foundBits: 3n };

describe('two parts of a comparison', () => {
  it('keep the first difference of the earlier part', () => {
    const into = { ...emptyCopyRecord(), ...different, zerosFound: 1 };
    mergeCopyRecord(into, { ...emptyCopyRecord(), ...different, first: 99, zerosFound: 2 });
    expect(into).toEqual({ ...different, compared: 10, different: 4, zerosFound: 3 });
  });

  it('take the difference of the later part where the earlier has none', () => {
    const into = emptyCopyRecord();
    mergeCopyRecord(into, { ...emptyCopyRecord(), ...different });
    expect(into).toEqual({ ...different, zerosFound: 0 });
  });
});
