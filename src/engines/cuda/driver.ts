/** The CUDA driver: its calls, each behind one check. Handles and addresses are bigint. */
import {
  type ForeignCall,
  type ForeignLibrary,
  type ForeignValue,
  openForeignLibrary,
} from './foreign.ts';

/** A call that failed. */
export class CudaError extends Error {
  readonly code: number;
  readonly call: string;

  constructor(call: string, code: number) {
    super(`${call}: ${names.get(code) ?? `CUDA error ${code}`}`);
    this.name = 'CudaError';
    this.call = call;
    this.code = code;
  }
}

/** Codes of the driver that are met in practice. */
const names: ReadonlyMap<number, string> = new Map([
  [-1, 'computed wrongly'],
  [2, 'out of memory'],
  [100, 'no device'],
  [101, 'invalid device'],
  [209, 'no kernel for this GPU'],
  [214, 'uncorrectable ECC error'],
  [218, 'invalid PTX'],
  [220, 'uncorrectable NVLink error'],
  [222, 'PTX of a newer driver'],
  [700, 'illegal address'],
  [702, 'launch timed out'],
  [719, 'launch failed'],
  [802, 'system not ready'],
  [803, 'driver and library differ in version'],
  [999, 'unknown error'],
]);

/** The status code of a call that found no room. */
export const outOfMemory = 2;
/** Not one of the driver's: what a GPU computed cannot be. */
export const miscomputed = -1;

const notReady = 600;
const hardwareErrors: ReadonlySet<number> = new Set([miscomputed, 214, 220]);

/** Did the GPU refuse for want of memory? Anything else but this poisons the context. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof CudaError && error.code === outOfMemory;
}

/** Is this evidence of damaged memory or links on the machine? */
export function isHardwareError(error: unknown): boolean {
  return error instanceof CudaError && hardwareErrors.has(error.code);
}

/** R525, the first driver of CUDA 12: what the kernels' PTX 8.0 asks for. */
export const leastDriver = 12_000;

/** `12.4` of 12040. */
export function driverText(version: number): string {
  return `${Math.floor(version / 1000)}.${Math.floor((version % 1000) / 10)}`;
}

const signatures = {
  init: 'int cuInit(unsigned int flags)',
  driverVersion: 'int cuDriverGetVersion(void *version)',
  deviceCount: 'int cuDeviceGetCount(void *count)',
  device: 'int cuDeviceGet(void *device, int ordinal)',
  deviceName: 'int cuDeviceGetName(void *name, int length, int device)',
  deviceUuid: 'int cuDeviceGetUuid_v2(void *uuid, int device)',
  totalMemory: 'int cuDeviceTotalMem_v2(void *bytes, int device)',
  retain: 'int cuDevicePrimaryCtxRetain(void *context, int device)',
  release: 'int cuDevicePrimaryCtxRelease_v2(int device)',
  setCurrent: 'int cuCtxSetCurrent(uint64_t context)',
  priorities: 'int cuCtxGetStreamPriorityRange(void *least, void *greatest)',
  loadModule: 'int cuModuleLoadData(void *module, void *image)',
  unloadModule: 'int cuModuleUnload(uint64_t module)',
  getFunction: 'int cuModuleGetFunction(void *function, uint64_t module, void *name)',
  memory: 'int cuMemGetInfo_v2(void *left, void *total)',
  allocate: 'int cuMemAlloc_v2(void *address, uint64_t bytes)',
  free: 'int cuMemFree_v2(uint64_t address)',
  allocateHost: 'int cuMemHostAlloc(void *address, uint64_t bytes, unsigned int flags)',
  freeHost: 'int cuMemFreeHost(uint64_t address)',
  createStream: 'int cuStreamCreateWithPriority(void *stream, unsigned int flags, int priority)',
  destroyStream: 'int cuStreamDestroy_v2(uint64_t stream)',
  synchronize: 'int cuStreamSynchronize(uint64_t stream)',
  waitEvent: 'int cuStreamWaitEvent(uint64_t stream, uint64_t event, unsigned int flags)',
  createEvent: 'int cuEventCreate(void *event, unsigned int flags)',
  destroyEvent: 'int cuEventDestroy_v2(uint64_t event)',
  recordEvent: 'int cuEventRecord(uint64_t event, uint64_t stream)',
  queryEvent: 'int cuEventQuery(uint64_t event)',
  copyIn: 'int cuMemcpyHtoDAsync_v2(uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream)',
  copyOut: 'int cuMemcpyDtoHAsync_v2(uint64_t to, uint64_t from, uint64_t bytes, uint64_t stream)',
  fill: 'int cuMemsetD8Async(uint64_t address, uint8_t value, uint64_t bytes, uint64_t stream)',
  launch:
    'int cuLaunchKernel(uint64_t function, unsigned int x, unsigned int y, unsigned int z, ' +
    'unsigned int tx, unsigned int ty, unsigned int tz, unsigned int shared, uint64_t stream, ' +
    'uint64_t parameters, uint64_t extra)',
} as const;

type CallName = keyof typeof signatures;

/** Where the driver lies: Linux and WSL, then Windows. */
export const driverLibraries = ['libcuda.so.1', 'nvcuda.dll'] as const;

export class CudaDriver {
  readonly #calls: ReadonlyMap<CallName, ForeignCall>;

  constructor(library: ForeignLibrary) {
    const entries = Object.entries(signatures) as [CallName, string][];
    this.#calls = new Map(entries.map(([name, signature]) => [name, library.call(signature)]));
  }

  /** @throws CudaError unless the call returns 0. */
  call(name: CallName, ...values: readonly ForeignValue[]): void {
    const code = this.code(name, ...values);
    if (code !== 0) throw new CudaError(signatures[name].split(/[ (]/)[1] as string, code);
  }

  /** The status code of a call whose failure is no surprise. */
  code(name: CallName, ...values: readonly ForeignValue[]): number {
    return (this.#calls.get(name) as ForeignCall)(...values);
  }

  /** The handle or address that a call writes to its first parameter. */
  handle(name: CallName, ...values: readonly ForeignValue[]): bigint {
    const out = new BigUint64Array(1);
    this.call(name, out, ...values);
    return out[0] as bigint;
  }

  /** The int that a call writes to its first parameter. */
  int(name: CallName, ...values: readonly ForeignValue[]): number {
    const out = new Int32Array(1);
    this.call(name, out, ...values);
    return out[0] as number;
  }

  /** Has everything before the event ended? @throws CudaError when one of it failed. */
  isDone(event: bigint): boolean {
    const code = this.code('queryEvent', event);
    if (code !== 0 && code !== notReady) throw new CudaError('cuEventQuery', code);
    return code === 0;
  }
}

/** Why there is no driver to call: koffi, the driver itself, or calls that older ones lack. */
export interface NoDriver {
  readonly missing: 'package' | 'library' | 'calls';
}

/** Loads the driver, or says what is missing. Nothing is started yet. */
export async function loadDriver(
  names: readonly string[] = driverLibraries,
): Promise<CudaDriver | NoDriver> {
  const { library, missing } = await openForeignLibrary(names);
  if (!library) return { missing };
  try {
    return new CudaDriver(library);
  } catch {
    // A driver without one of these calls is older than the kernels need.
    return { missing: 'calls' };
  }
}
