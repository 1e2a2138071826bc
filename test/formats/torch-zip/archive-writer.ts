/** Archives and pickles written byte by byte, so that a test can say what torch would not. */
import { crc32, deflateRawSync } from 'node:zlib';

/** Opcodes as a pickle spells them (protocol 2 unless said). */
export const pickle = {
  text(value: string): Buffer {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(4);
    length.writeUInt32LE(bytes.length);
    return Buffer.concat([Buffer.from('X'), length, bytes]);
  },
  int(value: number): Buffer {
    const bytes = Buffer.alloc(5);
    bytes.write('J');
    bytes.writeInt32LE(value, 1);
    return bytes;
  },
  float(value: number): Buffer {
    const bytes = Buffer.alloc(9);
    bytes.write('G');
    bytes.writeDoubleBE(value, 1);
    return bytes;
  },
  bool: (value: boolean) => Buffer.from([value ? 0x88 : 0x89]),
  none: Buffer.from('N'),
  global: (module: string, name: string) => Buffer.from(`c${module}\n${name}\n`),
  tuple: (...items: Buffer[]) => Buffer.concat([Buffer.from('('), ...items, Buffer.from('t')]),
  ints: (...values: number[]) => pickle.tuple(...values.map(pickle.int)),
  list: (...items: Buffer[]) => Buffer.concat([Buffer.from(']('), ...items, Buffer.from('e')]),
  dict(entries: Record<string, Buffer> | [Buffer, Buffer][]): Buffer {
    const pairs = Array.isArray(entries)
      ? entries
      : Object.entries(entries).map(([key, value]) => [pickle.text(key), value] as const);
    return Buffer.concat([Buffer.from('}('), ...pairs.flat(), Buffer.from('u')]);
  },
  call: (callee: Buffer, ...args: Buffer[]) =>
    Buffer.concat([callee, pickle.tuple(...args), Buffer.from('R')]),
  /** The state dictionary of a module: an ordered dictionary with versions. */
  module: (entries: Record<string, Buffer>) =>
    Buffer.concat([
      pickle.call(pickle.global('collections', 'OrderedDict')),
      Buffer.from('('),
      ...Object.entries(entries).flatMap(([key, value]) => [pickle.text(key), value]),
      Buffer.from('u'),
      pickle.dict({ _metadata: pickle.dict({}) }),
      Buffer.from('b'),
    ]),
  whole: (body: Buffer) => Buffer.concat([Buffer.from([0x80, 2]), body, Buffer.from('.')]),
};

export interface TensorOptions {
  readonly storage?: string;
  readonly count?: number;
  readonly key?: string;
  readonly offset?: number;
  readonly stride?: readonly number[];
  readonly device?: string;
  /** More arguments after the hooks. */
  readonly rest?: readonly Buffer[];
  readonly rebuild?: string;
}

export function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** The persistent id of a storage. */
export function storage(options: TensorOptions & { count: number }): Buffer {
  const name = options.storage ?? 'FloatStorage';
  const id = pickle.tuple(
    pickle.text('storage'),
    pickle.global(name === 'UntypedStorage' ? 'torch.storage' : 'torch', name),
    pickle.text(options.key ?? '0'),
    pickle.text(options.device ?? 'cpu'),
    pickle.int(options.count),
  );
  return Buffer.concat([id, Buffer.from('Q')]);
}

function rowMajor(shape: readonly number[]): number[] {
  return shape.map((_, i) => product(shape.slice(i + 1)));
}

/** A tensor as torch pickles one. */
export function tensor(shape: readonly number[], options: TensorOptions = {}): Buffer {
  const count = options.count ?? product(shape);
  const function_ = pickle.global('torch._utils', options.rebuild ?? '_rebuild_tensor_v2');
  return pickle.call(
    function_,
    storage({ ...options, count }),
    pickle.int(options.offset ?? 0),
    pickle.ints(...shape),
    pickle.ints(...(options.stride ?? rowMajor(shape))),
    pickle.bool(false),
    pickle.call(pickle.global('collections', 'OrderedDict')),
    ...(options.rest ?? []),
  );
}

export interface Member {
  readonly name: string;
  readonly bytes: Uint8Array;
  readonly deflate?: boolean;
  /** In the directory, instead of the true one. */
  readonly crc?: number;
}

function header(fields: readonly (readonly [bytes: 2 | 4, value: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );
}

/** A zip archive with these members below `archive/`, headers and directory in agreement. */
export function archive(members: readonly Member[]): Buffer {
  const parts: Buffer[] = [];
  const entries: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, deflate = false, crc = crc32(Buffer.from(bytes)) } of members) {
    const full = Buffer.from(`archive/${name}`);
    const stored = deflate ? deflateRawSync(bytes) : Buffer.from(bytes);
    const method = deflate ? 8 : 0;
    const shared = [
      [2, 20],
      [2, 0],
      [2, method],
      [4, 0],
      [4, crc],
      [4, stored.length],
      [4, bytes.length],
      [2, full.length],
    ] as const;
    const local = header([[4, 0x04034b50], ...shared, [2, 0]]);
    parts.push(local, full, stored);
    entries.push(
      header([[4, 0x02014b50], [2, 20], ...shared, [4, 0], [4, 0], [4, 0], [4, offset]]),
      full,
    );
    offset += local.length + full.length + stored.length;
  }
  const directory = Buffer.concat(entries);
  const count = Math.min(members.length, 0xffff);
  const end = header([
    [4, 0x06054b50],
    [4, 0],
    [2, count],
    [2, count],
    [4, directory.length],
    [4, offset],
    [2, 0],
  ]);
  const wide = count === members.length ? [] : [wideEnd(members.length, directory.length, offset)];
  return Buffer.concat([...parts, directory, ...wide, end]);
}

/** Zip64's end record and its locator: more members than the plain end record can count. */
function wideEnd(members: number, directoryBytes: number, offset: number): Buffer {
  const record = Buffer.alloc(56);
  record.writeUInt32LE(0x06064b50, 0);
  record.writeUInt32LE(44, 4);
  record.writeUInt16LE(45, 12);
  record.writeUInt16LE(45, 14);
  record.writeUInt32LE(members, 24);
  record.writeUInt32LE(members, 32);
  record.writeUInt32LE(directoryBytes, 40);
  record.writeUInt32LE(offset, 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeUInt32LE(offset + directoryBytes, 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}

/** A file of torch.save: this pickle, and storages by their keys. */
export function torchFile(
  body: Buffer,
  storages: Record<string, Uint8Array> = {},
  more: readonly Member[] = [],
): Buffer {
  return archive([
    { name: 'data.pkl', bytes: pickle.whole(body) },
    ...Object.entries(storages).map(([key, bytes]) => ({ name: `data/${key}`, bytes })),
    ...more,
    { name: 'version', bytes: Buffer.from('3\n') },
  ]);
}

/** Little-endian float32. */
export function floats(...values: number[]): Buffer {
  return Buffer.from(Float32Array.from(values).buffer);
}
