/** The part of `laika doctor` about GPUs. */
import { useText } from '../engines/cuda/devices.ts';
import type { CudaMachine } from '../engines/cuda/open-cuda-engine.ts';

/** Which GPUs are there and who uses them; nothing where there is no driver: the engine says it. */
export function gpuLines(machine: CudaMachine): string[] {
  if (!machine.driver) return [];
  const devices = machine.devices.map((device) => {
    const gigabytes = (device.memory / 1e9).toFixed(0);
    const id = device.uuid.slice(0, 8);
    return `  ${device.ordinal}  ${device.name} (${id}), ${gigabytes} GB, ${useText(device)}`;
  });
  return ['', `gpus, by a driver for CUDA ${machine.version}`, ...devices];
}
