/** A witness pair as the PyTorch file writes it: every replay law is judged on every element. */
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openEngine } from '../../src/engines/choose.ts';
import { judge } from '../../src/verdict/judge.ts';

const dump = (step: number) =>
  fileURLToPath(new URL(`../fixtures/witness/witness-0000000${step}.safetensors`, import.meta.url));

it('replays the whole step of a pair that PyTorch wrote', async () => {
  const engine = await openEngine('auto');
  try {
    const result = await judge({ head: dump(41), base: dump(40), options: {}, engine, next: '' });
    expect(result.verdict).toBe('intact');
    for (const id of ['replay-moments', 'replay-weights', 'replay-gradient']) {
      const rule = result.coverage?.rules.find((each) => each.rule === id);
      expect(rule).toMatchObject({ elements: 723, of: 723, unknown: [] });
    }
  } finally {
    await engine.close();
  }
});
