/**
 * Builds `dist/`: declarations, the library and its helpers as modules, the programs as a file each,
 * and what V8 makes of those.
 */
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { bundlePrograms, root, target } from './programs.mjs';

const dist = join(root, 'dist');
const modules = ['index.ts', 'cli/build-tensorflow.ts', 'cli/tensorflow-process.ts'];

function node(...words) {
  execFileSync(process.execPath, words, { cwd: root, stdio: 'inherit' });
}

rmSync(dist, { recursive: true, force: true });
const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
node(tsc, '-p', 'tsconfig.json', '--emitDeclarationOnly', '--outDir', dist);
await build({
  ...target,
  entryPoints: modules.map((name) => join(root, 'src', name)),
  outbase: join(root, 'src'),
  outdir: dist,
  format: 'esm',
  splitting: true,
  packages: 'external',
});
await bundlePrograms();
node(join(root, 'build', 'compile.mjs'));
