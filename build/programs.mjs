/** Bundles the command line and the worker thread, each into one file with the packages it uses. */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
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

/** Writes `dist/laika.cjs`, `dist/thread.cjs` and the licences of what is in them. */
export async function bundlePrograms() {
  const { outputFiles, metafile } = await build({
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
    metafile: true,
    write: false,
  });
  for (const { path, text } of outputFiles) {
    // The loader reads a character for a byte.
    if (/[^\0-\x7f]/.test(text)) throw new Error(`${path} would not be ASCII`);
    const hash = createHash('sha256').update(text).digest('hex').slice(0, 32);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `// ${hash}\n${text}`);
  }
  writeFileSync(join(root, 'dist', 'third-party-licences.txt'), licencesOf(metafile));
}

/** The licence of every package that was bundled. */
function licencesOf({ inputs }) {
  const folders = Object.keys(inputs).map(
    (path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0],
  );
  const texts = [...new Set(folders)].filter(Boolean).map((folder) => {
    const name = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
    if (!name) throw new Error(`${folder} has no licence`);
    return `${basename(folder)}\n\n${readFileSync(join(folder, name), 'utf8').trim()}\n`;
  });
  return texts.join('\n\n');
}
