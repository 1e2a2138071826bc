/** The WebAssembly engine in a process of its own; dies when it is asked to. */
import type { Engine } from '../../../src/engines/engine.ts';
import { parentChannel } from '../../../src/engines/process/parent-channel.ts';
import { serveEngine } from '../../../src/engines/process/serve-engine.ts';
import { openWasmEngine } from '../../../src/engines/wasm/wasm-engine.ts';

/** Names of tensors that kill the process, or spoil it. */
async function openMortalEngine(): Promise<Engine> {
  const engine = await openWasmEngine();
  return {
    name: 'wasm',
    device: `told ${process.argv.slice(2)}`,
    close: () => engine.close(),
    run: async (sweep, context) => {
      const names = Object.values(sweep.streams).map(({ tensor }) => tensor.name);
      if (names.includes('abort')) process.abort();
      if (names.includes('spoil')) throw new Error('OOM when allocating tensor');
      return engine.run(sweep, context);
    },
  };
}

await serveEngine(parentChannel(), openMortalEngine);
