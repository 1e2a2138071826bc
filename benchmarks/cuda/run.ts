/** npm run bench:cuda [-- QUESTION] [--bytes N] [--folder TMPFS] [--driver LIBRARY]. */
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { parseArgs } from 'node:util';
import { crossover, fileRates } from './files.ts';
import { openGpu } from './gpu.ts';
import { kernelRates } from './kernels.ts';

const questions = { kernels: kernelRates, files: fileRates, crossover } as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    bytes: { type: 'string', default: String(2 ** 30) },
    folder: { type: 'string', default: existsSync('/dev/shm') ? '/dev/shm' : tmpdir() },
    driver: { type: 'string' },
  },
});
const settings = {
  bytes: Number(values.bytes),
  folder: values.folder,
  driver: values.driver ?? null,
};
const asked = positionals.length > 0 ? positionals : Object.keys(questions);
try {
  const gpu = await openGpu(settings);
  process.stdout.write(`${gpu.title}\n`);
  for (const name of asked) {
    const ask = questions[name as keyof typeof questions];
    if (!ask) throw new Error(`no question ${name}: ${Object.keys(questions).join(', ')}`);
    process.stdout.write(`\n${name}\n${(await ask(gpu, settings)).join('\n')}\n`);
  }
  await gpu.engine.close();
} catch (error) {
  process.stderr.write(`${(error as Error).message}\n`);
  process.exitCode = 1;
}
