/** MessagePack read forwards through a window: what is skipped is not read, and no length is believed. */
import type { Source } from '../../sources/source.ts';

/** Bytes fetched at once: keys and headers lie close together, arrays are jumped over. */
const windowBytes = 64 * 1024;

/** A fault of the text itself: where, and in what way. */
export class MsgpackFault extends Error {
  readonly offset: number;
  readonly isCut: boolean;

  constructor(offset: number, message: string, isCut = false) {
    super(message);
    this.name = 'MsgpackFault';
    this.offset = offset;
    this.isCut = isCut;
  }
}

export interface ContainerToken {
  readonly kind: 'map' | 'array';
  readonly count: number;
}

interface BytesToken {
  readonly kind: 'text' | 'binary';
  readonly offset: number;
  readonly length: number;
}

export interface ExtensionToken {
  readonly kind: 'extension';
  readonly type: number;
  readonly offset: number;
  readonly length: number;
}

/** One item: what it is, and for text, binary and extensions the bytes that follow `offset`. */
export type Token =
  | ContainerToken
  | BytesToken
  | ExtensionToken
  | { readonly kind: 'number'; readonly value: number | bigint }
  | { readonly kind: 'constant'; readonly value: boolean | null };

interface Cursor {
  readonly file: string;
  readonly begin: number;
  readonly end: number;
}

export class MsgpackReader {
  readonly #source: Source;
  readonly #file: string;
  readonly #end: number;
  #at: number;
  #window = Buffer.alloc(0);
  #windowAt = 0;

  /** Reads `[begin, end)` of a file, which has these bytes. */
  constructor(source: Source, { file, begin, end }: Cursor) {
    this.#source = source;
    this.#file = file;
    this.#at = begin;
    this.#end = end;
  }

  get position(): number {
    return this.#at;
  }

  /** A token cannot be longer than its bytes, nor a container have more items. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** Past the bytes of a text, a binary or an extension that was just read. */
  skip(length: number): void {
    this.#at += length;
  }

  /** UTF-8 of a text token; it must be at most a window long. */
  async text(length: number): Promise<string> {
    const bytes = await this.#take(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw new MsgpackFault(this.#at - length, 'a name is no UTF-8');
    }
  }

  /** @throws MsgpackFault where the bytes are no token, or promise more bytes than there are. */
  async next(): Promise<Token> {
    const start = this.#at;
    const byte = (await this.#take(1))[0] as number;
    if (byte < 0x80) return { kind: 'number', value: byte };
    if (byte < 0x90) return this.#container('map', byte & 15, start);
    if (byte < 0xa0) return this.#container('array', byte & 15, start);
    if (byte < 0xc0) return this.#bytes('text', byte & 31, start);
    if (byte >= 0xe0) return { kind: 'number', value: byte - 256 };
    return this.#long(byte, start);
  }

  async #long(byte: number, start: number): Promise<Token> {
    if (byte === 0xc0) return { kind: 'constant', value: null };
    if (byte === 0xc2 || byte === 0xc3) return { kind: 'constant', value: byte === 0xc3 };
    if (byte >= 0xc4 && byte <= 0xc6) {
      return this.#bytes('binary', await this.#size(2 ** (byte - 0xc4)), start);
    }
    if (byte >= 0xc7 && byte <= 0xc9) {
      return this.#extension(await this.#size(2 ** (byte - 0xc7)), start);
    }
    if (byte >= 0xca && byte <= 0xd3) return { kind: 'number', value: await this.#number(byte) };
    if (byte >= 0xd4 && byte <= 0xd8) return this.#extension(2 ** (byte - 0xd4), start);
    if (byte >= 0xd9 && byte <= 0xdb) {
      return this.#bytes('text', await this.#size(2 ** (byte - 0xd9)), start);
    }
    if (byte === 0xc1) throw new MsgpackFault(start, 'byte c1 is no MessagePack');
    const count = await this.#size(byte & 1 ? 4 : 2);
    return this.#container(byte < 0xde ? 'array' : 'map', count, start);
  }

  #container(kind: 'map' | 'array', count: number, start: number): Token {
    const least = kind === 'map' ? 2 * count : count;
    if (least <= this.left) return { kind, count };
    const what = kind === 'map' ? `${count} names` : `${count} items`;
    throw new MsgpackFault(start, `${what} are promised; ${this.left} bytes follow`, true);
  }

  #bytes(kind: 'text' | 'binary', length: number, start: number): Token {
    this.#expect(length, start);
    return { kind, offset: this.#at, length };
  }

  async #extension(length: number, start: number): Promise<Token> {
    const type = (await this.#take(1)).readInt8(0);
    this.#expect(length, start);
    return { kind: 'extension', type, offset: this.#at, length };
  }

  #expect(length: number, start: number): void {
    if (length <= this.left) return;
    const message = `${length} bytes are promised; ${this.left} follow`;
    throw new MsgpackFault(start, message, true);
  }

  async #size(bytes: number): Promise<number> {
    return (await this.#take(bytes)).readUIntBE(0, bytes);
  }

  async #number(byte: number): Promise<number | bigint> {
    if (byte === 0xca) return (await this.#take(4)).readFloatBE(0);
    if (byte === 0xcb) return (await this.#take(8)).readDoubleBE(0);
    const size = 2 ** (byte & 3);
    const bytes = await this.#take(size);
    const signed = byte >= 0xd0;
    if (size === 8) return signed ? bytes.readBigInt64BE(0) : bytes.readBigUInt64BE(0);
    return signed ? bytes.readIntBE(0, size) : bytes.readUIntBE(0, size);
  }

  /** The next bytes, valid until the next call. */
  async #take(length: number): Promise<Buffer> {
    if (length > this.left) {
      const message = `the file ends where ${length} more bytes must follow`;
      throw new MsgpackFault(this.#at, message, true);
    }
    const inside = this.#at - this.#windowAt;
    if (inside < 0 || inside + length > this.#window.length) await this.#fill(length);
    const from = this.#at - this.#windowAt;
    this.#at += length;
    return this.#window.subarray(from, from + length);
  }

  async #fill(length: number): Promise<void> {
    const bytes = Buffer.alloc(Math.min(this.left, Math.max(length, windowBytes)));
    await this.#source.read(this.#file, this.#at, bytes);
    this.#window = bytes;
    this.#windowAt = this.#at;
  }
}
