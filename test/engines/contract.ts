/** What every engine must do. One suite: `engineContract` runs it over an engine. */
import { describe } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { copyContract } from './copy-contract.ts';
import { lawContract, sameLaws } from './law-contract.ts';
import { movementContract, sameMovements } from './movement-contract.ts';
import { readingContract } from './reading-contract.ts';
import { sameSummaries, summaryContract } from './summary-contract.ts';

export type OpenEngine = () => Promise<Engine>;

/** Runs the suite; the reference engine is not compared with itself. */
export function engineContract(name: string, open: OpenEngine): void {
  const isOracle = name === 'reference';
  describe(`the ${name} engine`, () => {
    describe('summaries', () => summaryContract(open));
    describe('laws', () => lawContract(open));
    describe('copies', () => copyContract(open));
    describe('movements', () => movementContract(open));
    describe('reading', () => readingContract(open));
    if (isOracle) return;
    describe('summaries, beside the reference engine', () => sameSummaries(open));
    describe('laws, beside the reference engine', () => sameLaws(open));
    describe('movements, beside the reference engine', () => sameMovements(open));
  });
}
