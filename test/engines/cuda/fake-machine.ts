/**
 * A machine with GPUs that are not there: `fake-cuda.cpp` and the kernels, compiled for the host.
 * Null where there is no g++ or no koffi.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { CudaOptions } from '../../../src/engines/cuda/open-cuda-engine.ts';
import { packageRoot } from '../../../src/package.ts';

const kernels = join(packageRoot, 'kernels', 'cuda');
const source = join(packageRoot, 'test', 'engines', 'cuda', 'fake-cuda.cpp');
const flags = ['-std=c++17', '-O2', '-ffp-contract=off', '-fPIC', '-shared', '-w'];

/** Compiles once for each state of the sources. */
function build(): string | null {
  const hash = createHash('sha256').update(readFileSync(source));
  for (const name of readdirSync(kernels).sort()) {
    if (/\.(cu|h)$/.test(name)) hash.update(readFileSync(join(kernels, name)));
  }
  const folder = join(packageRoot, 'node_modules', '.cache', 'laika');
  const library = join(folder, `fake-cuda-${hash.digest('hex').slice(0, 16)}.so`);
  if (existsSync(library)) return library;
  mkdirSync(folder, { recursive: true });
  const unfinished = `${library}.${process.pid}`;
  try {
    execFileSync('g++', [...flags, '-o', unfinished, source], { stdio: 'pipe' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  renameSync(unfinished, library);
  return library;
}

export interface FakeMachine {
  readonly library: string;
  /** Options that open the engine on it; every sweep goes to the GPU. */
  readonly options: CudaOptions;
  /** The call of that name gives `code` once, after `after` good ones. */
  fail(call: string, code: number, after?: number): void;
  set(machine: {
    driver?: number;
    devices?: number;
    memory?: number;
    processes?: number;
    used?: number;
  }): void;
  /** Allocations, handles and contexts that are alive. */
  alive(): number;
  /** Bytes of GPU memory that are held. */
  bytes(): number;
  launches(): number;
}

async function load(): Promise<FakeMachine | null> {
  const library = build();
  if (library === null) return null;
  const koffi = await import('koffi').then(
    (module) => module.default,
    () => null,
  );
  if (!koffi) return null;
  const handle = koffi.load(library);
  const fail = handle.func('void fakeFail(const char *name, int code, int after)');
  const set = handle.func(
    'void fakeMachine(int version, int count, uint64_t memory, unsigned int busy, uint64_t used)',
  );
  const alive = handle.func('int fakeAlive()');
  const bytes = handle.func('uint64_t fakeBytes()');
  const launches = handle.func('int fakeLaunches()');
  return {
    library,
    options: { driverLibraries: [library], nvmlLibraries: [library], leastElements: 0 },
    fail: (call, code, after = 0) => fail(call, code, after),
    set: ({ driver = 12_040, devices = 1, memory = 2 ** 33, processes = 0, used = 0 }) =>
      set(driver, devices, memory, processes, used),
    alive: () => alive(),
    bytes: () => Number(bytes()),
    launches: () => launches(),
  };
}

export const fakeMachine = await load();
