/** The GPUs that CUDA shows this process, who uses them, and which one to take. */
import { type CudaDriver, CudaError } from './driver.ts';
import type { GpuUse, Nvml } from './nvml.ts';

export interface GpuDevice {
  readonly ordinal: number;
  readonly name: string;
  /** Without `GPU-` or `MIG-`. */
  readonly uuid: string;
  /** Bytes. */
  readonly memory: number;
  /** Null where NVML does not tell. */
  readonly use: GpuUse | null;
}

/** Memory in use above this is somebody's, even where no process is seen (another container's). */
const idleBytes = 64 * 1024 * 1024;

/** A UUID of 16 bytes as NVIDIA writes it. */
function uuidText(bytes: Uint8Array): string {
  const digits = Buffer.from(bytes).toString('hex');
  return [0, 8, 12, 16, 20].map((at, i, all) => digits.slice(at, all[i + 1] ?? 32)).join('-');
}

/**
 * Every device that `CUDA_VISIBLE_DEVICES` leaves, slices of MIG among them.
 * @throws CudaError where the driver does not start or has no device.
 */
export function listDevices(
  driver: CudaDriver,
  nvml: Pick<Nvml, 'use'> | null,
  pid: number,
): GpuDevice[] {
  driver.call('init', 0);
  const count = driver.int('deviceCount');
  return Array.from({ length: count }, (_, ordinal) => {
    const device = driver.int('device', ordinal);
    const name = new Uint8Array(128);
    driver.call('deviceName', name, name.length, device);
    const bytes = new Uint8Array(16);
    driver.call('deviceUuid', bytes, device);
    const uuid = uuidText(bytes);
    return {
      ordinal,
      name: Buffer.from(name.subarray(0, name.indexOf(0))).toString('utf8'),
      uuid,
      memory: Number(driver.handle('totalMemory', device)),
      use: nvml?.use(uuid, pid) ?? null,
    };
  });
}

/** Is it known that nobody else computes there? */
export function isIdle({ use }: GpuDevice): boolean {
  return use !== null && use.processes.length === 0 && use.used <= idleBytes;
}

/** The best to take: idle before busy, then the most free memory, then the first. */
export function bestDevice(devices: readonly GpuDevice[]): GpuDevice | null {
  const rank = (device: GpuDevice) => (isIdle(device) ? 1 : 0);
  const room = (device: GpuDevice) => device.use?.free ?? 0;
  const sorted = [...devices].sort(
    (a, b) => rank(b) - rank(a) || room(b) - room(a) || a.ordinal - b.ordinal,
  );
  return sorted[0] ?? null;
}

/** For people: `busy: 2 processes, 31.0 GB used`. */
export function useText(device: GpuDevice): string {
  const { use } = device;
  if (!use) return 'use unknown: NVML does not say';
  if (isIdle(device)) return 'idle';
  const gigabytes = `${(use.used / 1e9).toFixed(1)} GB used`;
  const { length } = use.processes;
  if (length === 0) return `busy: ${gigabytes} by a process that is not visible here`;
  return `busy: ${length} ${length === 1 ? 'process' : 'processes'}, ${gigabytes}`;
}

/** One sentence for a driver that does not start. */
export function startFailure(error: unknown): string {
  if (error instanceof CudaError && error.code === noDevice) return 'CUDA shows no GPU here';
  if (error instanceof CudaError) return `The CUDA driver does not start (${error.message})`;
  throw error;
}

const noDevice = 100;
