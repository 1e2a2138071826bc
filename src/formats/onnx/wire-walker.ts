/**
 * Fields of protocol-buffer messages where they lie in a file: models are larger than memory, and
 * nearly all of their bytes are weights that nobody has to see here.
 */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Source } from '../../sources/source.ts';

export interface ByteSpan {
  readonly offset: number;
  readonly length: number;
}

export type FieldSpan =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | {
      readonly number: number;
      readonly kind: 'fixed32' | 'fixed64' | 'bytes';
      readonly span: ByteSpan;
    };

/** The bytes are no message. */
export class WireFault extends Error {
  readonly offset: number;
  /** The message ends before the field does: the file may have been cut. */
  readonly isCut: boolean;

  constructor(offset: number, message: string, isCut = false) {
    super(message);
    this.offset = offset;
    this.isCut = isCut;
  }
}

const windowBytes = 64 * 1024;

/** A key and a length, ten bytes each at most. */
const prefixBytes = 20;

/** Fields of one file: a graph of a million nodes has some ten million. */
const fieldsMost = 50_000_000;

export class WireWalker {
  readonly #source: Source;
  readonly #file: string;
  #window = new Uint8Array(0);
  #start = 0;
  #fields = 0;

  constructor(source: Source, file: string) {
    this.#source = source;
    this.#file = file;
  }

  /**
   * The fields of the message in `span`, in order.
   * @throws WireFault; LaikaError `limit-exceeded`, and as `Source.read`.
   */
  async *fields(span: ByteSpan): AsyncGenerator<FieldSpan> {
    const end = span.offset + span.length;
    let at = span.offset;
    while (at < end) {
      this.#count();
      const prefix = await this.#peek(at, Math.min(prefixBytes, end - at));
      const key = readVarint(prefix, 0, at);
      const number = Number(key.value >> 3n);
      if (number === 0) throw new WireFault(at, 'a field has the number 0');
      const body = at + key.length;
      switch (Number(key.value & 7n)) {
        case 0: {
          const value = readVarint(prefix, key.length, at);
          yield { number, kind: 'varint', value: value.value };
          at = body + value.length;
          break;
        }
        case 1:
          yield { number, kind: 'fixed64', span: spanOf(body, 8n, end) };
          at = body + 8;
          break;
        case 2: {
          const length = readVarint(prefix, key.length, at);
          const inner = spanOf(body + length.length, length.value, end);
          yield { number, kind: 'bytes', span: inner };
          at = inner.offset + inner.length;
          break;
        }
        case 5:
          yield { number, kind: 'fixed32', span: spanOf(body, 4n, end) };
          at = body + 4;
          break;
        default:
          throw new WireFault(at, 'a field has a wire type that is not used');
      }
    }
  }

  /** All bytes of a span; the caller has decided that they are not too many. */
  async bytes({ offset, length }: ByteSpan): Promise<Uint8Array> {
    const inside = offset >= this.#start && offset + length <= this.#start + this.#window.length;
    if (inside) return this.#window.slice(offset - this.#start, offset - this.#start + length);
    const bytes = new Uint8Array(length);
    await this.#source.read(this.#file, offset, bytes);
    return bytes;
  }

  async text(span: ByteSpan, most: number): Promise<string> {
    if (span.length > most)
      throw new WireFault(span.offset, `a name of ${span.length} bytes is no name`);
    return Buffer.from(await this.bytes(span)).toString('utf8');
  }

  #count(): void {
    this.#fields += 1;
    if (this.#fields <= fieldsMost) return;
    const what = `The file holds more than ${fieldsMost} fields`;
    throw new LaikaError({ code: 'limit-exceeded', what, where: this.#file });
  }

  async #peek(offset: number, length: number): Promise<Uint8Array> {
    const isHere = offset >= this.#start && offset + length <= this.#start + this.#window.length;
    if (!isHere) {
      const size = (await this.#size()) - offset;
      this.#window = new Uint8Array(Math.max(length, Math.min(windowBytes, size)));
      this.#start = offset;
      await this.#source.read(this.#file, offset, this.#window);
    }
    return this.#window.subarray(offset - this.#start, offset - this.#start + length);
  }

  #known: number | null = null;

  async #size(): Promise<number> {
    this.#known ??= (await this.#source.stat(this.#file))?.sizeBytes ?? 0;
    return this.#known;
  }
}

function readVarint(
  bytes: Uint8Array,
  from: number,
  offset: number,
): { value: bigint; length: number } {
  let value = 0n;
  for (let i = 0; i < 10; i += 1) {
    const byte = bytes[from + i];
    if (byte === undefined) throw new WireFault(offset, 'a number is cut', true);
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value: BigInt.asUintN(64, value), length: i + 1 };
  }
  throw new WireFault(offset, 'a number has no end');
}

function spanOf(offset: number, length: bigint, end: number): ByteSpan {
  if (length > BigInt(end - offset)) {
    throw new WireFault(offset, `a field of ${length} bytes lies in ${end - offset}`, true);
  }
  return { offset, length: Number(length) };
}
