/** Checkpoints in an object store: files are objects below a prefix, read by range. */
import { LaikaError } from '../checkpoint/errors.ts';
import { inParallel } from './in-parallel.ts';
import { S3Client, type S3Settings } from './s3-client.ts';
import { listObjects } from './s3-listing.ts';
import { escapeReason, refuseEscape } from './safe-join.ts';
import type { Source, SourceFile } from './source.ts';
import { changedError } from './storage-error.ts';

export type { S3Settings } from './s3-client.ts';

/** Headers and small values lie close together: a read below this brings its neighbourhood along. */
const smallBytes = 64 * 1024;

const blockBytes = 256 * 1024;

/** Blocks that are kept, least recently used first out. */
const blocksKept = 128;

/** A long read is made of parts that are fetched side by side. */
const partBytes = 8 * 1024 * 1024;

/**
 * Opens `s3://bucket/key` as one file, or `s3://bucket/prefix` as a folder.
 * @throws LaikaError `path-missing`, `path-unreadable` (refused, unreachable, no credentials).
 */
export async function openS3Source(address: string, settings: S3Settings): Promise<Source> {
  const [, bucket = '', path = ''] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(address) ?? [];
  if (bucket === '') throw missing(address, 'the address names no bucket');
  const client = new S3Client(bucket, settings);
  const key = path.replace(/\/+$/, '');
  if (key !== '' && !path.endsWith('/')) {
    const file = await headOf(client, key);
    if (file) return new S3Source(address, client, { prefix: folderOf(key), only: file });
  }
  const prefix = key === '' ? '' : `${key}/`;
  const query = { 'list-type': '2', prefix, 'max-keys': '1' };
  const { body } = await client.send({ method: 'GET', key: '', query });
  const isThere = /<Contents>|<CommonPrefixes>/.test(Buffer.from(body).toString());
  if (!isThere) throw missing(address, 'the bucket holds nothing under this name');
  return new S3Source(address, client, { prefix, only: null });
}

function missing(where: string, why: string): LaikaError {
  const next = 'check the bucket, the key and AWS_ENDPOINT_URL';
  const what = 'There is no such object or prefix';
  return new LaikaError({ code: 'path-missing', what, where, why, next });
}

function folderOf(key: string): string {
  return key.slice(0, key.lastIndexOf('/') + 1);
}

/** Null where there is no such object. Its name is its key. */
async function headOf(client: S3Client, key: string): Promise<SourceFile | null> {
  const { status, headers } = await client.send({ method: 'HEAD', key }, [404]);
  if (status === 404) return null;
  const modifiedMs = Date.parse(headers.get('last-modified') ?? '');
  return {
    name: key,
    sizeBytes: Number(headers.get('content-length') ?? 0),
    identity: headers.get('etag') ?? '',
    ...(Number.isNaN(modifiedMs) ? {} : { modifiedMs }),
  };
}

class S3Source implements Source {
  readonly path: string;
  readonly isFile: boolean;
  readonly #client: S3Client;
  readonly #prefix: string;
  readonly #only: SourceFile | null;
  /** Sizes and entity tags as they were when each file was first seen. */
  readonly #known = new Map<string, SourceFile>();
  readonly #blocks = new Map<string, Promise<Uint8Array>>();

  constructor(path: string, client: S3Client, of: { prefix: string; only: SourceFile | null }) {
    this.path = path;
    this.isFile = of.only !== null;
    this.#client = client;
    this.#prefix = of.prefix;
    this.#only = of.only && this.#know({ ...of.only, name: of.only.name.slice(of.prefix.length) });
  }

