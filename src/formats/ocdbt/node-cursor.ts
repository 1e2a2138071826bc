/** Reads the body of a node forwards; nothing is believed that the body has no bytes for. */
import { malformed } from './node-fault.ts';

/** A node has at most as many keys, and nothing in it is more numerous. */
const itemsMost = 2 ** 20;

export class NodeCursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Buffer {
    if (!(length <= this.left)) {
      throw malformed(`${length} bytes are promised; ${this.left} follow`);
    }
    const from = this.#at;
    this.#at += length;
    return this.#bytes.subarray(from, this.#at);
  }

  byte(): number {
    return this.take(1)[0] as number;
  }

  /** Unsigned LEB128; exact up to 2^53, and above that only comparable. */
  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw malformed('a number has more than ten bytes');
  }

  /** How many items follow, each of at least one byte. */
  count(): number {
    const count = this.varint();
    if (count > itemsMost) throw malformed(`it says it has ${count} items in a list`);
    if (count > this.left)
      throw malformed(`${count} items are promised; ${this.left} bytes follow`);
    return count;
  }

  varints(count: number): number[] {
    return Array.from({ length: count }, () => this.varint());
  }

  expectEnd(): void {
    if (this.left > 0) throw malformed(`${this.left} bytes follow its end`);
  }
}
