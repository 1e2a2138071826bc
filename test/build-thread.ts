/** Builds the worker thread from the sources under test: Node runs no TypeScript. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export async function setup(): Promise<void> {
  await build({
    entryPoints: [join(root, 'src/engines/wasm/thread.ts')],
    outfile: join(root, 'dist/engines/wasm/thread.js'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  });
}
