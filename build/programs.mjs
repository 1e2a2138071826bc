/** Bundles the command line and the worker thread, each into one file with the packages it uses. */
import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export const target = {
  bundle: true,
  platform: 'node',
  target: 'node20',
  logLevel: 'warning',
};

/** Packages with native parts, and what `ws` looks for and does without. */
const external = ['libsql', 'koffi', '@tensorflow/tfjs-node-gpu', 'bufferutil', 'utf-8-validate'];

/** Writes `dist/laika.cjs` and `dist/thread.cjs`. */
export async function bundlePrograms() {
  const { outputFiles } = await build({
    ...target,
    entryPoints: {
      laika: join(root, 'src/cli/main.ts'),
      thread: join(root, 'src/engines/wasm/thread.ts'),
    },
    outdir: join(root, 'dist'),
    outExtension: { '.js': '.cjs' },
    format: 'cjs',
    external,
    banner: { js: "const moduleUrl = require('node:url').pathToFileURL(__filename).href;" },
    define: { 'import.meta.url': 'moduleUrl' },
    supported: { 'dynamic-import': false },
    legalComments: 'none',
    // Comments go; lines stay short enough to find one's way by a stack.
    minifyWhitespace: true,
    lineLimit: 120,
    write: false,
  });
  for (const { path, text } of outputFiles) {
    // The loader reads a character for a byte.
    if (/[^\0-\x7f]/.test(text)) throw new Error(`${path} would not be ASCII`);
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `// ${hash}\n${text}`);
  }
}
