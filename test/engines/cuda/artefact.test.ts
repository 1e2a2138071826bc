import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { artefactPath } from '../../../src/engines/cuda/kernels.ts';
import { packageRoot } from '../../../src/package.ts';

const script = join(packageRoot, 'kernels', 'cuda', 'build.mjs');
const facts = JSON.parse(readFileSync(`${artefactPath}.json`, 'utf8'));
const ptx = readFileSync(artefactPath, 'utf8');

/** The release of ptxas on this machine; null where there is none. */
function ptxasHelp(): string | null {
  try {
    return execFileSync('ptxas', ['--help'], { encoding: 'utf8' });
  } catch {
    return null;
  }
}

describe('the built CUDA kernels', () => {
  it('were built from the sources beside them (else: npm run build:cuda)', () => {
    const ask = `import { sourceSha256 } from ${JSON.stringify(script)}; console.log(sourceSha256());`;
    const found = execFileSync(process.execPath, ['--input-type=module', '-e', ask]);
    expect(facts.sourceSha256).toBe(found.toString().trim());
    expect(facts.ptxSha256).toBe(createHash('sha256').update(ptx).digest('hex'));
  });

  it('load on any driver since R525 and any GPU since Turing', () => {
    expect(ptx).toMatch(/^\.version 8\.0$/m);
    expect(ptx).toMatch(/^\.target sm_75$/m);
  });

  it('fuse, flush and approximate nothing, and say of each rounding which it is', () => {
    expect(ptx.match(/\bfma\b|\bmad\.f|\.ftz\b|\.approx\b|\.full\b/g)).toBeNull();
    const arithmetic = ptx.match(/\b(add|sub|mul|div|sqrt)(\.\w+)*\.f(32|64)\b/g) ?? [];
    expect(arithmetic.length).toBeGreaterThan(100);
    expect(arithmetic.filter((each) => !each.includes('.rn.'))).toEqual([]);
  });

  it('have every kernel that the engine launches', () => {
    const text = readFileSync(join(packageRoot, 'src', 'engines', 'cuda', 'kernels.ts'), 'utf8');
    const names = [...text.matchAll(/^ {2}\| '(\w+)'/gm)].map(([, name]) => name);
    const built = [...ptx.matchAll(/^\.visible \.entry (\w+)\(/gm)].map(([, name]) => name);
    expect(built.sort()).toEqual(names.sort());
  });

  it('say what is missing where they cannot be rebuilt', () => {
    const folder = mkdtempSync(join(tmpdir(), 'laika-cuda-'));
    try {
      const args = [script, '--nvrtc', join(folder, 'none.so'), '--to', folder];
      const run = () => execFileSync(process.execPath, args, { stdio: 'pipe' });
      expect(run).toThrow(/pip install nvidia-cuda-nvrtc-cu12==/);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  const help = ptxasHelp();
  it.skipIf(help === null)('assemble for every GPU that this ptxas knows', () => {
    const folder = mkdtempSync(join(tmpdir(), 'laika-ptx-'));
    try {
      writeFileSync(join(folder, 'laika.ptx'), ptx);
      for (const target of [75, 80, 86, 89, 90, 100, 120]) {
        if (!help?.includes(`'sm_${target}'`)) continue;
        const args = [`-arch=sm_${target}`, '-o', 'out', 'laika.ptx'];
        execFileSync('ptxas', args, { cwd: folder });
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
