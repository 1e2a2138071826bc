import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { readCorpus } from '../../benchmarks/mutate/corpus.ts';
import { mutated, runTrial } from '../../benchmarks/mutate/trial.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';

const corpus = readCorpus(fileURLToPath(new URL('../fixtures/formats', import.meta.url)));
const engine = await openReferenceEngine();
const trials = 120;

describe('a mutated checkpoint', () => {
  it.each([...corpus.keys()])(
    'gives findings or a typed error, and nothing else: %s',
    async (layout) => {
      const kinds = new Set<string>();
      const breaches: unknown[] = [];
      for (let trial = 0; trial < trials; trial++) {
        const input = mutated(corpus.get(layout) ?? [], 1, trial);
        const outcome = await runTrial(input, engine, trial % 8 === 0);
        kinds.add(outcome.kind);
        if (outcome.kind === 'breach') breaches.push([input.specimen.name, trial, outcome.detail]);
      }
      expect(breaches).toEqual([]);
      expect(kinds).toContain('findings');
    },
  );
});
