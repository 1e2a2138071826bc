/** How does it go with threads, with the number of tensors and with size? */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { type Answer, rows } from './answer.ts';
import { compete, type Measured } from './measure.ts';
import { laika, type Setting } from './setting.ts';
import { writeTensors } from './write-tensors.ts';

/** Threads, numbers of tensors, sizes; and memory. */
export async function scalingSpeeds(setting: Setting, sizes: readonly number[]): Promise<Answer> {
  const file = join(setting.data, 'f32.safetensors');
  const threads = [1, 2, 4, 8].map((n) => ({
    name: `${n} threads`,
    command: `${laika} validate ${file} --threads ${n} > /dev/null`,
  }));
  const counts = [10, 1000, 10_000, 100_000].map((count) => {
    const path = join(setting.data, `count-${count}.safetensors`);
    writeTensors(path, file, 256 * 2 ** 20, count);
    return { name: `${count} tensors, 256 MiB`, command: `${laika} validate ${path} > /dev/null` };
  });
  const large = sizes.map((bytes) => {
    const path = join(setting.data, `size-${bytes}.safetensors`);
    writeTensors(path, file, bytes);
    return { name: `${bytes / 1e6} MB`, command: `${laika} validate ${path} > /dev/null` };
  });
  const rounds = Math.min(3, setting.rounds);
  const byThreads = await compete(threads, rounds);
  const byCount = await compete(counts, rounds);
  const bySize = await compete(large, rounds);
  const size = (measured: readonly Measured[]) => (name: string) => {
    const command = measured.find((each) => each.name === name)?.command ?? '';
    return statSync(/validate (\S+)/.exec(command)?.[1] ?? file).size;
  };
  const peak = Math.max(...bySize.flatMap(({ costs }) => costs.map((cost) => cost.peak)));
  const parts = [byThreads, byCount, bySize].map((each) => rows(each, size(each)));
  const memory = { what: 'memory of the largest file, MB', aim: 'below 300', found: peak };
  return { text: parts.join('\n\n'), targets: [{ ...memory, met: peak < 300 }] };
}
