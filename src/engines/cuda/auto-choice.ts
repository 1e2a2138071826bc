/** Whether `auto` takes a GPU: never one that another process computes on, unless told to share. */
import { existsSync } from 'node:fs';
import { bestDevice, type GpuDevice, isIdle } from './devices.ts';

export interface AutoChoice {
  readonly takes: boolean;
  /** A sentence without full stop. */
  readonly reason: string;
}

export interface AutoOptions {
  /** Processors that this process may use. */
  readonly cores: number;
  readonly share: boolean;
  /** A trainer works beside, and may want its GPU at any time. */
  readonly polite: boolean;
}

/**
 * Up to so many cores, one that reads for a GPU is faster than all that compute: wasm sweeps about 5
 * GB/s a core, and a core reads 10 to 20 GB/s. Counted, not measured on a GPU.
 */
const fewCores = 2;

/** Where Linux, WSL and Windows show that there is a driver, without loading anything. */
const traces = ['/dev/nvidiactl', '/dev/dxg', 'C:\\Windows\\System32\\nvcuda.dll'];

/** The choice among devices that are there. */
export function choiceAmong(devices: readonly GpuDevice[], options: AutoOptions): AutoChoice {
  const { cores, share, polite } = options;
  const best = bestDevice(devices);
  if (!best) return { takes: false, reason: 'there is no GPU' };
  if (!isIdle(best) && !share) {
    return {
      takes: false,
      reason: 'no GPU is known to be idle (--share-gpu takes one all the same)',
    };
  }
  if (polite && !share) {
    return { takes: false, reason: 'a trainer may want the GPU at any time (--share-gpu)' };
  }
  if (cores > fewCores) {
    return { takes: false, reason: `${cores} cores compute faster than one reads for a GPU` };
  }
  return { takes: true, reason: `${best.name} is free and there are few cores` };
}

/** Looks at the machine, no closer than it must. */
export async function chooseGpu(options: AutoOptions): Promise<AutoChoice> {
  if (!traces.some((path) => existsSync(path))) return choiceAmong([], options);
  const { inspectCuda } = await import('./open-cuda-engine.ts');
  const machine = await inspectCuda();
  return choiceAmong(machine.driver ? machine.devices : [], options);
}
