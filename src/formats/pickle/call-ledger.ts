/** Keeps what a pickle names and asks to be called, once for each name. */
import {
  isKnownModule,
  isPlainAttribute,
  namesClass,
  type Standing,
  standingOf,
} from './policy.ts';
import { escapeText, previewArguments } from './preview.ts';
import {
  isGlobal,
  isObject,
  type PickleGlobal,
  type PickleValue,
  qualifiedName,
} from './values.ts';

/** What a reader must know about one name. */
export interface PickleCall {
  /**
   * code: could run something when loaded; class: an object of a class that Laika does not know.
   */
  readonly kind: 'code' | 'class';
  /** Byte of the opcode in the pickle. */
  readonly offset: number;
  /** A sentence, safe to print. */
  readonly message: string;
}

/** Distinct names that are reported; a pickle with more has said enough. */
const maxReported = 100;

/** Characters of a name that are shown. */
const maxShownName = 300;

/** Names whose standing is kept; each can be of 8 kB. */
const maxRemembered = 1000;

interface Entry {
  kind: PickleCall['kind'];
  offset: number;
  message: string;
  called: boolean;
}

export class CallLedger {
  readonly #entries = new Map<string, Entry>();
  /** A pickle names few things, and each of them very often. */
  readonly #standings = new Map<string, Standing>();

  /** Findings in the order in which they were met. */
  calls(): PickleCall[] {
    return [...this.#entries.values()].map(({ kind, offset, message }) => ({
      kind,
      offset,
      message,
    }));
  }

  /** A name was looked up: loading imports its module. */
  meet(global: PickleGlobal): void {
    const standing = this.#standing(global);
    if (standing === 'data') return;
    const name = shownName(global);
    if (standing === 'code') {
      this.#note(name, { kind: 'code', offset: global.offset, message: `names ${name}` });
    } else if (standing === 'class' || (standing === 'function' && !isKnownModule(global.module))) {
      const message = `holds ${name}, which Laika does not know; it was not loaded`;
      this.#note(name, { kind: 'class', offset: global.offset, message });
    }
  }

  /** A name is called with arguments (REDUCE, INST, OBJ). */
  call(callee: PickleGlobal, args: readonly PickleValue[], offset: number): void {
    const standing = this.#standing(callee);
    if (standing === 'data' || standing === 'class') return;
    const name = shownName(callee);
    const message = `asks for ${name}${previewArguments(args)} to be called`;
    this.#note(name, { kind: 'code', offset, message, called: true });
  }

  /** What an attribute or another call returned is called. */
  callResult(callee: PickleValue, args: readonly PickleValue[], offset: number): void {
    const what = `the result of ${describeCallee(callee)}`;
    const message = `asks for ${what} to be called with ${previewArguments(args)}`;
    this.#note(message, { kind: 'code', offset, message, called: true });
  }

  /** getattr of something that is no class, or of a name that leads to code. */
  attribute(base: PickleValue, name: PickleValue, offset: number): void {
    const fromClass = isGlobal(base) ? namesClass(base.name) : isObject(base);
    if (fromClass && typeof name === 'string' && isPlainAttribute(name)) return;
    const message = `asks for getattr${previewArguments([base, name])}`;
    this.#note(message, { kind: 'code', offset, message, called: true });
  }

  /** Anything else that only code would need: copyreg's extension registry. */
  oddity(message: string, offset: number): void {
    this.#note(message, { kind: 'code', offset, message });
  }

  #standing(global: PickleGlobal): Standing {
    const name = qualifiedName(global);
    const known = this.#standings.get(name);
    if (known !== undefined) return known;
    const standing = standingOf(global.module, global.name);
    if (this.#standings.size < maxRemembered) this.#standings.set(name, standing);
    return standing;
  }

  #note(key: string, entry: Omit<Entry, 'called'> & { called?: boolean }): void {
    const known = this.#entries.get(key);
    const next = { called: false, ...entry };
    if (known) {
      // The call says more than the name alone; the first call is the one that is shown.
      if (next.called && !known.called) this.#entries.set(key, next);
      return;
    }
    if (this.#entries.size < maxReported || next.kind === 'code') {
      if (this.#entries.size < 2 * maxReported) this.#entries.set(key, next);
    }
  }
}

function shownName(global: PickleGlobal): string {
  return escapeText(qualifiedName(global).slice(0, maxShownName));
}

function describeCallee(callee: PickleValue): string {
  if (isObject(callee) && isGlobal(callee.callee)) return shownName(callee.callee);
  return 'another call';
}
