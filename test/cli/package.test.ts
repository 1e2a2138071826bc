/** What users get: the packed tarball, installed into an empty folder, runs the demo from there. */
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'laika-package-'));

afterAll(() => rmSync(folder, { recursive: true }));

it('installs from its tarball, with no script of a dependency, and runs the demo', async () => {
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz')) as string;
  writeFileSync(join(folder, 'package.json'), '{"private": true}');
  const words = ['install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, tarball)];
  await run('npm', words, { cwd: folder });
  const { stdout } = await run('npx', ['--no-install', 'laika', 'demo'], { cwd: folder });
  expect(stdout).toMatch(/step 80: intact/);
  expect(stdout).toMatch(/step 120: intact/);
  expect(stdout).toMatch(/CORRUPT/);
  expect(stdout).toMatch(/one flip of bit 27/);
  expect(stdout).toMatch(/Confirmed, and heard over the socket/);
}, 180_000);
