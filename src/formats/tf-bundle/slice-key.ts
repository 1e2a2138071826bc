/**
 * Keys of the parts of partitioned variables, which sort by name and place: TensorFlow's ordered code.
 * No name can be one: they begin with a zero byte.
 */
import { Buffer } from 'node:buffer';

export interface SliceKey {
  /** Of the whole variable. */
  readonly name: string;
  readonly origin: readonly number[];
  /** Null: all of the dimension. */
  readonly sizes: readonly (number | null)[];
}

const rankMost = 254;

/** Null: it is no such key, or one of a place that no tensor has. */
export function readSliceKey(key: Buffer): SliceKey | null {
  const cursor = new Cursor(key);
  if (cursor.count() !== 0) return null;
  const name = cursor.text();
  const rank = cursor.count();
  if (name === null || rank === null || rank > rankMost) return null;
  const origin: number[] = [];
  const sizes: (number | null)[] = [];
  for (let d = 0; d < rank; d += 1) {
    const [start, size] = [cursor.signed(), cursor.signed()];
    if (start === null || size === null || start < 0) return null;
    origin.push(start);
    sizes.push(size < 0 ? null : size);
  }
  return cursor.isAtEnd ? { name, origin, sizes } : null;
}

class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** A length, and as many bytes, the highest first. */
  count(): number | null {
    const length = this.#bytes[this.#at] ?? 255;
    const start = this.#at + 1;
    if (length > 6 || start + length > this.#bytes.length) return null;
    this.#at = start + length;
    return length === 0 ? 0 : this.#bytes.readUIntBE(start, length);
  }

  /** Zero and 255 are written with a byte behind them; zero and one end the text. */
  text(): string | null {
    const kept: number[] = [];
    for (;;) {
      const [byte, next] = [this.#bytes[this.#at], this.#bytes[this.#at + 1]];
      if (byte === undefined) return null;
      const isMarked = byte === 0 || byte === 255;
      this.#at += isMarked ? 2 : 1;
      if (!isMarked) kept.push(byte);
      else if (byte === 0 && next === 1) return Buffer.from(kept).toString('utf8');
      else if (next === 255 - byte) kept.push(byte);
      else return null;
    }
  }

  /** As many ones at the front as there are bytes. Below zero nothing but −1 is of use: "all". */
  signed(): number | null {
    const first = this.#bytes[this.#at] ?? 0;
    const length = Math.clz32(~(first << 24));
    const end = this.#at + Math.max(1, length);
    if (end > this.#bytes.length || length > 6) return null;
    const bytes = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    if (length === 0) return first === 0x7f ? -1 : null;
    const value = bytes.readUIntBE(0, length);
    return value % 2 ** (7 * length);
  }
}
