/** The letters of JSON: white space, literals, numbers and strings, each checked to the byte. */

export class JsonSyntaxError extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

export interface ScannerOptions {
  readonly integersOnly: boolean;
  readonly allowNonFinite: boolean;
}

type Scalar = null | boolean | number | bigint | string;

/** Longer numbers mean nothing, and converting them takes time that grows with their square. */
const numberLength = 1000;

const number = /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/;

const escapes = new Map([
  [0x22, '"'],
  [0x2f, '/'],
  [0x5c, '\\'],
  [0x62, '\b'],
  [0x66, '\f'],
  [0x6e, '\n'],
  [0x72, '\r'],
  [0x74, '\t'],
]);

export class JsonScanner {
  readonly #bytes: Buffer;
  readonly #options: ScannerOptions;
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #at = 0;

  constructor(bytes: Uint8Array, options: ScannerOptions) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#options = options;
  }

  get position(): number {
    return this.#at;
  }

  /** The next byte that is no white space, −1 at the end; it stays unread. */
  peek(): number {
    for (; this.#at < this.#bytes.length; this.#at++) {
      const byte = this.#bytes[this.#at] as number;
      if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return byte;
    }
    return -1;
  }

  skip(): void {
    this.#at += 1;
  }

  fault(message: string): JsonSyntaxError {
    return new JsonSyntaxError(message, this.#at);
  }

  expectEnd(): void {
    if (this.peek() !== -1) throw this.fault('bytes follow the end of the text');
  }

  scalar(): Scalar {
    const byte = this.peek();
    if (byte === 0x22) return this.string();
    if (byte === -1) throw this.fault('the text ends too early');
    const index = this.#index();
    if (index >= 0) return index;
    const word = this.#word();
    if (word === 'true') return true;
    if (word === 'false') return false;
    if (word === 'null') return null;
    if (this.#options.allowNonFinite) {
      if (word === 'NaN') return Number.NaN;
      if (word === 'Infinity') return Infinity;
      if (word === '-Infinity') return -Infinity;
    }
    return this.#number(word);
  }

  /** Reads a string; the next byte is its quote. */
  string(): string {
    const start = this.#at;
    this.#at += 1;
    let text = '';
    for (;;) {
      text += this.#plain();
      const byte = this.#bytes[this.#at];
      if (byte === 0x22) {
        this.#at += 1;
        // Two halves of a pair may come from two escapes: only the whole shows whether one is lone.
        if (!isWellFormed(text)) throw new JsonSyntaxError('half of a surrogate pair', start);
        return text;
      }
      if (byte === undefined) throw this.fault('a string has no end');
      if (byte !== 0x5c) throw this.fault('a control character stands in a string');
      text += this.#escape();
    }
  }

  /** Up to the next quote, backslash or control character. */
  #plain(): string {
    const start = this.#at;
    let ascii = true;
    for (; this.#at < this.#bytes.length; this.#at++) {
      const byte = this.#bytes[this.#at] as number;
      if (byte === 0x22 || byte === 0x5c || byte < 0x20) break;
      if (byte > 0x7f) ascii = false;
    }
    if (ascii) return this.#bytes.toString('latin1', start, this.#at);
    try {
      return this.#decoder.decode(this.#bytes.subarray(start, this.#at));
    } catch {
      throw new JsonSyntaxError('a string is not UTF-8', start);
    }
  }

  #escape(): string {
    const kind = this.#bytes[this.#at + 1];
    if (kind === 0x75) {
      const digits = this.#bytes.toString('latin1', this.#at + 2, this.#at + 6);
      if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.fault('an escape has no four digits');
      this.#at += 6;
      return String.fromCharCode(Number.parseInt(digits, 16));
    }
    const character = escapes.get(kind ?? -1);
    if (character === undefined) throw this.fault('an unknown escape');
    this.#at += 2;
    return character;
  }

  /** A short whole number, as nearly all are; −1, and nothing read, where it is anything else. */
  #index(): number {
    let at = this.#at;
    let value = 0;
    for (; at - this.#at < 15; at++) {
      const digit = (this.#bytes[at] ?? 0) - 0x30;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    const length = at - this.#at;
    const isOther = length === 0 || (length > 1 && this.#bytes[this.#at] === 0x30);
    if (isOther || isWordByte(this.#bytes[at] ?? 0)) return -1;
    this.#at = at;
    return value;
  }

  /** Letters, digits, signs and points; everything that is no string and no structure. */
  #word(): string {
    const start = this.#at;
    let end = start;
    while (end < this.#bytes.length && isWordByte(this.#bytes[end] as number)) end += 1;
    if (end === start) throw this.fault('a value is missing');
    if (end - start > numberLength) throw this.fault(`a number is longer than ${numberLength}`);
    this.#at = end;
    return this.#bytes.toString('latin1', start, end);
  }

  #number(word: string): number | bigint {
    const parts = number.exec(word);
    if (!parts) throw new JsonSyntaxError('no JSON value', this.#at - word.length);
    const isInteger = parts[2] === undefined && parts[3] === undefined && word !== '-0';
    const value = Number(word);
    if (!isInteger) return this.#options.integersOnly ? Number.NaN : value;
    return Number.isSafeInteger(value) ? value : BigInt(word);
  }
}

function isWordByte(byte: number): boolean {
  const isDigit = byte >= 0x30 && byte <= 0x39;
  const letter = byte | 0x20;
  const isLetter = letter >= 0x61 && letter <= 0x7a;
  return isDigit || isLetter || byte === 0x2b || byte === 0x2d || byte === 0x2e;
}

/** No half of a surrogate pair stands alone. */
function isWellFormed(text: string): boolean {
  // String.prototype.isWellFormed is younger than the language level that this is compiled for.
  return !/[\ud800-\udfff]/.test(text) || !/\p{Surrogate}/u.test(text);
}
