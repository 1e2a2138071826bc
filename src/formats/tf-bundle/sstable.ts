/** A sorted table as LevelDB writes them: the index of a TensorFlow checkpoint. Every block has a checksum. */
import { Buffer } from 'node:buffer';
import { crc32c, masked } from '../../records/crc32c.ts';

/** The table is none, or was damaged. */
export class TableFault extends Error {
  readonly rule: 'header-invalid' | 'checksum-mismatch' | 'file-truncated';
  readonly offset: number;

  constructor(rule: TableFault['rule'], offset: number, message: string) {
    super(message);
    this.rule = rule;
    this.offset = offset;
  }
}

export interface TableEntry {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Byte of its record in the file. */
  readonly offset: number;
}

const footerBytes = 48;

/** Names of variables are paths of some hundred bytes. */
const keyMost = 65_536;

const trailerBytes = 5;
const magic = Buffer.from('57fb808b247547db', 'hex');

/** True where the last bytes of a file are those of a table. */
export function endsTable(tail: Uint8Array): boolean {
  return tail.length >= 8 && magic.equals(tail.subarray(tail.length - 8));
}

interface Handle {
  readonly offset: number;
  readonly size: number;
}

class Varints {
  readonly #bytes: Buffer;
  readonly #base: number;
  at: number;

  /** `base`: where the bytes begin in the file, for messages. */
  constructor(bytes: Buffer, base: number, at = 0) {
    this.#bytes = bytes;
    this.#base = base;
    this.at = at;
  }

  next(): number {
    let value = 0n;
    for (let i = 0n; i < 10n; i += 1n) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) break;
      this.at += 1;
      value |= BigInt(byte & 0x7f) << (7n * i);
      if (byte < 0x80) return Number(BigInt.asUintN(64, value));
    }
    throw new TableFault(
      'header-invalid',
      this.#base + this.at,
      'a number of the table has no end',
    );
  }
}

/** The bytes of a block, its checksum verified. */
function readBlock(file: Buffer, { offset, size }: Handle): Buffer {
  if (offset + size + trailerBytes > file.length) {
    const message = `a block of ${size} bytes at ${offset} lies past the end of the table`;
    throw new TableFault('file-truncated', offset, message);
  }
  const type = file[offset + size];
  const expected = file.readUInt32LE(offset + size + 1);
  const found = masked(crc32c(file.subarray(offset, offset + size + 1)));
  if (found !== expected) {
    const hex = (value: number) => value.toString(16).padStart(8, '0');
    const message = `the block at ${offset} has the CRC-32C ${hex(found)}; ${hex(expected)} is stored`;
    throw new TableFault('checksum-mismatch', offset, message);
  }
  if (type === 0) return file.subarray(offset, offset + size);
  throw new TableFault(
    'header-invalid',
    offset,
    `the block at ${offset} is compressed (type ${type})`,
  );
}

/** Entries of a block, in order: each key is a piece of the one before it and a rest. */
function* entriesOf(block: Buffer, base: number): Generator<TableEntry> {
  const restarts =
    block.length < 4 ? Number.POSITIVE_INFINITY : block.readUInt32LE(block.length - 4);
  const end = block.length - 4 - 4 * restarts;
  if (!(end >= 0))
    throw new TableFault('header-invalid', base, 'a block has no room for its restarts');
  const varints = new Varints(block.subarray(0, end), base);
  let key: Buffer = Buffer.alloc(0);
  while (varints.at < end) {
    const offset = base + varints.at;
    const shared = varints.next();
    const rest = varints.next();
    const length = varints.next();
    const start = varints.at;
    if (shared > key.length || start + rest + length > end || shared + rest > keyMost) {
      throw new TableFault(
        'header-invalid',
        offset,
        'an entry of the table is longer than its block',
      );
    }
    key = Buffer.concat([key.subarray(0, shared), block.subarray(start, start + rest)]);
    varints.at = start + rest + length;
    yield { key, value: block.subarray(start + rest, varints.at), offset };
  }
}

function handleAt(varints: Varints): Handle {
  return { offset: varints.next(), size: varints.next() };
}

/**
 * All entries of the table in `file`, in order.
 * @throws TableFault
 */
export function* readTable(file: Buffer): Generator<TableEntry> {
  if (file.length < footerBytes || !endsTable(file)) {
    throw new TableFault(
      'file-truncated',
      file.length,
      'the table has no footer: the file ends early',
    );
  }
  const footer = file.length - footerBytes;
  const varints = new Varints(file.subarray(footer), footer);
  readBlock(file, handleAt(varints));
  const index = handleAt(varints);
  // Blocks lie one behind the other: one that goes back would be read again and again.
  let behind = 0;
  for (const { value, offset } of entriesOf(readBlock(file, index), index.offset)) {
    const handle = handleAt(new Varints(value, offset));
    if (handle.offset < behind) {
      throw new TableFault('header-invalid', offset, 'the blocks of the table are out of order');
    }
    behind = handle.offset + handle.size + trailerBytes;
    yield* entriesOf(readBlock(file, handle), handle.offset);
  }
}
