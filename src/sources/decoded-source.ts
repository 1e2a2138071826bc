/** Parts of files that are files of their own: slices, members of archives, compressed chunks. */
import type { Codec, EncodedFile } from '../checkpoint/checkpoint.ts';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { isBlockCodec } from './block-codecs.ts';
import { decodeStream } from './decode-stream.ts';
import { readBlocks } from './read-blocks.ts';
import type { Eventually, Source, SourceFile } from './source.ts';

/** Decoded files up to this size are decoded whole; larger ones are streamed, forwards. */
const wholeBytes = 16 * 1024 * 1024;

/**
 * Whole decoded files that are kept, least recently used first out. A row of a tensor that is cut
 * into columns runs through all of them, and six tensors are read side by side: a part that was put
 * out would be decoded again for each row.
 */
const keptBytes = 384 * 1024 * 1024;

/** Streams that stay open, for the same reason. */
const streamsMost = 64;

/** Bytes behind the stream's position that stay readable: pages of a sweep are read twice. */
const tailBytes = 8 * 1024 * 1024;

/**
 * `source` with more names: reads of an encoded name are decoded, others pass through. Memory is
 * bounded; reading a large file backwards decodes it again from its start.
 * `read` throws LaikaError `bytes-damaged` where the stored bytes do not decode to the promised size.
 */
export function decodedSource(source: Source, encoded: readonly EncodedFile[]): Source {
  return encoded.length === 0 ? source : new DecodedSource(source, encoded);
}

class DecodedSource implements Source {
  readonly path: string;
  readonly isFile: boolean;
  readonly #inner: Source;
  readonly #encoded: ReadonlyMap<string, EncodedFile>;
  readonly #whole = new Map<string, Promise<Uint8Array>>();
  #wholeBytes = 0;
  readonly #streams = new Map<string, ForwardReader>();

  constructor(inner: Source, encoded: readonly EncodedFile[]) {
    this.path = inner.path;
    this.isFile = inner.isFile;
    this.#inner = inner;
    this.#encoded = new Map(encoded.map((each) => [each.name, each]));
  }

  list(depth?: number): Promise<readonly SourceFile[]> {
    return this.#inner.list(depth);
  }

  async stat(file: string): Promise<SourceFile | null> {
    const encoded = this.#encoded.get(file);
    if (!encoded) return this.#inner.stat(file);
    const real = await this.#inner.stat(encoded.file);
    return real && { ...real, name: file, sizeBytes: encoded.sizeBytes };
  }

  read(file: string, offset: number, into: Uint8Array): Eventually<void> {
    const encoded = this.#encoded.get(file);
    if (!encoded) return this.#inner.read(file, offset, into);
    return this.#readEncoded(encoded, offset, into);
  }

  localPath(file: string): string | null {
    return this.#encoded.has(file) ? null : this.#inner.localPath(file);
  }

  close(): Promise<void> {
    this.#whole.clear();
    this.#streams.clear();
    return this.#inner.close();
  }

