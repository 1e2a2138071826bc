/**
 * A pickle machine that builds a description instead of objects. It has CPython's stacks and memo
 * and none of its powers: a name stays a name, a call becomes data, and the ledger writes down
 * both.
 */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { ByteReader } from './byte-reader.ts';
import { CallLedger } from './call-ledger.ts';
import type { Constructor } from './construct.ts';
import { PickleFault } from './fault.ts';
import { maxMemoEntries, maxMemoryBytes, maxStackDepth } from './limits.ts';
import { bytesOf, copyBytes, entryBytes, itemBytes, tableBytes } from './memory.ts';
import { isDict, isObject, isTagged, type PicklePersistent, type PickleValue } from './values.ts';

export class Machine implements Constructor {
  readonly reader: ByteReader;
  readonly ledger = new CallLedger();
  /** Offset of the opcode that runs. */
  offset = 0;
  readonly #where: string;
  readonly #stack: PickleValue[] = [];
  /** Heights of the stack at each open MARK: nothing below the last one may be taken. */
  readonly #marks: number[] = [];
  /** Pickles number what they remember from 0 on. */
  readonly #memo: PickleValue[] = [];
  /** What is remembered under an index past those: a file may name 2^32 − 1. */
  readonly #farMemo = new Map<number, PickleValue>();
  /** References to what lies outside of the pickle, in the order in which they were met. */
  readonly persistents: PicklePersistent[] = [];
  /** Streams inside the pickle that loading it would load, with the offset of the call. */
  readonly nested = new Map<Uint8Array, number>();
  readonly #memoryMost: number;
  #memory = 0;

  /** `memoryBytes`: what all values together may take. */
  constructor(reader: ByteReader, where: string, memoryBytes = maxMemoryBytes) {
    this.reader = reader;
    this.#where = where;
    this.#memoryMost = memoryBytes;
  }

  get height(): number {
    return this.#stack.length;
  }

  get openMarks(): number {
    return this.#marks.length;
  }

  /** A value that was just made; what is only met again goes back by `recall`. */
  push(value: PickleValue): void {
    this.#keep(bytesOf(value));
    this.#put(value);
  }

  #put(value: PickleValue): void {
    if (this.#stack.length >= maxStackDepth) this.limit(`${maxStackDepth} values on its stack`);
    this.#stack.push(value);
  }

  pop(): PickleValue {
    if (this.#stack.length <= this.#fence()) this.fault('a value is taken from an empty stack');
    return this.#stack.pop() as PickleValue;
  }

  top(): PickleValue {
    if (this.#stack.length <= this.#fence()) this.fault('the stack is empty');
    return this.#stack.at(-1) as PickleValue;
  }

  mark(): void {
    if (this.#marks.length >= maxStackDepth) this.limit(`${maxStackDepth} open marks`);
    this.#marks.push(this.#stack.length);
  }

  /** Takes everything above the last MARK, and the MARK. */
  popMark(): PickleValue[] {
    const height = this.#marks.pop();
    if (height === undefined) this.fault('a mark is missing');
    return this.#stack.splice(height);
  }

  /** POP takes the MARK itself where nothing lies above it. */
  discard(): void {
    if (this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
    else this.pop();
  }

  remember(index: number | bigint | null): void {
    if (typeof index !== 'number' || index < 0) this.fault('a memo index that is no index');
    const value = this.top();
    if (index < this.#memo.length) {
      this.#memo[index] = value;
      return;
    }
    if (this.#memoSize >= maxMemoEntries) this.limit(`${maxMemoEntries} remembered values`);
    const isNext = index === this.#memo.length;
    this.#keep(isNext ? itemBytes : entryBytes);
    if (isNext) {
      this.#memo.push(value);
      this.#farMemo.delete(index);
    } else {
      this.#farMemo.set(index, value);
    }
  }

  memoize(): void {
    this.remember(this.#memoSize);
  }

  recall(index: number | bigint | null): void {
    const near = typeof index === 'number' ? this.#memo[index] : undefined;
    const value = near === undefined ? this.#farMemo.get(index as number) : near;
    if (value === undefined) this.fault(`value ${index} was never remembered`);
    this.#put(value);
  }

  appendTo(target: PickleValue, items: readonly PickleValue[]): void {
    this.#keep(items.length * itemBytes);
    if (isTagged(target) && (target.kind === 'list' || target.kind === 'set')) {
      for (const item of items) target.items.push(item);
    } else if (isObject(target)) {
      target.items ??= [];
      for (const item of items) target.items.push(item);
    } else {
      this.fault('items are appended to something that is no list');
    }
  }

  setItems(target: PickleValue, items: readonly PickleValue[]): void {
    if (items.length % 2 !== 0) this.fault('a key without a value');
    if (!isDict(target) && !isObject(target)) {
      this.fault('items are set in something that is no dictionary');
    }
    if (isObject(target)) target.entries ??= new Map();
    const entries = target.entries as Map<PickleValue, PickleValue>;
    const before = tableBytes(entries.size);
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i] as PickleValue;
      if (isTagged(key) && (key.kind === 'list' || key.kind === 'dict' || key.kind === 'set')) {
        this.fault(`a ${key.kind} is used as a key`);
      }
      entries.set(key, items[i + 1] as PickleValue);
    }
    this.#keep(tableBytes(entries.size) - before);
  }

  /** BUILD: attributes for the value below. */
  setState(target: PickleValue, state: PickleValue): void {
    if (!isDict(target) && !isObject(target)) this.fault('attributes are set on a plain value');
    // A second BUILD adds to the first; both are kept, so that nothing can hide in the first.
    const before = target.state;
    if (before !== undefined) this.#keep(entryBytes);
    target.state = before === undefined ? state : { kind: 'tuple', items: [before, state] };
  }

  nest(stream: Uint8Array): void {
    this.spend(1);
    if (!this.nested.has(stream)) this.nested.set(stream, this.offset);
  }

  refer(id: PickleValue): void {
    const reference: PicklePersistent = { kind: 'persistent', id, offset: this.offset };
    this.persistents.push(reference);
    this.push(reference);
  }

  spend(values: number): void {
    this.#keep(values * copyBytes);
  }

  fault(message: string): never {
    throw new PickleFault(message);
  }

  limit(what: string): never {
    throw pickleLimit(this.#where, `its pickle asks for more than ${what}`);
  }

  #keep(bytes: number): void {
    this.#memory += bytes;
    if (!(this.#memory <= this.#memoryMost)) {
      this.limit(`${Math.max(0, this.#memoryMost)} bytes of memory`);
    }
  }

  get #memoSize(): number {
    return this.#memo.length + this.#farMemo.size;
  }

  #fence(): number {
    return this.#marks.at(-1) ?? 0;
  }
}

/** `limit-exceeded`, in a pickle's words. */
export function pickleLimit(where: string, why: string): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: 'The checkpoint passes a limit of what Laika reads',
    where,
    why,
    next: 'if a framework you trust wrote this file, report it with the framework and its version',
  });
}
