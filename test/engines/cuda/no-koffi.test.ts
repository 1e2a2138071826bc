/** A machine where the optional package was left out. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, vi } from 'vitest';
import { packageRoot } from '../../../src/package.ts';

const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));

vi.mock('koffi', () => {
  throw new Error('not installed');
});

it('says in one sentence and one command what is missing, and auto does not notice', async () => {
  const { openEngine } = await import('../../../src/engines/choose.ts');
  await expect(openEngine('cuda')).rejects.toMatchObject({
    code: 'engine-unavailable',
    details: {
      what: 'The cuda engine needs the optional package koffi',
      next: `npm install koffi@${manifest.optionalDependencies.koffi}`,
    },
  });
  const engine = await openEngine('auto');
  expect(engine.name).toBe('wasm');
  await engine.close();
});
