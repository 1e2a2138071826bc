import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findLibrary } from '../../../src/engines/tensorflow/find-library.ts';

let root: string;

beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'laika-library-')));
});

afterEach(() => rmSync(root, { recursive: true }));

function put(...names: string[]): void {
  for (const name of names) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), '');
  }
}

/** A program that stands for Python. */
function python(script: string): { kind: 'python'; path: string } {
  const path = join(root, 'python');
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return { kind: 'python', path };
}

const header = 'include/tensorflow/c/eager/c_api.h';

describe('a TensorFlow library', () => {
  it('is found as a wheel has it, by asking its Python', async () => {
    put('libtensorflow_cc.so.2', 'libtensorflow_framework.so.2', header);
    const found = await findLibrary(python(`echo ${root}`));
    expect(found).toEqual({
      files: [join(root, 'libtensorflow_cc.so.2'), join(root, 'libtensorflow_framework.so.2')],
      folder: root,
      headers: join(root, 'include'),
    });
  });

  it('is found as the C archive has it, in the folder that a link means', async () => {
    put('lib/libtensorflow.so.2', 'lib/libtensorflow_framework.so.2', header);
    const link = `${root}-link`;
    symlinkSync(root, link);
    const found = await findLibrary({ kind: 'folder', path: link });
    rmSync(link);
    expect(found.folder).toBe(join(root, 'lib'));
    expect(found.files[0]).toBe(join(root, 'lib', 'libtensorflow.so.2'));
  });
});

describe('what is missing has its own message', () => {
  const refused = (place: Parameters<typeof findLibrary>[0]) =>
    findLibrary(place).then(
      () => 'found',
      ({ details }) => details,
    );

  it('no such Python', async () => {
    expect(await refused({ kind: 'python', path: join(root, 'none') })).toMatchObject({
      code: 'engine-unavailable',
      what: 'There is no such Python',
      where: join(root, 'none'),
      next: expect.stringContaining('--python'),
    });
  });

  it('a Python without TensorFlow', async () => {
    expect(await refused(python('echo'))).toMatchObject({
      what: 'This Python has no TensorFlow',
      next: expect.stringContaining('pip install tensorflow-cpu'),
    });
  });

  it('a Python that fails', async () => {
    expect(await refused(python('echo "ValueError: broken" >&2; exit 1'))).toMatchObject({
      what: 'This Python fails',
      why: 'ValueError: broken',
    });
  });

  it('no folder, no library, half a library, no headers', async () => {
    const whatOf = async () => (await refused({ kind: 'folder', path: root })).what;
    expect((await refused({ kind: 'folder', path: join(root, 'none') })).what).toBe(
      'There is no such folder',
    );
    expect(await whatOf()).toBe('The folder holds no TensorFlow library for Linux');
    put('libtensorflow_framework.so.2');
    expect(await whatOf()).toBe('The folder holds no TensorFlow library for Linux');
    put('libtensorflow.so.2');
    expect(await whatOf()).toBe('The library comes without its C headers');
    put(header);
    expect(await refused({ kind: 'folder', path: root })).toBe('found');
  });
});
