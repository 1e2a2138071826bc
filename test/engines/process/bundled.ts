/** Programs of tests, for processes that run without the test runner. */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const cache = fileURLToPath(new URL('../../../node_modules/.cache/laika/', import.meta.url));

/** Bundles a TypeScript program and returns the path of what Node can run. */
export async function bundled(entry: URL, name: string): Promise<string> {
  const outfile = `${cache}${name}.mjs`;
  await build({
    entryPoints: [fileURLToPath(entry)],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    logLevel: 'error',
  });
  return outfile;
}
