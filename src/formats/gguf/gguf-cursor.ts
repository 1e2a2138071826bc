/** Reads the header of a GGUF file from the bytes that are there, and never past them. */
import { LaikaError } from '../../checkpoint/errors.ts';

/** The header is no header, or ends early. */
export class GgufFault extends Error {
  readonly rule: 'header-invalid' | 'file-truncated';
  readonly offset: number;

  constructor(rule: 'header-invalid' | 'file-truncated', offset: number, message: string) {
    super(message);
    this.rule = rule;
    this.offset = offset;
  }
}

/** More bytes of the file are needed than were read so far. */
export class NeedsMore extends Error {}

/** Arrays of arrays: real files have none. */
const depthMost = 8;

/** Longest text that is kept; tokens are skipped. */
const textMost = 65_535;

const fixedBytes: ReadonlyMap<number, number> = new Map([
  [0, 1],
  [1, 1],
  [2, 2],
  [3, 2],
  [4, 4],
  [5, 4],
  [6, 4],
  [7, 1],
  [10, 8],
  [11, 8],
  [12, 8],
]);
const stringType = 8;
const arrayType = 9;

export class GgufCursor {
  readonly #view: DataView;
  readonly #sizeBytes: number;
  readonly #where: string;
  readonly #little: boolean;
  at: number;

  /** `head` is the beginning of a file of `sizeBytes`; `at` the byte to begin with. */
  constructor(
    head: Uint8Array,
    file: { name: string; sizeBytes: number },
    start: { at: number; little: boolean },
  ) {
    this.#view = new DataView(head.buffer, head.byteOffset, head.byteLength);
    this.#sizeBytes = file.sizeBytes;
    this.#where = file.name;
    this.at = start.at;
    this.#little = start.little;
  }

  /** The place of the next `length` bytes, which are then behind the cursor. */
  #skip(length: number): number {
    const start = this.at;
    const end = start + length;
    if (end > this.#sizeBytes) {
      const message = `its header needs ${length} bytes here; ${this.#sizeBytes - start} are left`;
      throw new GgufFault('file-truncated', start, message);
    }
    if (end > this.#view.byteLength) throw new NeedsMore();
    this.at = end;
    return start;
  }

  u32(): number {
    return this.#view.getUint32(this.#skip(4), this.#little);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#skip(8), this.#little);
  }

  /** A length or a count of things that take at least `unit` bytes each. */
  count(unit: number): number {
    const start = this.at;
    const value = this.u64();
    const most = Math.floor((this.#sizeBytes - this.at) / unit);
    if (value > BigInt(most)) {
      const message = `its header promises ${value} items; ${this.#sizeBytes - this.at} bytes follow`;
      throw new GgufFault('file-truncated', start, message);
    }
    return Number(value);
  }

  text(): string {
    const length = this.count(1);
    const start = this.#skip(length);
    if (length > textMost) {
      throw new GgufFault('header-invalid', start, `a name of ${length} bytes is no name`);
    }
    return Buffer.from(this.#view.buffer, this.#view.byteOffset + start, length).toString('utf8');
  }

  /** Whole numbers and texts come back, everything else is skipped. */
  value(type: number): number | bigint | string | null {
    if (type === stringType) return this.#shortText();
    if (type === arrayType) {
      this.#array();
      return null;
    }
    const bytes = fixedBytes.get(type);
    if (bytes === undefined) {
      throw new GgufFault('header-invalid', this.at - 4, `values of type ${type} do not exist`);
    }
    const start = this.#skip(bytes);
    if (type === 4 || type === 5) return this.#view.getUint32(start, this.#little);
    if (type === 2) return this.#view.getUint16(start, this.#little);
    if (type === 10) return this.#view.getBigUint64(start, this.#little);
    return null;
  }

  /** Templates and licences are long: their text is of no use here. */
  #shortText(): string | null {
    const start = this.at;
    const length = this.count(1);
    if (length > textMost) {
      this.#skip(length);
      return null;
    }
    this.at = start;
    return this.text();
  }

  #array(): void {
    /** Items left in each array that is open. */
    const open: { type: number; left: number }[] = [this.#arrayHead()];
    for (let inner = open.at(-1); inner; inner = open.at(-1)) {
      const bytes = fixedBytes.get(inner.type);
      if (bytes !== undefined) {
        this.#skip(bytes * inner.left);
        inner.left = 0;
      }
      if (inner.left === 0) {
        open.pop();
        continue;
      }
      inner.left -= 1;
      if (inner.type === stringType) this.#skip(this.count(1));
      else if (open.length >= depthMost) throw this.#tooDeep();
      else open.push(this.#arrayHead());
    }
  }

  #arrayHead(): { type: number; left: number } {
    const type = this.u32();
    const bytes =
      fixedBytes.get(type) ?? (type === stringType ? 8 : type === arrayType ? 12 : null);
    if (bytes === null) {
      throw new GgufFault('header-invalid', this.at - 4, `values of type ${type} do not exist`);
    }
    return { type, left: this.count(bytes) };
  }

  #tooDeep(): LaikaError {
    return new LaikaError({
      code: 'limit-exceeded',
      what: `The header nests arrays more than ${depthMost} deep`,
      where: this.#where,
    });
  }
}
