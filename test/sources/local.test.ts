import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isLaikaError } from '../../src/checkpoint/errors.ts';
import { bytesAt, openLocalSource } from '../../src/sources/local.ts';
import { temporaryFolder } from './temporary-folder.ts';

const folder = temporaryFolder();

async function codeOf(action: () => unknown): Promise<string> {
  try {
    await action();
  } catch (error) {
    return isLaikaError(error) ? error.code : `untyped: ${error}`;
  }
  return 'no error';
}

function write(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, bytes);
  return path;
}

describe('a prefix of files', () => {
  const listed = async (path: string) => {
    const source = await openLocalSource(join(folder, path));
    expect(source.isFile).toBe(false);
    return (await source.list()).map((file) => file.name);
  };

  it('is the files of one TensorFlow checkpoint', async () => {
    for (const name of ['ckpt-5.index', 'ckpt-5.data-00000-of-00001', 'ckpt-50.index']) {
      write(`prefix/${name}`, name);
    }
    expect(await listed('prefix/ckpt-5')).toEqual(['ckpt-5.data-00000-of-00001', 'ckpt-5.index']);
    expect(await listed('prefix/ckpt-50')).toEqual(['ckpt-50.index']);
  });

  it('is the files of ranks, and of no other checkpoint', async () => {
    for (const name of ['a-rank-0.pt', 'a-rank-1.pt', 'a-2-rank-0.pt', 'a.pt', 'a-rank.txt']) {
      write(`ranks/${name}`, name);
    }
    expect(await listed('ranks/a')).toEqual(['a-rank-0.pt', 'a-rank-1.pt']);
    const source = await openLocalSource(join(folder, 'ranks/a'));
    const into = new Uint8Array(11);
    await source.read('a-rank-1.pt', 0, into);
    expect(Buffer.from(into).toString()).toBe('a-rank-1.pt');
  });

  it('is none where no file has it', async () => {
    for (const path of ['ranks/b', 'ranks/a-ra', 'nowhere/a']) {
      expect(await codeOf(() => openLocalSource(join(folder, path)))).toBe('path-missing');
    }
  });
});

describe('a local folder', () => {
  it('lists regular files by name, at most as deep as asked', async () => {
    write('deep/b', '1');
    write('deep/a', '22');
    write('deep/x/c', '333');
    write('deep/x/y/z/w/d', '4');
    const source = await openLocalSource(join(folder, 'deep'));
    const names = async (depth?: number) => (await source.list(depth)).map((file) => file.name);
    expect(await names(0)).toEqual(['a', 'b']);
    expect(await names(1)).toEqual(['a', 'b', 'x/c']);
    expect(await names()).toEqual(['a', 'b', 'x/c']);
    expect(await names(4)).toEqual(['a', 'b', 'x/c', 'x/y/z/w/d']);
    expect((await source.list(0)).map((file) => file.sizeBytes)).toEqual([2, 1]);
  });

  it('follows links to files anywhere, to folders only inside, and never in circles', async () => {
    const blob = write('blobs/abc', 'weights');
    write('links/real/model.bin', 'm');
    const root = join(folder, 'links');
    symlinkSync(blob, join(root, 'model.safetensors'));
    symlinkSync(join(root, 'real'), join(root, 'latest'));
    symlinkSync(root, join(root, 'real', 'up'));
    symlinkSync(join(folder, 'blobs'), join(root, 'elsewhere'));
    symlinkSync(join(root, 'gone'), join(root, 'dangling'));
    symlinkSync(join(root, 'circle'), join(root, 'circle'));
    const source = await openLocalSource(root);
    expect((await source.list(9)).map((file) => file.name)).toEqual([
      'latest/model.bin',
      'model.safetensors',
      'real/model.bin',
    ]);
    const bytes = new Uint8Array(7);
    await source.read('model.safetensors', 0, bytes);
    expect(Buffer.from(bytes).toString()).toBe('weights');
    expect(await source.stat('circle')).toBeNull();
    await source.close();
  });

  it('does not wait for a pipe, listed or named', async () => {
    mkdirSync(join(folder, 'pipes'));
    execFileSync('mkfifo', [join(folder, 'pipes', 'model.pt')]);
    const source = await openLocalSource(join(folder, 'pipes'));
    expect(await source.list()).toEqual([]);
    expect(await source.stat('model.pt')).toBeNull();
    expect(await codeOf(() => source.read('model.pt', 0, new Uint8Array(1)))).toBe(
      'path-unreadable',
    );
    expect(await codeOf(() => openLocalSource(join(folder, 'pipes', 'model.pt')))).toBe(
      'path-unreadable',
    );
    expect(await codeOf(() => openLocalSource('/dev/zero'))).toBe('path-unreadable');
  });

  it('refuses names that lead out of it', async () => {
    write('outside', 'secret');
    const source = await openLocalSource(join(folder, 'deep'));
    expect(await codeOf(() => source.read('../outside', 0, new Uint8Array(1)))).toBe(
      'path-unreadable',
    );
    expect(() => source.localPath('/etc/passwd')).toThrow();
  });

  it('reads more files than it keeps open', async () => {
    for (let i = 0; i < 150; i++) write(`many/${i}`, `${i}`);
    const source = await openLocalSource(join(folder, 'many'));
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 150; i++) {
        const bytes = new Uint8Array(`${i}`.length);
        await source.read(`${i}`, 0, bytes);
        expect(Buffer.from(bytes).toString()).toBe(`${i}`);
      }
    }
    await source.close();
  });
});

