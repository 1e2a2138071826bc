/** A checkpoint in memory: a million mutated copies need not touch a disk. */
import { LaikaError } from '../../src/checkpoint/errors.ts';
import { safeJoin } from '../../src/sources/safe-join.ts';
import type { Source, SourceFile } from '../../src/sources/source.ts';

export type Files = ReadonlyMap<string, Uint8Array>;

/** Bytes that are the same object are the same file; hashing them would cost more than reading. */
const identities = new WeakMap<Uint8Array, string>();
let seen = 0;

function identityOf(bytes: Uint8Array): string {
  const known = identities.get(bytes) ?? String(++seen);
  identities.set(bytes, known);
  return known;
}

export class MemorySource implements Source {
  readonly path = 'memory';
  readonly isFile: boolean;
  readonly #files: Files;

  /** `isFile`: the only entry is the checkpoint; else they are the files of a folder. */
  constructor(files: Files, isFile: boolean) {
    this.#files = files;
    this.isFile = isFile;
  }

  async list(): Promise<readonly SourceFile[]> {
    return [...this.#files.keys()].sort().map((name) => this.#describe(name) as SourceFile);
  }

  async stat(file: string): Promise<SourceFile | null> {
    this.#check(file);
    return this.#describe(file);
  }

  async read(file: string, offset: number, into: Uint8Array): Promise<void> {
    this.#check(file);
    const bytes = this.#files.get(file);
    if (!bytes || offset < 0 || offset + into.length > bytes.length) {
      const code = bytes ? 'changed-while-reading' : 'path-missing';
      throw new LaikaError({ code, what: 'There are no such bytes', where: file });
    }
    into.set(bytes.subarray(offset, offset + into.length));
  }

  localPath(): null {
    return null;
  }

  async close(): Promise<void> {}

  /** As the local source does: names from files never leave the folder. */
  #check(file: string): void {
    if (!this.isFile) safeJoin('/memory', file);
  }

  #describe(name: string): SourceFile | null {
    const bytes = this.#files.get(name);
    if (!bytes) return null;
    return { name, sizeBytes: bytes.length, identity: identityOf(bytes) };
  }
}
