import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/engines/engine.ts';
import { openReferenceEngine } from '../../src/engines/reference/reference-engine.ts';
import { selfTest } from '../../src/engines/self-test.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';

describe('the self-test of an engine', () => {
  it('passes for the WebAssembly engine', async () => {
    const engine = await openWasmEngine();
    expect(await selfTest(engine)).toMatchObject({ ok: true });
    await engine.close();
  });

  it('fails for an engine that miscounts one element', async () => {
    const good = openReferenceEngine();
    const bad: Engine = {
      name: 'wasm',
      device: 'broken',
      close: async () => {},
      run: async (sweep, context) => {
        const result = await good.run(sweep, context);
        const [copy] = result.copies;
        if (copy) copy.zerosFound += 1;
        return result;
      },
    };
    expect(await selfTest(bad)).toEqual({
      ok: false,
      detail: 'copies differ from the reference engine',
    });
  });
});
