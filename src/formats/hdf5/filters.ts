/** What an array's chunks went through before they were stored. */

interface Filter {
  readonly id: number;
  readonly name: string;
}

/** How to undo it; `unread` says what stands in the way. */
export type Undo =
  | {
      readonly kind: 'read';
      readonly codec: 'stored' | 'zlib';
      /** Bytes of an element whose first bytes lie together, then all second ones; 1: they do not. */
      readonly planes: number;
      /** Bytes of a checksum behind the chunk. */
      readonly tailBytes: number;
    }
  | { readonly kind: 'unread'; readonly reason: string };

const filtersMost = 32;

const deflate = 1;
const shuffle = 2;
const fletcher = 3;

const names: ReadonlyMap<number, string> = new Map([
  [4, 'szip'],
  [5, 'n-bit'],
  [6, 'scale-offset'],
  [32000, 'lzf'],
  [32001, 'blosc'],
  [32015, 'zstd'],
]);

/** Null: the message is malformed. */
export function readFilters(body: Buffer): readonly Filter[] | null {
  const version = body[0];
  const count = body[1] ?? 0;
  if ((version !== 1 && version !== 2) || count > filtersMost) return null;
  const filters: Filter[] = [];
  let at = version === 1 ? 8 : 2;
  for (let i = 0; i < count; i += 1) {
    if (at + (version === 1 ? 8 : 6) > body.length) return null;
    const id = body.readUInt16LE(at);
    // Filters of the format itself have no name in the newer version.
    const hasName = version === 1 || id >= 256;
    const nameBytes = hasName ? body.readUInt16LE(at + 2) : 0;
    const valuesAt = at + (hasName ? 6 : 4);
    const values = body.readUInt16LE(valuesAt);
    const padded = version === 1 ? Math.ceil(nameBytes / 8) * 8 : nameBytes;
    at = valuesAt + 2 + padded + 4 * (version === 1 ? values + (values % 2) : values);
    if (at > body.length) return null;
    filters.push({ id, name: names.get(id) ?? `filter ${id}` });
  }
  return filters;
}

/** `skipped`: bit i for a filter that this chunk did not go through. */
export function undoOf(filters: readonly Filter[], skipped: number, elementBytes: number): Undo {
  const used = filters.filter((_, i) => ((skipped >>> i) & 1) === 0);
  const ids = used.map(({ id }) => id);
  const other = used.find(({ id }) => id !== deflate && id !== shuffle && id !== fletcher);
  if (other) return { kind: 'unread', reason: `in chunks through ${other.name}` };
  // As they are applied: bytes sorted, then packed, then summed.
  if (ids.some((id, i) => i > 0 && rank(id) <= rank(ids[i - 1] as number))) {
    return { kind: 'unread', reason: 'in chunks through filters in an unusual order' };
  }
  return {
    kind: 'read',
    codec: ids.includes(deflate) ? 'zlib' : 'stored',
    planes: ids.includes(shuffle) ? elementBytes : 1,
    tailBytes: ids.includes(fletcher) ? 4 : 0,
  };
}

function rank(id: number): number {
  return [shuffle, deflate, fletcher].indexOf(id);
}
