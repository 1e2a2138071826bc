/** Where the benchmarks run, and with what. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, release, tmpdir, totalmem, version } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { usableProcessors } from '../../src/engines/usable-processors.ts';

/** The checkout: the bundle lies in its node_modules/.cache/laika. */
export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');

export const laika = `node ${join(root, 'bin/laika.js')}`;

export const peers = join(root, 'benchmarks/speed/peers');

export interface Setting {
  /** Folder with what make_data.py wrote. */
  readonly data: string;
  readonly rounds: number;
  /** A Python with NumPy, and what else it has. */
  readonly python: string;
  readonly hasTorch: boolean;
  readonly hasWeightlens: boolean;
}

function said(command: string, words: readonly string[]): string | null {
  try {
    return execFileSync(command, words, { stdio: ['ignore', 'pipe', 'ignore'] })
      .toString()
      .trim();
  } catch {
    return null;
  }
}

/** Is a Python package there, and in which version? */
export function packageVersion(python: string, name: string): string | null {
  const ask = `import importlib.metadata as m; print(m.version('${name}'))`;
  return said(python, ['-c', ask]);
}

/** Lines that say what the figures were measured on. */
export function machine(python: string): string {
  const cores = cpus();
  const lines = [
    `date     ${new Date().toISOString().slice(0, 16)}Z`,
    `machine  ${cores[0]?.model.trim()}, ${cores.length} processors (${usableProcessors()} usable)`,
    `memory   ${Math.round(totalmem() / 2 ** 30)} GiB`,
    `system   ${version()} ${release()}`,
    `load     ${loadavg()
      .map((each) => each.toFixed(2))
      .join(' ')} before the first run`,
    `node     ${process.version}`,
    `laika    ${said('git', ['-C', root, 'describe', '--always', '--dirty']) ?? 'not a checkout'}`,
    `python   ${said(python, ['--version'])}, NumPy ${packageVersion(python, 'numpy')}, ` +
      `torch ${packageVersion(python, 'torch') ?? 'absent'}, ` +
      `weightlens ${packageVersion(python, 'weightlens') ?? 'absent'}`,
  ];
  return lines.join('\n');
}

/** Makes the data where there is none; returns what forgets it. */
export function prepareData(given: string | null, python: string, sizes: readonly string[]) {
  const folder = given ?? mkdtempSync(join(tmpdir(), 'laika-bench-'));
  if (!existsSync(join(folder, 'tuned-20.safetensors'))) {
    const words = [join(peers, 'make_data.py'), folder, ...sizes];
    execFileSync(python, words, {
      stdio: 'inherit',
      env: { ...process.env, OPENBLAS_NUM_THREADS: '1' },
    });
  }
  return { folder, forget: () => given ?? rmSync(folder, { recursive: true }) };
}