describe('a local file', () => {
  it('is a source with one name', async () => {
    const path = write('one/weights.pt', 'abcdef');
    const source = await openLocalSource(path);
    expect(source.isFile).toBe(true);
    const files = await source.list();
    expect(files.map((file) => [file.name, file.sizeBytes])).toEqual([['weights.pt', 6]]);
    expect(source.localPath('weights.pt')).toBe(path);
    const bytes = new Uint8Array(3);
    await source.read('weights.pt', 2, bytes);
    expect(Buffer.from(bytes).toString()).toBe('cde');
    await source.close();
  });

  it('keeps a strange name that the user gave it', async () => {
    const source = await openLocalSource(write('one/a\\b', 'x'));
    expect((await source.list()).map((file) => file.name)).toEqual(['a\\b']);
  });

  it('changes its identity when it is written again', async () => {
    const path = write('one/changing', 'abc');
    const source = await openLocalSource(path);
    const before = await source.stat('changing');
    writeFileSync(`${path}.new`, 'abd');
    renameSync(`${path}.new`, path);
    const after = await source.stat('changing');
    expect(after?.identity).not.toBe(before?.identity);
    rmSync(path);
    expect(await source.stat('changing')).toBeNull();
  });

  it('says that it shrank', async () => {
    const path = write('one/short', '0123456789');
    const source = await openLocalSource(path);
    await source.read('short', 0, new Uint8Array(10));
    truncateSync(path, 4);
    expect(await codeOf(() => source.read('short', 0, new Uint8Array(10)))).toBe(
      'changed-while-reading',
    );
    expect(await codeOf(() => source.read('short', 99, new Uint8Array(1)))).toBe(
      'changed-while-reading',
    );
    await source.close();
  });

  it('says that it is gone, also before it was first read', async () => {
    const path = write('one/gone', '0123456789');
    const source = await openLocalSource(path);
    rmSync(path);
    expect(await codeOf(() => source.read('gone', 0, new Uint8Array(1)))).toBe(
      'changed-while-reading',
    );
  });
});

describe('a path', () => {
  it('that does not exist is named with what to do', async () => {
    const missing = join(folder, 'nowhere', 'at-all');
    await expect(openLocalSource(missing)).rejects.toMatchObject({
      code: 'path-missing',
      details: { where: missing, next: expect.stringContaining('laika validate') },
    });
    expect(await codeOf(() => openLocalSource(join(folder, 'deep', 'a', 'below-a-file')))).toBe(
      'path-missing',
    );
    expect(await codeOf(() => openLocalSource('with\0nul'))).toBe('path-unreadable');
  });
});

it('tells the bytes of a path at a glance', () => {
  write('glance/a.bin', new Uint8Array(1000));
  write('glance/b.bin', new Uint8Array(24));
  write('glance/below/c.bin', new Uint8Array(9));
  expect(bytesAt(join(folder, 'glance/a.bin'))).toBe(1000);
  expect(bytesAt(join(folder, 'glance'))).toBe(1024);
  expect(bytesAt(join(folder, 'missing'))).toBe(0);
  expect(bytesAt('s3://bucket/key')).toBe(0);
  for (let i = 0; i < 300; i++) write(`many/${i}`, 'x');
  expect(bytesAt(join(folder, 'many'))).toBe(256);
});
