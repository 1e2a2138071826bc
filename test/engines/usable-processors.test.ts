import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { quotaOf, usableProcessors } from '../../src/engines/usable-processors.ts';

describe('processors that may be used', () => {
  it.each([
    ['200000 100000\n', 2],
    ['50000 100000\n', 0.5],
    ['max 100000\n', null],
    ['', null],
    [null, null],
    ['1 0\n', null],
  ])('read from the quota %j', (text, expected) => {
    expect(quotaOf(text)).toBe(expected);
  });

  it('are at least one and at most what the system offers', () => {
    expect(usableProcessors()).toBeGreaterThanOrEqual(1);
    expect(usableProcessors()).toBeLessThanOrEqual(availableParallelism());
  });
});
