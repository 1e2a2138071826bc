/** Fields of one protocol-buffer message, as they lie in its bytes. Knows no schema. */

/** A field and what its wire type says of it; bytes are views, never copies. */
export type WireField =
  | { readonly number: number; readonly kind: 'varint'; readonly value: bigint }
  | { readonly number: number; readonly kind: 'fixed64'; readonly bytes: Uint8Array }
  | { readonly number: number; readonly kind: 'fixed32'; readonly bytes: Uint8Array }
  | { readonly number: number; readonly kind: 'bytes'; readonly bytes: Uint8Array };

/** The bytes are no message; whoever knows the file makes an error of it that names the place. */
export class ProtobufFault extends Error {}

const varintBytesMost = 10;

class Cursor {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < varintBytesMost; i++) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw new ProtobufFault('a number is cut');
      this.#at += 1;
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return BigInt.asUintN(64, value);
    }
    throw new ProtobufFault('a number has no end');
  }

  take(length: bigint): Uint8Array {
    if (length > BigInt(this.#bytes.length - this.#at)) {
      throw new ProtobufFault('a field is longer than its message');
    }
    const start = this.#at;
    this.#at += Number(length);
    return this.#bytes.subarray(start, this.#at);
  }
}

/** @throws ProtobufFault where the bytes are no message. */
export function* wireFields(bytes: Uint8Array): Generator<WireField> {
  const cursor = new Cursor(bytes);
  while (!cursor.isAtEnd) {
    const key = cursor.varint();
    const number = Number(key >> 3n);
    if (number === 0) throw new ProtobufFault('a field has the number 0');
    switch (Number(key & 7n)) {
      case 0:
        yield { number, kind: 'varint', value: cursor.varint() };
        break;
      case 1:
        yield { number, kind: 'fixed64', bytes: cursor.take(8n) };
        break;
      case 2:
        yield { number, kind: 'bytes', bytes: cursor.take(cursor.varint()) };
        break;
      case 5:
        yield { number, kind: 'fixed32', bytes: cursor.take(4n) };
        break;
      default:
        throw new ProtobufFault('a field has a wire type that is not used');
    }
  }
}
