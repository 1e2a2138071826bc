/** What users get: the packed tarball, installed into an empty folder, runs the demo from there. */
import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'laika-package-'));

/** What an installation may cost: packages, Laika's own counted, and bytes on disk. */
const packagesMax = 20;
const bytesMax = 60e6;

/** Every file below `path`. */
function filesIn(path: string): string[] {
  const entries = readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
}

/** Names of installed packages, those inside others as well. */
function packagesIn(modules: string): string[] {
  return readdirSync(modules).flatMap((name) => {
    if (name.startsWith('.')) return [];
    if (name.startsWith('@')) return packagesIn(join(modules, name));
    const own = join(modules, name, 'node_modules');
    return [name, ...(existsSync(own) ? packagesIn(own) : [])];
  });
}

afterAll(() => rmSync(folder, { recursive: true }));

it('installs from its tarball within its budget, with no script of a dependency, and runs the demo', async () => {
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, tarball)];
  await run('npm', words, { cwd: folder });
  const modules = join(folder, 'node_modules');
  expect(packagesIn(modules).length).toBeLessThanOrEqual(packagesMax);
  const licences = join(modules, 'laika-watchdog', 'dist', 'third-party-licences.txt');
  expect(readFileSync(licences, 'utf8')).toMatch(/^commander\n.*^ws\n/ms);
  const bytes = filesIn(modules).reduce((sum, path) => sum + statSync(path).size, 0);
  expect(bytes).toBeLessThanOrEqual(bytesMax);
  const { stdout } = await run('npx', ['--no-install', 'laika', 'demo'], { cwd: folder });
  expect(stdout).toMatch(/step 80: intact/);
  expect(stdout).toMatch(/step 120: intact/);
  expect(stdout).toMatch(/CORRUPT/);
  expect(stdout).toMatch(/one flip of bit 27/);
  expect(stdout).toMatch(/Confirmed, and heard over the socket/);
}, 180_000);

interface Loader {
  read(name: string): { readonly path: string; readonly text: string; readonly compiled: string };
  readCompiled(path: string): Buffer | null;
  compile(program: object, compiled: Buffer): { readonly cachedDataRejected?: boolean };
}

it('starts from what V8 compiled when it was built, and without it where that is damaged', async () => {
  const installed = join(folder, 'node_modules', 'laika-watchdog');
  const { read, readCompiled, compile }: Loader = createRequire(import.meta.url)(
    join(installed, 'bin', 'load.js'),
  );
  for (const name of ['laika', 'thread']) {
    const program = read(name);
    const whole = readCompiled(program.compiled);
    expect(whole && compile(program, whole).cachedDataRejected).toBe(false);
    const bytes = readFileSync(program.compiled);
    // V8 itself would run this, and die of it.
    writeFileSync(program.compiled, bytes.fill(0, bytes.length >> 1));
    expect(readCompiled(program.compiled)).toBeNull();
  }
  // Direct reads are the work of threads.
  const checkpoint = join(installed, 'src', 'demo', 'run', 'checkpoint-0080.safetensors');
  const words = [join(installed, 'bin', 'laika.js'), 'validate', checkpoint, '--direct'];
  const { stdout } = await run(process.execPath, words, { cwd: folder });
  expect(stdout).toMatch(/^INTACT/);
}, 60_000);
