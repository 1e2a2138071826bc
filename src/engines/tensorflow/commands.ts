/** What a person runs to get TensorFlow: in the repository npm scripts, elsewhere the installed files. */
import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { packageRoot } from '../../package.ts';

const isRepository = existsSync(join(packageRoot, 'tsconfig.json'));

const packages = '@tensorflow/tfjs-node-gpu@4 node-api-headers';

/**
 * Installs the package. Its own install script downloads an old library and must not run; npm leaves
 * an optional peer of the project that it stands in out unless it is told otherwise.
 */
export const installCommand = isRepository
  ? `npm install --no-save --save-optional --ignore-scripts ${packages}`
  : `npm install --ignore-scripts ${packages}`;

/** Builds the addon; `library` is `--python PATH` or `--libtensorflow DIR`. */
export function buildCommand(library: string): string {
  if (isRepository) return `npm run tensorflow:build -- ${library}`;
  const script = join(packageRoot, 'dist', 'cli', 'build-tensorflow.js');
  return `node ${relative('.', script)} ${library}`;
}
