/** Runs where `npm run tensorflow:build` has built the addon, and LAIKA_TENSORFLOW says so. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Engine } from '../../../src/engines/engine.ts';
import { openTensorflowEngine } from '../../../src/engines/tensorflow/open-tensorflow.ts';
import { openWasmEngine } from '../../../src/engines/wasm/wasm-engine.ts';
import { judgeCase, recordedCases } from '../../verdict/recorded-cases.ts';
import { engineContract } from '../contract.ts';
import { bundled } from '../process/bundled.ts';

const isHere = process.env.LAIKA_TENSORFLOW === '1';

async function open() {
  const entry = new URL('../../../src/cli/tensorflow-process.ts', import.meta.url);
  return openTensorflowEngine({ entry: await bundled(entry, 'tensorflow-process') });
}

describe.skipIf(!isHere)('with a TensorFlow library (set LAIKA_TENSORFLOW=1)', () => {
  engineContract('tensorflow', open);

  describe('recorded runs', () => {
    const engines: Engine[] = [];
    const place = mkdtempSync(join(tmpdir(), 'laika-tensorflow-'));
    beforeAll(async () => {
      engines.push(await openWasmEngine(), await open());
    });
    afterAll(async () => {
      for (const engine of engines) await engine.close();
      rmSync(place, { recursive: true });
    });

    it.each(recordedCases)('$id: the same document as by WebAssembly', async (each) => {
      const [wasm, tensorflow] = await judgeCase(each, engines, place);
      expect(tensorflow).toEqual(wasm);
    });
  });

  it('leaves nothing behind after a thousand chunks', { timeout: 300_000 }, async () => {
    const program = await bundled(new URL('./many-chunks.ts', import.meta.url), 'many-chunks');
    const output = execFileSync('node', [program], {
      encoding: 'utf8',
      env: { ...process.env, TF_CPP_MIN_LOG_LEVEL: '3', TF_ENABLE_ONEDNN_OPTS: '0' },
    });
    const { tensors, grown } = JSON.parse(output);
    expect(tensors).toBe(0);
    expect(grown).toBeLessThan(60 * 2 ** 20);
  });
});
