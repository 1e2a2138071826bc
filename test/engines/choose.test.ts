import { describe, expect, it } from 'vitest';
import type { LaikaError } from '../../src/checkpoint/errors.ts';
import { openEngine } from '../../src/engines/choose.ts';

describe('choosing an engine', () => {
  it.each([
    ['auto', 'wasm'],
    ['wasm', 'wasm'],
    ['reference', 'reference'],
  ] as const)('opens for %s the %s engine', async (name, opened) => {
    const engine = await openEngine(name);
    expect(engine.name).toBe(opened);
    expect(engine.device).not.toBe('');
    await engine.close();
  });

  it('says that cuda is not built and what to use', async () => {
    await expect(openEngine('cuda')).rejects.toMatchObject({
      name: 'LaikaError',
      code: 'engine-unavailable',
      details: { where: '--engine cuda', next: 'use --engine wasm' },
    });
  });

  it('opens tensorflow, or says in one sentence what is missing and in one what to do', async () => {
    const opened = await openEngine('tensorflow').then(
      async (engine) => {
        await engine.close();
        return engine.device;
      },
      (error: LaikaError) => error,
    );
    if (typeof opened === 'string') expect(opened).toMatch(/^TensorFlow \d+\.\d+\.\d+ on [CG]PU/);
    else {
      expect(opened).toMatchObject({ name: 'LaikaError', code: 'engine-unavailable' });
      expect(opened.details.next).toBeTruthy();
    }
  });
});