  async #readEncoded(encoded: EncodedFile, offset: number, into: Uint8Array): Promise<void> {
    if (offset + into.length > encoded.sizeBytes) {
      throw damaged(
        this.#inner,
        encoded,
        `it holds ${encoded.sizeBytes} bytes, and more were wanted`,
      );
    }
    if (encoded.codec === 'stored' && !encoded.planes) {
      return this.#inner.read(encoded.file, encoded.offset + offset, into);
    }
    if (isBlockCodec(encoded.codec)) return readBlocks(this.#inner, encoded, { offset, into });
    if (encoded.sizeBytes > wholeBytes) return this.#stream(encoded).read(offset, into);
    into.set((await this.#decoded(encoded)).subarray(offset, offset + into.length));
  }

  #decoded(encoded: EncodedFile): Promise<Uint8Array> {
    const known = this.#whole.get(encoded.name);
    const bytes = known ?? decodeWhole(this.#inner, encoded);
    this.#whole.delete(encoded.name);
    this.#whole.set(encoded.name, bytes);
    if (!known) this.#wholeBytes += encoded.sizeBytes;
    for (const name of this.#whole.keys()) {
      if (this.#wholeBytes <= keptBytes) break;
      this.#whole.delete(name);
      this.#wholeBytes -= (this.#encoded.get(name) as EncodedFile).sizeBytes;
    }
    return bytes;
  }

  #stream(encoded: EncodedFile): ForwardReader {
    const stream = this.#streams.get(encoded.name) ?? new ForwardReader(this.#inner, encoded);
    this.#streams.delete(encoded.name);
    this.#streams.set(encoded.name, stream);
    for (const name of this.#streams.keys()) {
      if (this.#streams.size <= streamsMost) break;
      this.#streams.delete(name);
    }
    return stream;
  }
}

async function decodeWhole(source: Source, encoded: EncodedFile): Promise<Uint8Array> {
  const bytes = new Uint8Array(encoded.sizeBytes);
  await new ForwardReader(source, encoded).read(0, bytes);
  return bytes;
}

/** One decoded file, read in ascending order; going back starts it again. */
class ForwardReader {
  readonly #source: Source;
  readonly #encoded: EncodedFile;
  #chunks: AsyncGenerator<Uint8Array>;
  /** Decoded chunks that may be wanted again; the last one ends at `#end`. */
  #kept: Uint8Array[] = [];
  #start = 0;
  #end = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(source: Source, encoded: EncodedFile) {
    this.#source = source;
    this.#encoded = encoded;
    this.#chunks = decodeStream(source, encoded);
  }

  /** One read after the other: two at once would take each other's chunks. */
  read(offset: number, into: Uint8Array): Promise<void> {
    const turn = this.#turn.then(() => this.#fill(offset, into));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #fill(offset: number, into: Uint8Array): Promise<void> {
    if (offset < this.#start) await this.#restart();
    const end = offset + into.length;
    this.#copy(offset, into);
    while (this.#end < end) {
      const from = this.#end;
      await this.#next();
      this.#copy(Math.max(offset, from), into.subarray(Math.max(offset, from) - offset));
    }
    if (end === this.#encoded.sizeBytes && this.#end === end) await this.#expectEnd();
  }

  /** Copies what is kept of the bytes from `offset` on. */
  #copy(offset: number, into: Uint8Array): void {
    let at = this.#start;
    for (const chunk of this.#kept) {
      const from = Math.max(offset, at);
      const to = Math.min(offset + into.length, at + chunk.length);
      if (from < to) into.set(chunk.subarray(from - at, to - at), from - offset);
      at += chunk.length;
    }
  }

  async #next(): Promise<void> {
    const { value, done } = await this.#pull();
    if (done) throw damaged(this.#source, this.#encoded, `it decodes to ${this.#end} bytes only`);
    this.#kept.push(value);
    this.#end += value.length;
    if (this.#end > this.#encoded.sizeBytes) {
      throw damaged(
        this.#source,
        this.#encoded,
        `it decodes to more than ${this.#encoded.sizeBytes} bytes`,
      );
    }
    for (let first = this.#kept[0]; first; first = this.#kept[0]) {
      if (this.#end - this.#start - first.length < tailBytes) break;
      this.#start += first.length;
      this.#kept.shift();
    }
  }

  async #expectEnd(): Promise<void> {
    for (let next = await this.#pull(); !next.done; next = await this.#pull()) {
      if (next.value.length === 0) continue;
      throw damaged(
        this.#source,
        this.#encoded,
        `it decodes to more than ${this.#encoded.sizeBytes} bytes`,
      );
    }
  }

  async #pull(): Promise<IteratorResult<Uint8Array>> {
    try {
      return await this.#chunks.next();
    } catch (error) {
      if (isLaikaError(error)) throw error;
      throw damaged(
        this.#source,
        this.#encoded,
        error instanceof Error ? error.message : String(error),
      );
    }
  }

  async #restart(): Promise<void> {
    await this.#chunks.return(undefined);
    this.#chunks = decodeStream(this.#source, this.#encoded);
    this.#kept = [];
    this.#start = 0;
    this.#end = 0;
  }
}

const titles: Readonly<Partial<Record<Codec, string>>> = {
  deflate: 'deflated',
  zlib: 'zlib',
  gzip: 'gzip',
  zstd: 'zstd',
};

function damaged({ path }: Source, encoded: EncodedFile, why: string): LaikaError {
  return new LaikaError({
    code: 'bytes-damaged',
    what: `The ${titles[encoded.codec] ?? encoded.codec} bytes of ${encoded.name} cannot be decoded`,
    where: `${encoded.file} in ${path}`,
    why,
    bytes: { path, file: encoded.file, offset: encoded.offset },
    next: 'restore the file from a copy, or validate an earlier checkpoint',
  });
}
