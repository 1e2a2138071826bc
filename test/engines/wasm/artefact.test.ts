import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { artefactPath } from '../../../src/engines/wasm/kernels.ts';
import { packageRoot } from '../../../src/package.ts';

const script = join(packageRoot, 'kernels', 'wasm', 'build.mjs');
const facts = JSON.parse(readFileSync(`${artefactPath}.json`, 'utf8'));

describe('the built kernels', () => {
  it('were built from the sources beside them (else: npm run build:kernels)', () => {
    const ask = `import { sourceSha256 } from ${JSON.stringify(script)}; console.log(sourceSha256());`;
    const found = execFileSync(process.execPath, ['--input-type=module', '-e', ask]);
    expect(facts.sourceSha256).toBe(found.toString().trim());
  });

  it('come out of a new build byte for byte', () => {
    const folder = mkdtempSync(join(tmpdir(), 'laika-kernels-'));
    try {
      execFileSync(process.execPath, [script, folder], { cwd: tmpdir() });
      for (const name of ['laika.wasm', 'laika.wasm.json']) {
        const built = readFileSync(join(folder, name));
        const stored = readFileSync(join(packageRoot, 'kernels', 'wasm', name));
        expect(built.equals(stored), name).toBe(true);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  it('use no relaxed SIMD and no threads: a WebAssembly of any engine runs them', () => {
    expect(facts.flags.filter((flag: string) => /relaxed|threads|memory64/.test(flag))).toEqual([]);
  });
});
