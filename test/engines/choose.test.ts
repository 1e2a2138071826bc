import { describe, expect, it } from 'vitest';
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

  it.each(['tensorflow', 'cuda'] as const)(
    'says that %s is not built and what to use',
    async (name) => {
      await expect(openEngine(name)).rejects.toMatchObject({
        name: 'LaikaError',
        code: 'engine-unavailable',
        details: { where: `--engine ${name}`, next: 'use --engine wasm' },
      });
    },
  );
});
