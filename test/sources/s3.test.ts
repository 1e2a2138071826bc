import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { s3SettingsFrom } from '../../src/cli/s3-settings.ts';
import { findCheckpoints, isRunFolder } from '../../src/formats/find-checkpoints.ts';
import { openCheckpoint } from '../../src/formats/open-checkpoint.ts';
import { openLocalSource } from '../../src/sources/local.ts';
import { useS3Settings } from '../../src/sources/open-path.ts';
import { openS3Source } from '../../src/sources/s3.ts';
import { digestOf, expectedOf, fixtures } from '../formats/golden.ts';
import { between, bucket, startStore } from './s3-store.ts';

const store = await startStore();
const address = (key: string) => `s3://${bucket}/${key}`;
const large = randomBytes(20 * 1024 * 1024);

beforeAll(async () => {
  useS3Settings(store.settings);
  await store.putFolder('run/', join(fixtures, 'orbax-manager'));
  await store.put('flax/checkpoint_4', Buffer.from('nothing'));
  await store.put('odd names/ä & <b>+%20.bin', Buffer.from('odd'));
  await store.put('large.bin', large);
}, 30_000);

describe('a prefix', () => {
  it('lists what a folder on this machine would, at any depth', async () => {
    const local = await openLocalSource(join(fixtures, 'orbax-manager'));
    const remote = await openS3Source(address('run'), store.settings);
    const short = (files: readonly { name: string; sizeBytes: number }[]) =>
      files.map(({ name, sizeBytes }) => [name, sizeBytes]);
    for (const depth of [0, 1, 2, 3, 9]) {
      expect(short(await remote.list(depth)), `${depth}`).toEqual(short(await local.list(depth)));
    }
    expect(remote.isFile).toBe(false);
  });

  it('is listed page by page where a page is not enough', async () => {
    const whole = await openS3Source(address('run/'), store.settings);
    const paged = await openS3Source(address('run/'), { ...store.settings, pageObjects: 3 });
    for (const depth of [1, 9]) expect(await paged.list(depth)).toEqual(await whole.list(depth));
  });

  it('gives nothing from above itself', async () => {
    const source = await openS3Source(address('run/7'), store.settings);
    const read = source.read('../../large.bin', 0, new Uint8Array(1));
    await expect(read).rejects.toMatchObject({ code: 'path-unreadable' });
    await expect(source.stat('../8/_CHECKPOINT_METADATA')).rejects.toThrow('outside');
  });

  it('may hold names that XML and addresses have other plans with', async () => {
    const source = await openS3Source(address('odd names'), store.settings);
    const [file] = await source.list();
    expect(file).toMatchObject({ name: 'ä & <b>+%20.bin', sizeBytes: 3 });
    const into = new Uint8Array(3);
    await source.read(file?.name ?? '', 0, into);
    expect(Buffer.from(into).toString()).toBe('odd');
  });
});

describe('an object', () => {
  it('is a file, with the entity tag that says when it changes', async () => {
    const source = await openS3Source(address('large.bin'), store.settings);
    const [file, ...others] = await source.list();
    expect(others).toEqual([]);
    expect(source.isFile).toBe(true);
    expect(file).toMatchObject({ name: 'large.bin', sizeBytes: large.length });
    expect(file?.identity).toMatch(/^"[0-9a-f]{32}"$/);
    expect(await source.stat('large.bin')).toEqual(file);
    expect(await source.stat('gone.bin')).toBe(null);
  });

  it('is read by range, short reads and long ones', async () => {
    const source = await openS3Source(address('large.bin'), store.settings);
    for (const [offset, length] of [
      [0, 1],
      [262_143, 2],
      [large.length - 10, 10],
      [70_000, 65_536],
      [1, 19 * 1024 * 1024],
    ] as const) {
      const into = new Uint8Array(length);
      await source.read('large.bin', offset, into);
      expect(large.subarray(offset, offset + length).equals(into), `${offset}`).toBe(true);
    }
    const past = source.read('large.bin', large.length - 1, new Uint8Array(2));
    await expect(past).rejects.toMatchObject({ code: 'changed-while-reading' });
  });

  it('asks once for many short reads that lie together', async () => {
    let gets = 0;
    const settings = await between(store, ({ method }) => {
      if (method === 'GET') gets += 1;
      return false;
    });
    const source = await openS3Source(address('large.bin'), settings);
    for (let at = 0; at < 200_000; at += 1000) {
      await source.read('large.bin', at, new Uint8Array(500));
    }
    expect(gets).toBe(1);
  });
});

