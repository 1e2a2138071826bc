/** Whether bytes begin as Flax writes a state: maps with names that lead to an array. */

/** True once an array is met; false where anything contradicts, or the bytes end before one. */
export function looksLikeFlax(head: Uint8Array): boolean {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  if (mapHeaderBytes(bytes, 0) === 0) return false;
  for (let at = 0; at < bytes.length; ) {
    const map = mapHeaderBytes(bytes, at);
    const name = map > 0 ? nameEnd(bytes, at + map) : nameEnd(bytes, at);
    if (name === null) return false;
    if (mapHeaderBytes(bytes, name) > 0) {
      at = name;
      // An empty map is a value; the next name follows.
      if (bytes[at] === 0x80) at += 1;
      continue;
    }
    if (isArray(bytes, name)) return true;
    const next = scalarEnd(bytes, name);
    if (next === null) return false;
    at = next;
  }
  return false;
}

/** 0: no map begins here. */
function mapHeaderBytes(bytes: Buffer, at: number): number {
  const byte = bytes[at] ?? 0;
  if (byte >= 0x80 && byte <= 0x8f) return 1;
  if (byte === 0xde) return 3;
  return byte === 0xdf ? 5 : 0;
}

/** Behind a short name of printable text, or null. */
function nameEnd(bytes: Buffer, at: number): number | null {
  const byte = bytes[at] ?? 0;
  const long = byte === 0xd9;
  if (!long && (byte < 0xa0 || byte > 0xbf)) return null;
  const begin = at + (long ? 2 : 1);
  const length = long ? (bytes[at + 1] ?? 0) : byte & 31;
  const text = bytes.subarray(begin, begin + length);
  return text.length === length && text.every((each) => each >= 0x20) ? begin + length : null;
}

/** An extension of type 1 or 3 that holds a list of three. */
function isArray(bytes: Buffer, at: number): boolean {
  const byte = bytes[at] ?? 0;
  const size = byte >= 0xc7 && byte <= 0xc9 ? 2 ** (byte - 0xc7) : 0;
  if (size === 0 && (byte < 0xd4 || byte > 0xd8)) return false;
  const type = bytes[at + 1 + size];
  return (type === 1 || type === 3) && bytes[at + 2 + size] === 0x93;
}

/** Behind a number, a constant or a short text; null for anything else. */
function scalarEnd(bytes: Buffer, at: number): number | null {
  const byte = bytes[at] ?? 0xc1;
  if (byte < 0x80 || byte >= 0xe0 || byte === 0xc0 || byte === 0xc2 || byte === 0xc3) return at + 1;
  if (byte >= 0xca && byte <= 0xd3) return at + 1 + (byte === 0xca ? 4 : numberBytes(byte));
  return nameEnd(bytes, at);
}

function numberBytes(byte: number): number {
  return byte === 0xcb ? 8 : 2 ** (byte & 3);
}
