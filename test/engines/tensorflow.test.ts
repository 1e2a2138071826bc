/** Runs where `npm run tensorflow:build` has built the addon, and LAIKA_TENSORFLOW says so. */
import { describe } from 'vitest';
import { openProcessEngine } from '../../src/engines/process/process-engine.ts';
import { engineContract } from './contract.ts';
import { bundled } from './process/bundled.ts';

const isHere = process.env.LAIKA_TENSORFLOW === '1';

async function open() {
  const entry = new URL('../../src/cli/tensorflow-process.ts', import.meta.url);
  return openProcessEngine({
    name: 'tensorflow',
    entry: await bundled(entry, 'tensorflow-process'),
  });
}

describe.skipIf(!isHere)('with a TensorFlow library (set LAIKA_TENSORFLOW=1)', () => {
  engineContract('tensorflow', open);
});
