/** Finds a TensorFlow library with its C headers: in a Python, or in a folder. */
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { LaikaError } from '../../checkpoint/errors.ts';
import { runTool, toolFailed } from './run-tool.ts';

/** Where the person says that TensorFlow is. */
export type LibraryPlace =
  | { readonly kind: 'python'; readonly path: string }
  | { readonly kind: 'folder'; readonly path: string };

export interface Library {
  /**
   * Both libraries, in one folder: GPU builds find CUDA from the folder that they are opened
   * through, so that folder must be the real one.
   */
  readonly files: readonly [string, string];
  readonly folder: string;
  readonly headers: string;
}

const mainNames = ['libtensorflow_cc.so.2', 'libtensorflow.so.2'];
const frameworkName = 'libtensorflow_framework.so.2';
const headerName = join('tensorflow', 'c', 'eager', 'c_api.h');

/** Prints the package's folder without importing it, which takes seconds and prints warnings. */
const pythonQuestion = `
import importlib.util
spec = importlib.util.find_spec('tensorflow')
print(spec.submodule_search_locations[0] if spec else '')
`;

/** @throws LaikaError `engine-unavailable`, which says which part is missing. */
export async function findLibrary(place: LibraryPlace): Promise<Library> {
  const root = place.kind === 'python' ? await askPython(place.path) : place.path;
  const missing = (what: string, why: string, next: string) =>
    new LaikaError({ code: 'engine-unavailable', what, where: root, why, next });
  if (!existsSync(root)) {
    throw missing('There is no such folder', 'nothing is there', 'check the path');
  }
  const folder = [root, join(root, 'lib')].find((each) => existsSync(join(each, frameworkName)));
  const main = folder && mainNames.find((name) => existsSync(join(folder, name)));
  if (!folder || !main) {
    throw missing(
      'The folder holds no TensorFlow library for Linux',
      `${mainNames.join(' or ')} and ${frameworkName} belong in it or in its lib folder`,
      'name the folder of an unpacked libtensorflow, or use --python',
    );
  }
  const headers = join(root, 'include');
  if (!existsSync(join(headers, headerName))) {
    throw missing(
      'The library comes without its C headers',
      `include/${headerName} is not there`,
      'use a whole TensorFlow: python3 -m pip install tensorflow',
    );
  }
  const real = realpathSync(folder);
  return { files: [join(real, main), join(real, frameworkName)], folder: real, headers };
}

async function askPython(python: string): Promise<string> {
  const { code, output, said } = await runTool(python, ['-c', pythonQuestion]);
  if (code === null) {
    throw toolFailed('There is no such Python', python, {
      why: said,
      next: 'name the Python that has TensorFlow: --python .venv/bin/python',
    });
  }
  const folder = output.trim();
  if (code === 0 && folder !== '') return folder;
  const isThere = code === 0;
  throw toolFailed(isThere ? 'This Python has no TensorFlow' : 'This Python fails', python, {
    ...(isThere ? {} : { why: said }),
    next: `${python} -m pip install tensorflow-cpu (with a GPU: "tensorflow[and-cuda]")`,
  });
}
