/** MessagePack as the specification has it, just enough to write states that no fixture holds. */

export type Item = number | boolean | null | string | Extension | { readonly [name: string]: Item };

class Extension {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.of(0xdb), uint32(bytes.length), bytes]);
}

/** An extension of Flax's: 1 an array, 3 a scalar of NumPy. */
export function array(shape: readonly number[], type: string, bytes: Uint8Array, kind = 1): Item {
  const body = Buffer.concat([
    Buffer.of(0x93, 0x90 | shape.length),
    ...shape.map((size) => Buffer.concat([Buffer.of(0xce), uint32(size)])),
    text(type),
    Buffer.of(0xc6),
    uint32(bytes.length),
    bytes,
  ]);
  return new Extension(
    Buffer.concat([Buffer.of(0xc9), uint32(body.length), Buffer.of(kind), body]),
  );
}

export function float32(...values: number[]): Item {
  return array([values.length], 'float32', new Uint8Array(Float32Array.from(values).buffer));
}

export function int32(value: number): Item {
  return array([], 'int32', new Uint8Array(Int32Array.of(value).buffer));
}

/** A list of entries instead of an object may repeat a name. */
export function map(entries: readonly (readonly [string, Item])[]): Buffer {
  const items = entries.flatMap(([name, item]) => [text(name), pack(item)]);
  return Buffer.concat([Buffer.of(0xdf), uint32(entries.length), ...items]);
}

export function pack(item: Item): Buffer {
  if (item === null) return Buffer.of(0xc0);
  if (typeof item === 'boolean') return Buffer.of(item ? 0xc3 : 0xc2);
  if (typeof item === 'number') return Buffer.concat([Buffer.of(0xce), uint32(item)]);
  if (typeof item === 'string') return text(item);
  if (item instanceof Extension) return item.bytes;
  return map(Object.entries(item));
}
