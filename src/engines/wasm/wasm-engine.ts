/**
 * The default engine: WebAssembly kernels with SIMD over chunks that lie side by side in one
 * memory.
 */
import type { Engine, EngineContext, Sweep, SweepResult } from '../engine.ts';
import { Pacer } from '../pacer.ts';
import { joinParts } from './join-parts.ts';
import { loadKernels } from './kernels.ts';
import { type Memory, prepareMemory, SweepPass } from './sweep-pass.ts';
import { Views } from './views.ts';

/** Opens the WebAssembly engine. @throws LaikaError `engine-unavailable`. */
export async function openWasmEngine(): Promise<Engine> {
  const { kernels, buffer } = await loadKernels();
  const memory = { kernels, views: new Views(buffer) };
  prepareMemory(memory);
  return new WasmEngine(memory);
}

class WasmEngine implements Engine {
  readonly name = 'wasm';
  readonly device = '1 thread, SIMD';
  readonly #memory: Memory;
  readonly #pacer = new Pacer();
  /** Resolves when the sweep before has left the memory. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** One sweep at a time has the memory; further ones wait. */
  run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const result = this.#free.then(async () => {
      const pass = new SweepPass(sweep, { memory: this.#memory, context, pacer: this.#pacer });
      return joinParts(sweep, [await pass.run()], (about) => pass.measure(about));
    });
    this.#free = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#free;
  }
}
