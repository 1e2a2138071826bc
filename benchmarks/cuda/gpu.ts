/** A GPU for a benchmark, believed only after the engine on it has passed its self-test. */
import { performance } from 'node:perf_hooks';
import { CudaEngine } from '../../src/engines/cuda/cuda-engine.ts';
import { bestDevice } from '../../src/engines/cuda/devices.ts';
import { type CudaDriver, driverLibraries } from '../../src/engines/cuda/driver.ts';
import { openForeignLibrary } from '../../src/engines/cuda/foreign.ts';
import { readImage } from '../../src/engines/cuda/kernels.ts';
import { inspectCuda } from '../../src/engines/cuda/open-cuda-engine.ts';
import { CudaSession } from '../../src/engines/cuda/session.ts';
import { selfTest } from '../../src/engines/self-test.ts';
import { openWasmEngine } from '../../src/engines/wasm/wasm-engine.ts';

export interface Settings {
  /** Bytes of source data in one measurement. */
  readonly bytes: number;
  /** Where the file is made: a tmpfs, so that no disk is measured. */
  readonly folder: string;
  /** Another libcuda, for trying the script. */
  readonly driver: string | null;
}

export interface BenchGpu {
  readonly title: string;
  readonly engine: CudaEngine;
  openSession(): Promise<CudaSession>;
  /** Starts a copy inside the GPU's memory. */
  copyInside(session: CudaSession, to: bigint, from: bigint, bytes: number): void;
}

/** Of the free memory: the context and the engine's own slots need some. */
const share = 0.8;

/** @throws Error that says what is missing, or that the GPU computes wrongly. */
export async function openGpu({ driver: path }: Settings): Promise<BenchGpu> {
  const libraries = path === null ? driverLibraries : [path];
  const machine = await inspectCuda(
    path === null ? {} : { driverLibraries: libraries, nvmlLibraries: libraries },
  );
  if (!machine.driver) throw new Error(`${machine.reason}: nothing can be measured`);
  const device = bestDevice(machine.devices);
  if (!device) throw new Error('CUDA shows no GPU: nothing can be measured');
  const driver: CudaDriver = machine.driver;
  const engine = new CudaEngine(
    { driver, device },
    {
      memory: 512 * 2 ** 20,
      bytesPerSecond: Infinity,
      leastElements: 0,
      idleMs: 60_000,
      fallback: openWasmEngine,
    },
  );
  await engine.check();
  const { ok, detail } = await selfTest(engine);
  if (!ok || engine.warning !== null) throw new Error(`${detail} ${engine.warning ?? ''}`);
  const { library } = await openForeignLibrary(libraries);
  const copy = library?.call(
    'int cuMemcpyDtoDAsync_v2(uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream)',
  );
  return {
    title: `${device.name}, driver for CUDA ${machine.version}; self-test: ${detail}`,
    engine,
    openSession: () => {
      const limits = { memory: Math.floor(share * (device.use?.free ?? device.memory)) };
      return CudaSession.open(driver, { ordinal: device.ordinal, image: readImage(), limits });
    },
    copyInside: (session, to, from, bytes) => {
      const code = copy?.(to, from, BigInt(bytes), session.workStream);
      if (code !== 0) throw new Error(`the copy inside the GPU failed: ${code}`);
    },
  };
}

/** Milliseconds of one call of `work`, the best of several batches; `wait` ends a batch. */
export async function bestTime(work: () => unknown, wait: () => void = () => {}): Promise<number> {
  await work();
  wait();
  let repeats = 1;
  let best = Infinity;
  for (let batch = 0; batch < 7; batch++) {
    const start = performance.now();
    for (let i = 0; i < repeats; i++) await work();
    wait();
    const time = performance.now() - start;
    best = Math.min(best, time / repeats);
    // Batches of 50 ms or more: the wait at the end is small beside them.
    if (time < 50) repeats = Math.min(1000, Math.ceil((repeats * 60) / Math.max(time, 0.1)));
  }
  return best;
}

/** `12.3 GB/s` of bytes in milliseconds. */
export function rate(bytes: number, milliseconds: number): string {
  return (bytes / milliseconds / 1e6).toFixed(1);
}
