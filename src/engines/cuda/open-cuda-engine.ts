/** From what the machine has to an open CUDA engine, or to one sentence that says why not. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Engine } from '../engine.ts';
import { openWasmEngine } from '../wasm/wasm-engine.ts';
import { CudaEngine, leastMemory } from './cuda-engine.ts';
import { bestDevice, type GpuDevice, listDevices, startFailure } from './devices.ts';
import { type CudaDriver, driverText, leastDriver, loadDriver } from './driver.ts';
import { Nvml } from './nvml.ts';

export interface CudaOptions {
  /** Bytes of GPU memory that may be held, at least 4 MiB; default 512 MiB. */
  readonly memory?: number;
  /** Bytes to read a second at most. */
  readonly bytesPerSecond?: number;
  /** What computes where the GPU cannot; default wasm in this thread. */
  readonly fallback?: () => Promise<Engine>;
  readonly leastElements?: number;
  readonly idleMs?: number;
  /** Where driver and NVML lie, for tests. */
  readonly driverLibraries?: readonly string[];
  readonly nvmlLibraries?: readonly string[];
}

/** What the machine has for CUDA. */
export type CudaMachine =
  | { readonly driver: CudaDriver; readonly version: string; readonly devices: GpuDevice[] }
  | { readonly driver: null; readonly reason: string; readonly next: string };

const mebibyte = 1024 * 1024;

const defaultMemory = 512 * mebibyte;

/** Below this a chunk of one tensor is swept on a core before a GPU has been told of it. */
const defaultLeastElements = 65_536;

const defaultIdleMs = 10_000;

/** Beside its slots a context takes some hundred MiB: so much must be free for each byte held. */
const freeShare = 2;

const missing = {
  package: {
    reason: 'The cuda engine needs the optional package koffi',
    next: 'npm install koffi@3.3.4',
  },
  library: {
    reason: 'There is no NVIDIA driver here',
    next: 'use --engine wasm',
  },
  calls: {
    reason: 'The NVIDIA driver is older than R525',
    next: 'use --engine wasm, or update the driver',
  },
} as const;

/** Looks at driver and devices; nothing is taken. */
export async function inspectCuda(options: CudaOptions = {}): Promise<CudaMachine> {
  const driver = await loadDriver(options.driverLibraries);
  if ('missing' in driver) return { driver: null, ...missing[driver.missing] };
  const version = driver.int('driverVersion');
  if (version < leastDriver) return { driver: null, ...missing.calls };
  const nvml = await Nvml.open(options.nvmlLibraries);
  try {
    const devices = listDevices(driver, nvml, process.pid);
    return { driver, version: driverText(version), devices };
  } catch (error) {
    const next = 'use --engine wasm, or look at nvidia-smi';
    return { driver: null, reason: startFailure(error), next };
  } finally {
    nvml?.close();
  }
}

/**
 * Takes the best GPU and checks it against the reference engine.
 * @throws LaikaError `engine-unavailable`.
 */
export async function openCudaEngine(options: CudaOptions = {}): Promise<Engine> {
  const memory = options.memory ?? defaultMemory;
  const least = leastMemory / mebibyte;
  if (memory < leastMemory) {
    throw unavailable(
      `--gpu-mem ${memory / mebibyte} is less than the check of a GPU takes, which is ${least} MiB`,
      `use --gpu-mem ${least} or more, or --engine wasm`,
    );
  }
  const machine = await inspectCuda(options);
  if (!machine.driver) throw unavailable(machine.reason, machine.next);
  const device = bestDevice(machine.devices);
  if (!device) throw unavailable('CUDA shows no GPU here', 'use --engine wasm');
  if (device.use && device.use.free < freeShare * memory) {
    const mib = Math.floor(device.use.free / freeShare / mebibyte);
    throw unavailable(
      `The GPU with the most room, ${device.name}, has too little memory free`,
      mib < least ? 'use --engine wasm' : `use --gpu-mem ${mib}, or --engine wasm`,
    );
  }
  const engine = new CudaEngine(
    { driver: machine.driver, device },
    {
      memory,
      leastElements: options.leastElements ?? defaultLeastElements,
      idleMs: options.idleMs ?? defaultIdleMs,
      bytesPerSecond: options.bytesPerSecond ?? Infinity,
      fallback: options.fallback ?? openWasmEngine,
    },
  );
  await engine.check();
  return engine;
}

function unavailable(what: string, next: string): LaikaError {
  return new LaikaError({ code: 'engine-unavailable', what, where: '--engine cuda', next });
}
