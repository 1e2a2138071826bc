/**
 * JSON as bytes, read by the letter. `JSON.parse` rounds integers, keeps the last of two equal names
 * and knows no limits; here integers are exact, duplicates are told, and depth and size are bounded.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import { JsonScanner, JsonSyntaxError } from './json-scanner.ts';

/** Objects are maps: a name such as `__proto__` is a name like any other. */
export type JsonValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly JsonValue[]
  | JsonObject;

export type JsonObject = ReadonlyMap<string, JsonValue>;

export interface JsonOptions {
  /** File, for the error that names a limit. */
  readonly where: string;
  /** Containers inside containers; the outermost is 1. */
  readonly maxDepth: number;
  /** Values of any kind. */
  readonly maxValues?: number;
  /** Bytes of memory that all values together may take, roughly; default 400 MiB. */
  readonly maxMemory?: number;
  /** Numbers that are not written as integers are NaN, so that 4.0 is not 4. */
  readonly integersOnly?: boolean;
  /** NaN, Infinity and -Infinity, as Python writes them. */
  readonly allowNonFinite?: boolean;
}

export interface DuplicateName {
  readonly name: string;
  /** Names of the objects around it, outermost first. */
  readonly path: readonly string[];
  /** Byte of the second occurrence. */
  readonly offset: number;
}

export interface JsonDocument {
  readonly ok: true;
  readonly value: JsonValue;
  /** The first hundred; the value holds what came last. */
  readonly duplicates: readonly DuplicateName[];
  /** Where each name of the outermost object begins, in the order of that map. */
  readonly offsets: readonly number[];
}

export interface JsonFault {
  readonly ok: false;
  readonly offset: number;
  readonly message: string;
}

/** Values that one document may hold: a checkpoint has millions of elements, not of names. */
const defaultValues = 10_000_000;

/**
 * Memory of all values together, in bytes, roughly: `{}` takes two bytes of a text and a hundred times
 * as much when it is read. The header of half a million tensors takes about 350 MB.
 */
const memoryMost = 400 * 1024 * 1024;

const mapBytes = 256;
const listBytes = 64;
const itemBytes = 16;
const nameBytes = 80;

/** Names of one object: a larger map is slow to fill, and no checkpoint has as many tensors. */
const namesMost = 2_000_000;

const duplicatesKept = 100;

/**
 * Reads one document; only white space may follow it.
 * @throws LaikaError `limit-exceeded` when it is nested deeper or holds more values than allowed.
 */
export function readStrictJson(bytes: Uint8Array, options: JsonOptions): JsonDocument | JsonFault {
  try {
    return new DocumentReader(bytes, options).read();
  } catch (error) {
    if (error instanceof JsonSyntaxError) {
      return { ok: false, offset: error.offset, message: error.message };
    }
    throw error;
  }
}

/** A number as a double; null for anything that is no number. Unsafe integers are rounded. */
export function toDouble(value: JsonValue | undefined): number | null {
  if (typeof value === 'bigint') return Number(value);
  return typeof value === 'number' ? value : null;
}

/** Narrows to an object. */
export function isJsonObject(value: JsonValue | undefined): value is JsonObject {
  return value instanceof Map;
}

interface Open {
  readonly items: JsonValue[] | Map<string, JsonValue>;
  /** Name that the next value gets, in an object. */
  name: string;
}

/** An explicit stack instead of recursion: depth costs memory that `maxDepth` bounds. */
class DocumentReader {
  readonly #scanner: JsonScanner;
  readonly #options: JsonOptions;
  readonly #stack: Open[] = [];
  readonly #duplicates: DuplicateName[] = [];
  readonly #offsets: number[] = [];
  #values = 0;
  #memory = 0;

