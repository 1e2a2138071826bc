/** Python literals as NumPy writes its headers in: a grammar that holds no call and no name. */

export type PythonLiteral =
  | string
  | bigint
  | boolean
  | null
  | readonly PythonLiteral[]
  | ReadonlyMap<string, PythonLiteral>;

/** The text is no literal; `offset` counts its characters. */
export class LiteralFault extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Headers are three deep: a dictionary, the fields of a structure, their shapes. */
const depthMost = 16;

/** Digits of any number that could count something in a file. */
const digitsMost = 30;

const words: ReadonlyMap<string, boolean | null> = new Map([
  ['True', true],
  ['False', false],
  ['None', null],
]);

const escapes: ReadonlyMap<string, string> = new Map([
  ["'", "'"],
  ['"', '"'],
  ['\\', '\\'],
  ['n', '\n'],
  ['t', '\t'],
  ['r', '\r'],
]);

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): PythonLiteral {
    const value = this.#value(0);
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#fault('text follows the literal');
    return value;
  }

  #fault(message: string): LiteralFault {
    return new LiteralFault(message, this.#at);
  }

  #skipSpace(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#at] ?? '')) this.#at += 1;
  }

  #take(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #value(depth: number): PythonLiteral {
    if (depth > depthMost) throw this.#fault(`it is nested more than ${depthMost} deep`);
    this.#skipSpace();
    const next = this.#text[this.#at] ?? '';
    if (next === "'" || next === '"') return this.#string(next);
    if (this.#take('{')) return this.#dictionary(depth);
    if (this.#take('(')) return this.#items(')', depth);
    if (this.#take('[')) return this.#items(']', depth);
    if (/[-0-9]/.test(next)) return this.#integer();
    return this.#word();
  }

  #word(): boolean | null {
    const [word] = /^[A-Za-z_]\w*/.exec(this.#text.slice(this.#at, this.#at + 64)) ?? [''];
    const value = words.get(word);
    if (value === undefined)
      throw this.#fault(word ? `it holds the name ${word}` : 'a value is missing');
    this.#at += word.length;
    return value;
  }

  #integer(): bigint {
    const window = this.#text.slice(this.#at, this.#at + digitsMost + 2);
    // Python 2 wrote long integers with an L.
    const found = /^(-?[0-9]+)L?(?![\w.])/.exec(window);
    if (!found || (found[1] as string).length > digitsMost)
      throw this.#fault('it holds no whole number');
    this.#at += found[0].length;
    return BigInt(found[1] as string);
  }

  #string(quote: string): string {
    this.#at += 1;
    let value = '';
    for (;;) {
      const character = this.#text[this.#at];
      if (character === undefined || character === '\n') throw this.#fault('a string has no end');
      this.#at += 1;
      if (character === quote) return value;
      if (character === '\\') value += this.#escape();
      else value += character;
    }
  }

  #escape(): string {
    const character = this.#text[this.#at] ?? '';
    const plain = escapes.get(character);
    if (plain !== undefined) {
      this.#at += 1;
      return plain;
    }
    const found = /^(?:x([0-9a-f]{2})|u([0-9a-f]{4}))/i.exec(
      this.#text.slice(this.#at, this.#at + 5),
    );
    if (!found) throw this.#fault('a string holds an escape that is not used');
    this.#at += found[0].length;
    return String.fromCharCode(Number.parseInt((found[1] ?? found[2]) as string, 16));
  }

  /** A tuple of one item has a comma, and a value in brackets without one is the value itself. */
  #items(end: ')' | ']', depth: number): PythonLiteral {
    const items: PythonLiteral[] = [];
    let comma = false;
    while (!this.#take(end)) {
      if (items.length > 0 && !comma) throw this.#fault('a comma is missing');
      items.push(this.#value(depth + 1));
      comma = this.#take(',');
    }
    const [only] = items;
    return end === ')' && items.length === 1 && !comma ? (only as PythonLiteral) : items;
  }

  #dictionary(depth: number): ReadonlyMap<string, PythonLiteral> {
    const map = new Map<string, PythonLiteral>();
    let comma = true;
    while (!this.#take('}')) {
      if (!comma) throw this.#fault('a comma is missing');
      const key = this.#value(depth + 1);
      if (typeof key !== 'string') throw this.#fault('a key is no string');
      if (map.has(key)) throw this.#fault(`it holds the key ${JSON.stringify(key)} twice`);
      if (!this.#take(':')) throw this.#fault('a colon is missing');
      map.set(key, this.#value(depth + 1));
      comma = this.#take(',');
    }
    return map;
  }
}

/**
 * Strings, whole numbers, True, False, None, tuples, lists, and dictionaries with strings as keys;
 * nothing else, and nothing is evaluated.
 * @throws LiteralFault where the text is anything else.
 */
export function readPythonLiteral(text: string): PythonLiteral {
  return new Parser(text).whole();
}