describe('a checkpoint in a bucket', () => {
  it('is read as on this machine', async () => {
    const { checkpoint, source } = await openCheckpoint(address('run/8'));
    const [, expected] = expectedOf('orbax-manager').checkpoints;
    expect(checkpoint).toMatchObject({ layout: 'orbax', step: 8, complete: true, problems: [] });
    expect(checkpoint.tensors).toHaveLength(expected?.tensors.length ?? 0);
    for (const one of expected?.tensors ?? []) {
      const found = checkpoint.tensors.find(({ name }) => name === one.name);
      if (found) expect(await digestOf(source, found), one.name).toBe(one.sha256);
    }
    await source.close();
  });

  it('is found in its run', async () => {
    expect(await isRunFolder(address('run'))).toBe(true);
    const found = await findCheckpoints(address('run'));
    expect(found.map(({ path, complete }) => [path, complete])).toEqual([
      [address('run/7'), true],
      [address('run/8'), true],
    ]);
  });
});

describe('an object that is written while it is read', () => {
  it.each([
    ['a store that compares tags itself', true],
    ['one that does not', false],
  ])('is told, by %s', async (_, compares) => {
    const settings = await between(store, ({ headers }, answer, etag) => {
      const match = headers['if-match'];
      if (!compares || match === undefined || match === etag) return false;
      answer.writeHead(412).end();
      return true;
    });
    const key = `moving-${compares}`;
    await store.put(key, Buffer.from('before'));
    const source = await openS3Source(address(key), settings);
    await store.put(key, Buffer.from('behind'));
    const read = source.read(key, 0, new Uint8Array(6));
    await expect(read).rejects.toMatchObject({ code: 'changed-while-reading' });
    expect((await source.stat(key))?.identity).not.toBe((await source.list())[0]?.identity);
  });
});

describe('a store in trouble', () => {
  it('is asked again while it says that it is busy', async () => {
    const refusals = [503, 500, 429];
    const settings = await between(store, (_, answer) => {
      const status = refusals.pop();
      if (status !== undefined) answer.writeHead(status).end();
      return status !== undefined;
    });
    const source = await openS3Source(address('flax/checkpoint_4'), settings);
    expect((await source.list())[0]?.sizeBytes).toBe(7);
    expect(refusals).toEqual([]);
  });

  it('that sends fewer bytes than it was asked for is not believed', async () => {
    const settings = await between(store, ({ method }, answer) => {
      if (method === 'GET') answer.writeHead(206, { 'content-length': 2 }).end('xx');
      return method === 'GET';
    });
    const source = await openS3Source(address('flax/checkpoint_4'), settings);
    const read = source.read('checkpoint_4', 0, new Uint8Array(7));
    await expect(read).rejects.toMatchObject({ code: 'path-unreadable' });
  });
});

describe('what is refused', () => {
  const failure = async (key: string, changes: object) => {
    const opening = openS3Source(key, { ...store.settings, ...changes });
    return opening.then(
      () => null,
      (error: { code: string; details: { why?: string; next?: string } }) => error,
    );
  };

  it('a key that the store does not know is told with what the store says', async () => {
    const error = await failure(address('run/8'), { accessKeyId: 'somebody' });
    expect(error).toMatchObject({ code: 'path-unreadable' });
    expect(error?.details.why).toContain('403');
    expect(error?.details.next).toContain('credentials');
  });

  it('a bucket or a key that is not there is missing', async () => {
    const nowhere = await failure('s3://laika-other/run', {});
    expect(nowhere).toMatchObject({ code: 'path-missing' });
    expect(await failure(address('run/9'), {})).toMatchObject({ code: 'path-missing' });
    expect(await failure('s3://', {})).toMatchObject({ code: 'path-missing' });
  });

  it('a store that does not answer is unreadable, with the reason of the system', async () => {
    const error = await failure(address('run/8'), { endpoint: 'http://127.0.0.1:1' });
    expect(error).toMatchObject({ code: 'path-unreadable' });
    expect(error?.details.next).toContain('AWS_ENDPOINT_URL');
  });
});

describe('the environment', () => {
  it('is read by the names of AWS’s own tools', () => {
    expect(
      s3SettingsFrom({
        AWS_ACCESS_KEY_ID: 'id',
        AWS_SECRET_ACCESS_KEY: 'secret',
        AWS_SESSION_TOKEN: '',
        AWS_DEFAULT_REGION: 'eu-west-1',
        AWS_ENDPOINT_URL: 'http://one',
        AWS_ENDPOINT_URL_S3: 'http://two',
      }),
    ).toEqual({
      accessKeyId: 'id',
      secretAccessKey: 'secret',
      region: 'eu-west-1',
      endpoint: 'http://two',
    });
    expect(s3SettingsFrom({})).toEqual({});
  });
});