  constructor(bytes: Uint8Array, options: JsonOptions) {
    this.#scanner = new JsonScanner(bytes, {
      integersOnly: options.integersOnly ?? false,
      allowNonFinite: options.allowNonFinite ?? false,
    });
    this.#options = options;
  }

  read(): JsonDocument {
    for (;;) {
      const done = this.#readValue();
      if (done === undefined) continue;
      this.#scanner.expectEnd();
      const { value } = done;
      return { ok: true, value, duplicates: this.#duplicates, offsets: this.#offsets };
    }
  }

  /** Reads a scalar, or opens a container; returns the document when that closed the outermost. */
  #readValue(): { value: JsonValue } | undefined {
    const byte = this.#scanner.peek();
    this.#count();
    if (byte === openBrace || byte === openBracket) {
      this.#scanner.skip();
      return this.#open(byte === openBrace ? new Map() : []);
    }
    const value = this.#scanner.scalar();
    if (typeof value === 'string') this.#keep(value.length);
    return this.#place(value);
  }

  #open(items: Open['items']): { value: JsonValue } | undefined {
    if (this.#stack.length >= this.#options.maxDepth) {
      throw this.#limit(`nested deeper than ${this.#options.maxDepth}`);
    }
    this.#keep(items instanceof Map ? mapBytes : listBytes);
    const container = { items, name: '' };
    this.#stack.push(container);
    if (this.#scanner.peek() === closeOf(items)) {
      this.#scanner.skip();
      this.#stack.pop();
      return this.#place(items);
    }
    if (items instanceof Map) this.#readName(container, items);
    return undefined;
  }

  /** Puts a finished value into its container, and every container that ends with it into the next. */
  #place(finished: JsonValue): { value: JsonValue } | undefined {
    for (let value = finished; ; ) {
      const top = this.#stack.at(-1);
      if (!top) return { value };
      if (top.items instanceof Map) top.items.set(top.name, value);
      else top.items.push(value);
      const byte = this.#scanner.peek();
      const ends = byte === closeOf(top.items);
      if (!ends && byte !== comma) throw this.#scanner.fault('a comma is missing');
      this.#scanner.skip();
      if (!ends) {
        if (top.items instanceof Map) this.#readName(top, top.items);
        return undefined;
      }
      this.#stack.pop();
      value = top.items;
    }
  }

  #readName(top: Open, items: ReadonlyMap<string, JsonValue>): void {
    if (this.#scanner.peek() !== quote) throw this.#scanner.fault('a name is missing');
    const offset = this.#scanner.position;
    this.#count();
    top.name = this.#scanner.string();
    this.#keep(nameBytes + top.name.length);
    if (items.size >= namesMost) throw this.#limit(`more than ${namesMost} names in one object`);
    if (items.has(top.name)) this.#duplicate(top.name, offset);
    else if (this.#stack.length === 1) this.#offsets.push(offset);
    if (this.#scanner.peek() !== colon) throw this.#scanner.fault('a colon is missing');
    this.#scanner.skip();
  }

  #duplicate(name: string, offset: number): void {
    if (this.#duplicates.length >= duplicatesKept) return;
    const path = this.#stack.slice(0, -1).map((open) => open.name);
    this.#duplicates.push({ name, path, offset });
  }

  #count(): void {
    this.#values += 1;
    const most = this.#options.maxValues ?? defaultValues;
    if (this.#values > most) throw this.#limit(`more than ${most} values`);
    this.#keep(itemBytes);
  }

  #keep(bytes: number): void {
    this.#memory += bytes;
    const most = this.#options.maxMemory ?? memoryMost;
    if (this.#memory > most) throw this.#limit(`more than ${most} bytes of memory`);
  }

  #limit(why: string): LaikaError {
    return new LaikaError({
      code: 'limit-exceeded',
      what: 'The JSON text passes a limit',
      where: this.#options.where,
      why,
    });
  }
}

function closeOf(items: Open['items']): number {
  return items instanceof Map ? closeBrace : closeBracket;
}

const quote = 0x22;
const comma = 0x2c;
const colon = 0x3a;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;
