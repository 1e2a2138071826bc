/** Who else uses a GPU: NVML knows, the CUDA driver does not. */
import { type ForeignCall, type ForeignValue, openForeignLibrary } from './foreign.ts';

export const nvmlLibraries = ['libnvidia-ml.so.1', 'nvml.dll'] as const;

export interface GpuUse {
  /** Bytes that programs and the driver hold, what the driver keeps for itself apart. */
  readonly used: number;
  readonly free: number;
  /** Other processes that compute there, as far as this process may see them. */
  readonly processes: readonly number[];
}

const signatures = {
  init: 'int nvmlInit_v2()',
  shutdown: 'int nvmlShutdown()',
  handle: 'int nvmlDeviceGetHandleByUUID(void *uuid, void *device)',
  memory: 'int nvmlDeviceGetMemoryInfo_v2(uint64_t device, void *info)',
  processes:
    'int nvmlDeviceGetComputeRunningProcesses_v3(uint64_t device, void *count, void *infos)',
} as const;

/** `sizeof` in the low bits, version 2 above. */
const memoryVersion = 40n | (2n << 24n);
const memoryField = { free: 3, used: 4, fields: 5 } as const;

/** More than a GPU can run. */
const processesMax = 128;
const processBytes = 24;

const success = 0;

export class Nvml {
  readonly #calls: ReadonlyMap<keyof typeof signatures, ForeignCall>;

  private constructor(calls: ReadonlyMap<keyof typeof signatures, ForeignCall>) {
    this.#calls = calls;
  }

  /** Null where NVML is missing, too old, or does not start. */
  static async open(names: readonly string[] = nvmlLibraries): Promise<Nvml | null> {
    const { library } = await openForeignLibrary(names);
    if (!library) return null;
    try {
      const entries = Object.entries(signatures) as [keyof typeof signatures, string][];
      const nvml = new Nvml(new Map(entries.map(([name, text]) => [name, library.call(text)])));
      return nvml.#code('init') === success ? nvml : null;
    } catch {
      // A call that an older NVML lacks: then it cannot be asked.
      return null;
    }
  }

  /** What goes on at the GPU (or MIG slice) of a UUID as CUDA gives it; null where it is not told. */
  use(uuid: string, ownPid: number): GpuUse | null {
    const device = this.#device(`GPU-${uuid}`) ?? this.#device(`MIG-${uuid}`);
    if (device === null) return null;
    const memory = new BigUint64Array(memoryField.fields);
    memory[0] = memoryVersion;
    if (this.#code('memory', device, memory) !== success) return null;
    const count = Uint32Array.of(processesMax);
    const infos = new Uint8Array(processesMax * processBytes);
    if (this.#code('processes', device, count, infos) !== success) return null;
    const view = new DataView(infos.buffer);
    const present = Math.min(count[0] as number, processesMax);
    const pids = Array.from({ length: present }, (_, i) => view.getUint32(i * processBytes, true));
    return {
      used: Number(memory[memoryField.used]),
      free: Number(memory[memoryField.free]),
      processes: pids.filter((pid) => pid !== ownPid),
    };
  }

  close(): void {
    this.#code('shutdown');
  }

  #code(name: keyof typeof signatures, ...values: readonly ForeignValue[]): number {
    return (this.#calls.get(name) as ForeignCall)(...values);
  }

  #device(uuid: string): bigint | null {
    const out = new BigUint64Array(1);
    const code = this.#code('handle', Buffer.from(`${uuid}\0`), out);
    return code === success ? (out[0] as bigint) : null;
  }
}