  async list(depth = 3): Promise<readonly SourceFile[]> {
    if (this.#only) return [this.#only];
    const files: SourceFile[] = [];
    for (const { key, sizeBytes, etag, modifiedMs } of await listObjects(
      this.#client,
      this.#prefix,
      depth,
    )) {
      const name = key.slice(this.#prefix.length);
      if (escapeReason(name) !== null) continue;
      const modified = Number.isNaN(modifiedMs) ? {} : { modifiedMs };
      files.push(this.#know({ name, sizeBytes, identity: etag, ...modified }));
    }
    return files.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  }

  async stat(file: string): Promise<SourceFile | null> {
    const found = await headOf(this.#client, this.#keyOf(file));
    return found && { ...found, name: file };
  }

  async read(file: string, offset: number, into: Uint8Array): Promise<void> {
    if (into.length === 0) return;
    const known = this.#known.get(file) ?? (await this.#look(file));
    const end = offset + into.length;
    if (end > known.sizeBytes) {
      throw changedError(this.#where(file), `it has ${known.sizeBytes} bytes`);
    }
    if (into.length < smallBytes) return this.#readSmall(known, offset, into);
    const parts: number[] = [];
    for (let at = offset; at < end; at += partBytes) parts.push(at);
    await inParallel(parts, async (at) => {
      const length = Math.min(partBytes, end - at);
      into.set(await this.#fetch(known, at, length), at - offset);
    });
  }

  localPath(): null {
    return null;
  }

  async close(): Promise<void> {
    this.#blocks.clear();
  }

  /** Addresses are normalised: a key that climbs would be read from another prefix or bucket. */
  #keyOf(file: string): string {
    if (file !== this.#only?.name) refuseEscape(file);
    return this.#prefix + file;
  }

  #where(file: string): string {
    return `s3://${this.#client.bucket}/${this.#prefix}${file}`;
  }

  #know(file: SourceFile): SourceFile {
    // What was seen first stands: reads of an object that was written again must fail.
    if (!this.#known.has(file.name)) this.#known.set(file.name, file);
    return file;
  }

  async #look(file: string): Promise<SourceFile> {
    const found = await this.stat(file);
    if (!found) throw changedError(this.#where(file), 'it is gone');
    return this.#know(found);
  }

  async #readSmall(file: SourceFile, offset: number, into: Uint8Array): Promise<void> {
    const end = offset + into.length;
    for (let at = offset - (offset % blockBytes); at < end; at += blockBytes) {
      const block = await this.#block(file, at);
      const from = Math.max(offset, at);
      into.set(block.subarray(from - at, end - at), from - offset);
    }
  }

  #block(file: SourceFile, at: number): Promise<Uint8Array> {
    const key = `${at}:${file.name}`;
    const length = Math.min(blockBytes, file.sizeBytes - at);
    const block = this.#blocks.get(key) ?? this.#fetch(file, at, length);
    this.#blocks.delete(key);
    this.#blocks.set(key, block);
    // A failure is not kept: the next read may meet the store in a better mood.
    block.catch(() => this.#blocks.delete(key));
    for (const first of this.#blocks.keys()) {
      if (this.#blocks.size <= blocksKept) break;
      this.#blocks.delete(first);
    }
    return block;
  }

  async #fetch(file: SourceFile, offset: number, length: number): Promise<Uint8Array> {
    const { name, identity } = file;
    const range = `bytes=${offset}-${offset + length - 1}`;
    // A weak tag does not say that the bytes are the same.
    const match = /^"/.test(identity) ? { 'if-match': identity } : {};
    const headers: Record<string, string> = { range, ...match };
    const key = this.#keyOf(name);
    const answer = await this.#client.send({ method: 'GET', key, headers });
    const where = this.#where(name);
    const tag = answer.headers.get('etag');
    if (tag !== null && identity !== '' && tag !== identity) {
      throw changedError(where, 'it was written again');
    }
    const isWhole = answer.status === 200 && offset === 0;
    if (answer.body.length === length && (answer.status === 206 || isWhole)) return answer.body;
    const why = `it answered ${answer.status} with ${answer.body.length} bytes to ${range}`;
    const what = 'The object store did not give the bytes that were asked for';
    throw new LaikaError({ code: 'path-unreadable', what, where, why });
  }
}
