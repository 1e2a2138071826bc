/** Reads a pickle's bytes in order. No length is believed before that many bytes are there. */
import { Buffer } from 'node:buffer';
import { PickleFault } from './fault.ts';

export class ByteReader {
  readonly #bytes: Buffer;
  /** Offset of the next byte. */
  position: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.position = start;
  }

  get remaining(): number {
    return this.#bytes.length - this.position;
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] as number;
  }

  u16(): number {
    return this.#bytes.readUInt16LE(this.#advance(2));
  }

  u32(): number {
    return this.#bytes.readUInt32LE(this.#advance(4));
  }

  i32(): number {
    return this.#bytes.readInt32LE(this.#advance(4));
  }

  /** A length: values past 2^53 are past the end of any pickle and are rounded without harm. */
  u64(): number {
    return Number(this.#bytes.readBigUInt64LE(this.#advance(8)));
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#advance(8));
  }

  /** The next `length` bytes, not copied. */
  take(length: number): Buffer {
    if (length < 0) throw new PickleFault(`a length of ${length} bytes`);
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** Text up to a line feed, which is consumed; bytes are taken as Latin-1. */
  line(maxBytes: number): string {
    const end = this.#bytes.indexOf(10, this.position);
    if (end < 0) throw new PickleFault('a line without an end', true);
    if (end - this.position > maxBytes) {
      throw new PickleFault(`a line of ${end - this.position} bytes`);
    }
    const text = this.#bytes.toString('latin1', this.position, end);
    this.position = end + 1;
    return text;
  }

  #advance(length: number): number {
    const start = this.position;
    if (!(length <= this.#bytes.length - start)) {
      const rest = this.#bytes.length - start;
      throw new PickleFault(`${length} bytes are asked for and ${rest} are left`, true);
    }
    this.position = start + length;
    return start;
  }
}
