/** Opens an engine by the name that `--engine` takes. */
import { isLaikaError } from '../checkpoint/errors.ts';
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
  /** Bytes that there will be to read, where that is known beforehand. */
  readonly expectedBytes?: number;
  /** Bytes of a GPU's memory that may be held. */
  readonly gpuMemory?: number;
  /** `auto` may take a GPU that another process computes on. */
  readonly shareGpu?: boolean;
}

/** Opens an engine. @throws LaikaError `engine-unavailable`. */
export async function openEngine(name: EngineName, options: EngineOptions = {}): Promise<Engine> {
  switch (name) {
    case 'auto':
      return (await openIdleGpu(options)) ?? openWasm(options);
    case 'wasm':
      return openWasm(options);
    case 'reference':
      return openReferenceEngine();
    case 'tensorflow':
      return openTensorflowEngine(options);
    case 'cuda':
      return openCuda(options);
  }
}

function openWasm(options: EngineOptions): Promise<Engine> {
  return openWasmEngine({ ...options, threads: options.threads ?? defaultThreads(options) });
}

/** Beside a trainer three of four processors are its own. */
function defaultThreads({ polite = false }: EngineOptions): number {
  const processors = usableProcessors();
  return polite ? Math.max(1, Math.floor(processors / 4)) : processors;
}

async function openCuda(options: EngineOptions): Promise<Engine> {
  const { openCudaEngine } = await import('./cuda/open-cuda-engine.ts');
  const { gpuMemory: memory, bytesPerSecond } = options;
  return openCudaEngine({
    fallback: () => openWasm(options),
    ...(memory === undefined ? {} : { memory }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  });
}

/** Does `auto` take a GPU, and why, or why not; in a sentence without full stop. */
export async function gpuChoice(options: EngineOptions): Promise<{
  readonly takes: boolean;
  readonly reason: string;
}> {
  const { shareGpu: share = false, polite = false } = options;
  const { chooseGpu } = await import('./cuda/auto-choice.ts');
  return chooseGpu({ cores: options.threads ?? usableProcessors(), share, polite });
}

/** Null where `auto` takes none, and where the one it takes cannot be used. */
async function openIdleGpu(options: EngineOptions): Promise<Engine | null> {
  const { takes } = await gpuChoice(options);
  if (!takes) return null;
  try {
    return await openCuda(options);
  } catch (error) {
    if (isLaikaError(error)) return null;
    throw error;
  }
}
