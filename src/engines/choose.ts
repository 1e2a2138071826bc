/** Opens an engine by the name that `--engine` takes. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Engine } from './engine.ts';
import { openReferenceEngine } from './reference/reference-engine.ts';
import { openTensorflowEngine } from './tensorflow/open-tensorflow.ts';
import { usableProcessors } from './usable-processors.ts';
import { openWasmEngine } from './wasm/wasm-engine.ts';

/** What `--engine` takes; `auto` is the fastest that runs here. */
export type EngineName = 'auto' | Engine['name'];

/** How an engine may use the machine; an engine that cannot obey an option does without it. */
export interface EngineOptions {
  /** Worker threads; absent: one for every processor that this process may use. */
  readonly threads?: number;
  /** Bytes to read a second at most. */
  readonly bytesPerSecond?: number;
  /** A trainer works beside: low priority, and the caller's thread stays free. */
  readonly polite?: boolean;
}

/** Opens an engine. @throws LaikaError `engine-unavailable`. */
export async function openEngine(name: EngineName, options: EngineOptions = {}): Promise<Engine> {
  switch (name) {
    case 'auto':
    case 'wasm':
      return openWasmEngine({ ...options, threads: options.threads ?? defaultThreads(options) });
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

/** Beside a trainer three of four processors are its own. */
function defaultThreads({ polite = false }: EngineOptions): number {
  const processors = usableProcessors();
  return polite ? Math.max(1, Math.floor(processors / 4)) : processors;
}
