/**
 * Compiles the addon of `@tensorflow/tfjs-node-gpu` against a TensorFlow that is already on this
 * machine. The package's own script would download a library of 2022 that knows no recent GPU.
 */
import { existsSync, mkdirSync, renameSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { LaikaError } from '../../checkpoint/errors.ts';
import { installCommand } from './commands.ts';
import { findLibrary, type Library, type LibraryPlace } from './find-library.ts';
import { runTool, toolFailed } from './run-tool.ts';

/** The newest of Node's stable interfaces that the package knows. */
const addonVersion = 8;

export interface AddonOptions {
  readonly place: LibraryPlace;
  /** A C++ compiler: a program that understands the flags of GCC and Clang. */
  readonly compiler: string;
  /** One sentence for each step. */
  readonly onStep: (text: string) => void;
}

const require = createRequire(import.meta.url);

/**
 * Builds the addon where the package looks for it, and returns its path.
 * @throws LaikaError `engine-unavailable`, which says what is missing.
 */
export async function buildAddon({ place, compiler, onStep }: AddonOptions): Promise<string> {
  if (process.platform !== 'linux') {
    throw new LaikaError({
      code: 'engine-unavailable',
      what: 'The tensorflow engine is built on Linux alone',
      where: process.platform,
      next: 'use --engine wasm',
    });
  }
  const library = await findLibrary(place);
  onStep(`library  ${library.files[0]}`);
  const folder = folderOf('@tensorflow/tfjs-node-gpu');
  onStep(`package  ${folder}`);
  const nodeHeaders = findNodeHeaders();
  const target = join(folder, 'lib', `napi-v${addonVersion}`, 'tfjs_binding.node');
  mkdirSync(dirname(target), { recursive: true });
  onStep(`compile  ${compiler}, about ten seconds`);
  await compile(compiler, { folder, library, nodeHeaders, target });
  onStep(`addon    ${target}`);
  return target;
}

/** Folder of a package beside Laika. */
function folderOf(name: string): string {
  try {
    return dirname(require.resolve(`${name}/package.json`));
  } catch (cause) {
    throw new LaikaError(
      {
        code: 'engine-unavailable',
        what: 'The optional package is not installed',
        where: name,
        next: installCommand,
      },
      { cause },
    );
  }
}

/** Of the package that carries them, or those that came with this Node. */
function findNodeHeaders(): string {
  const own = join(dirname(process.execPath), '..', 'include', 'node');
  if (existsSync(join(own, 'node_api.h'))) return own;
  return join(folderOf('node-api-headers'), 'include');
}

interface Compilation {
  readonly folder: string;
  readonly library: Library;
  readonly nodeHeaders: string;
  readonly target: string;
}

async function compile(
  compiler: string,
  { folder, library, nodeHeaders, target }: Compilation,
): Promise<void> {
  const half = `${target}.new`;
  const { code, said } = await runTool(compiler, [
    ...['-std=c++17', '-O2', '-fPIC', '-shared', `-DNAPI_VERSION=${addonVersion}`],
    ...[nodeHeaders, library.headers, folder].flatMap((path) => ['-I', path]),
    join(folder, 'binding', 'tfjs_backend.cc'),
    join(folder, 'binding', 'tfjs_binding.cc'),
    ...library.files,
    `-Wl,-rpath,${library.folder}`,
    // A wrong library then fails when it is loaded, not in the middle of work.
    '-Wl,-z,now',
    ...['-o', half],
  ]);
  if (code === null) {
    throw toolFailed('There is no C++ compiler', compiler, {
      why: said,
      next: 'install one (apt-get install g++), or name it: CXX=clang++',
    });
  }
  if (code !== 0) {
    throw toolFailed('The addon does not compile against this library', library.headers, {
      why: said,
      next: 'use a TensorFlow of version 2; 2.21 was tried',
    });
  }
  renameSync(half, target);
}
