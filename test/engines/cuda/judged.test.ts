/** A real pair of checkpoints, from the files to the report, on a GPU that is not there. */
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { openCudaEngine } from '../../../src/engines/cuda/open-cuda-engine.ts';
import type { Engine } from '../../../src/engines/engine.ts';
import { openWasmEngine } from '../../../src/engines/wasm/wasm-engine.ts';
import { renderText } from '../../../src/report/text.ts';
import { judge } from '../../../src/verdict/judge.ts';
import { fakeMachine } from './fake-machine.ts';

const run = fileURLToPath(new URL('../../fixtures/recorded/snapshot-gan/', import.meta.url));

async function judgedOn(engine: Engine) {
  const [base, head] = [
    `${run}checkpoint-000200.safetensors`,
    `${run}checkpoint-000201.safetensors`,
  ];
  const result = await judge({ head, base, options: { log: null }, engine, next: 'laika' });
  await engine.close();
  return result;
}

describe.skipIf(fakeMachine === null)('a pair of checkpoints judged on a GPU', () => {
  const open = () => openCudaEngine(fakeMachine?.options);

  it('gets the same document as on wasm', async () => {
    const before = fakeMachine?.launches() ?? 0;
    expect(await judgedOn(await open())).toEqual(await judgedOn(await openWasmEngine()));
    expect(fakeMachine?.launches()).toBeGreaterThan(before + 100);
  });

  it('gets the same document when the GPU fails, and the report says what failed', async () => {
    const engine = await open();
    fakeMachine?.fail('cuEventQuery', 214, 5);
    const result = await judgedOn(engine);
    expect(result).toEqual(await judgedOn(await openWasmEngine()));
    const { name, device, warning } = engine;
    if (!warning) throw new Error('no warning of the fault');
    const shown = renderText({
      ...result,
      engine: { name, device, threads: 1, bytes: 0, seconds: 0, warning },
    });
    expect(shown.replaceAll(/\s+/g, ' ')).toContain(
      'engine the GPU Fake GPU 0 (00010203-0405-0607-0809-0a0b0c0d0e0f) failed: cuEventQuery: ' +
        'uncorrectable ECC error; what it had begun was read again and computed on wasm; if it ' +
        'trains this run, its memory is a suspect: look at its ECC counters',
    );
  });
});
