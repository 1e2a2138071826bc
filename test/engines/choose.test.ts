import { describe, expect, it } from 'vitest';
import type { LaikaError } from '../../src/checkpoint/errors.ts';
import { gpuChoice, openEngine } from '../../src/engines/choose.ts';

describe('choosing an engine', () => {
  it.each([
    ['wasm', 'wasm'],
    ['reference', 'reference'],
  ] as const)('opens for %s the %s engine', async (name, opened) => {
    const engine = await openEngine(name);
    expect(engine.name).toBe(opened);
    expect(engine.device).not.toBe('');
    await engine.close();
  });

  it('opens for auto wasm, unless an idle GPU is worth taking', async () => {
    const engine = await openEngine('auto');
    const { takes, reason } = await gpuChoice({});
    expect(reason).not.toBe('');
    if (!takes) expect(engine.name).toBe('wasm');
    await engine.close();
  });

  it('opens cuda, or says in one sentence what is missing and what to do', async () => {
    const opened = await openEngine('cuda').then(
      async (engine) => {
        await engine.close();
        return engine.name;
      },
      (error: LaikaError) => error.details,
    );
    if (typeof opened === 'string') return expect(opened).toBe('cuda');
    expect(opened).toMatchObject({ code: 'engine-unavailable', where: '--engine cuda' });
    expect(opened.next).toMatch(/--engine wasm|npm install koffi/);
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
