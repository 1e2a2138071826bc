/**
 * Ledgers of one run as files in the state folder: entries one after the other, each with its
 * CRC-32, then an index and its place. A file that was cut or altered is as good as none.
 */
import { createHash } from 'node:crypto';
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { deserialize, serialize } from 'node:v8';
import { crc32 } from 'node:zlib';
import { type Ledger, type Ledgers, type LedgerWriter, ledgersKept } from '../records/ledger.ts';
import type { SummaryRecord } from '../records/summary.ts';

/** Where an entry lies, and its CRC-32. */
type Entry = readonly [offset: number, length: number, crc: number];

/** Behind the index: its offset (f64), its length and its CRC-32 (u32 each), and the mark. */
const footerBytes = 20;
const mark = 0x4c_65_64_31;

export class LedgerFolder implements Ledgers {
  readonly #folder: string;
  readonly #run: string;

  /** `folder`: the state folder. */
  constructor(folder: string, run: string) {
    this.#folder = join(folder, 'ledgers');
    this.#run = shortHash(run);
  }

  open(identity: string): Ledger | null {
    let file: number;
    try {
      file = openSync(this.#path(identity), 'r');
    } catch {
      return null;
    }
    const index = readIndex(file);
    if (index) return new LedgerFile(file, index);
    closeSync(file);
    return null;
  }

  /** What cannot be written is not kept, and nothing else is the worse for it. */
  write(identity: string): LedgerWriter {
    return new LedgerFileWriter(this.#folder, this.#path(identity), () => this.#forgetOld());
  }

  #path(identity: string): string {
    return join(this.#folder, `${this.#run}-${shortHash(identity)}.ledger`);
  }

  #forgetOld(): void {
    const own = readdirSync(this.#folder).filter((name) => name.startsWith(`${this.#run}-`));
    // What a killed watcher left unfinished.
    for (const name of own.filter((each) => each.endsWith('.new')))
      rmSync(join(this.#folder, name), { force: true });
    const files = own
      .filter((name) => name.endsWith('.ledger'))
      .map((name) => join(this.#folder, name))
      .map((path) => ({ path, at: statSync(path).mtimeMs }));
    files.sort((a, b) => b.at - a.at);
    for (const { path } of files.slice(ledgersKept)) rmSync(path, { force: true });
  }
}

class LedgerFile implements Ledger {
  readonly #file: number;
  readonly #index: ReadonlyMap<string, Entry>;

  constructor(file: number, index: ReadonlyMap<string, Entry>) {
    this.#file = file;
    this.#index = index;
  }

  recall(name: string): SummaryRecord | null {
    const entry = this.#index.get(name);
    return entry ? (readValue(this.#file, entry) as SummaryRecord | null) : null;
  }

  close(): void {
    closeSync(this.#file);
  }
}

class LedgerFileWriter implements LedgerWriter {
  readonly #path: string;
  readonly #fresh: string;
  readonly #onKept: () => void;
  readonly #index = new Map<string, Entry>();
  /** Null once it is kept, dropped or could not be written. */
  #file: number | null = null;
  #offset = 0;

  constructor(folder: string, path: string, onKept: () => void) {
    this.#path = path;
    this.#fresh = `${path}.new`;
    this.#onKept = onKept;
    this.#attempt(() => {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
      this.#file = openSync(this.#fresh, 'w', 0o600);
    });
  }

  add(name: string, record: SummaryRecord): void {
    const file = this.#file;
    if (file === null) return;
    this.#attempt(() => this.#index.set(name, this.#append(file, serialize(record))));
  }

  keep(): void {
    const file = this.#file;
    if (file === null) return;
    this.#attempt(() => {
      const [offset, length, crc] = this.#append(file, serialize(this.#index));
      const footer = Buffer.alloc(footerBytes);
      footer.writeDoubleLE(offset, 0);
      footer.writeUInt32LE(length, 8);
      footer.writeUInt32LE(crc, 12);
      footer.writeUInt32LE(mark, 16);
      this.#append(file, footer);
      this.#close();
      renameSync(this.#fresh, this.#path);
      this.#onKept();
    });
  }

  drop(): void {
    if (this.#file === null) return;
    this.#close();
    rmSync(this.#fresh, { force: true });
  }

  #append(file: number, bytes: Buffer): Entry {
    const entry = [this.#offset, bytes.length, crc32(bytes)] as const;
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(file, bytes, done, bytes.length - done, this.#offset + done);
    }
    this.#offset += bytes.length;
    return entry;
  }

  #attempt(step: () => void): void {
    try {
      step();
    } catch {
      this.drop();
    }
  }

  #close(): void {
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
  }
}

function readIndex(file: number): ReadonlyMap<string, Entry> | null {
  const end = fstatSync(file).size - footerBytes;
  if (end < 0) return null;
  const footer = Buffer.alloc(footerBytes);
  readSync(file, footer, 0, footerBytes, end);
  const [offset, length] = [footer.readDoubleLE(0), footer.readUInt32LE(8)];
  if (footer.readUInt32LE(16) !== mark || offset + length !== end) return null;
  const index = readValue(file, [offset, length, footer.readUInt32LE(12)]);
  return index instanceof Map ? index : null;
}

/** Null where the bytes are not those that were written. */
function readValue(file: number, [offset, length, crc]: Entry): unknown {
  const bytes = Buffer.alloc(length);
  if (readSync(file, bytes, 0, length, offset) !== length || crc32(bytes) !== crc) return null;
  try {
    return deserialize(bytes);
  } catch {
    return null;
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 24);
}
