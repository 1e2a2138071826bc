/** Opens an engine by the name that `--engine` takes. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Engine } from './engine.ts';
import { openReferenceEngine } from './reference/reference-engine.ts';
import { openTensorflowEngine } from './tensorflow/open-tensorflow.ts';
import { openWasmEngine } from './wasm/wasm-engine.ts';

/** What `--engine` takes; `auto` is the fastest that runs here. */
export type EngineName = 'auto' | Engine['name'];

/** Opens an engine. @throws LaikaError `engine-unavailable`. */
export async function openEngine(name: EngineName): Promise<Engine> {
  switch (name) {
    case 'auto':
    case 'wasm':
      return openWasmEngine();
    case 'reference':
      return openReferenceEngine();
    case 'tensorflow':
      return openTensorflowEngine();
    case 'cuda':
      throw new LaikaError({
        code: 'engine-unavailable',
        what: `The ${name} engine is not built yet`,
        where: `--engine ${name}`,
        next: 'use --engine wasm',
      });
  }
}
