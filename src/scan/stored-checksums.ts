/** The checksums that files carry: sweeps compute most of them in passing, the rest is read here. */
import type { StoredChecksum } from '../checkpoint/checkpoint.ts';
import { isLaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { coveredChecksum } from '../engines/covered-checksum.ts';
import { checksumKey } from '../engines/engine.ts';
import { isCyclic, storedForm } from '../records/crc.ts';
import type { Source } from '../sources/source.ts';
import { type Checksum, compareChecksum, readChecksum } from './checksums.ts';
import type { PairEnds } from './scan.ts';

type Origin = 'base' | 'head';

export class StoredChecksums {
  readonly #ends: PairEnds;
  /** Cyclic checksums that sweeps computed in passing, not masked. */
  readonly #crcs = new Map<string, number>();
  /** Checksums of the base over bytes that a ledger vouches for. */
  readonly #vouched = new Set<string>();
  readonly #undecoded: Readonly<Record<Origin, Problem[]>> = { head: [], base: [] };

  constructor(ends: PairEnds) {
    this.#ends = ends;
  }

  /** Keeps what a sweep computed. */
  keep(crcs: ReadonlyMap<string, number>): void {
    for (const [key, value] of crcs) this.#crcs.set(key, value);
  }

  /** A ledger knows the bytes of this tensor of the base: they are not read for their checksum. */
  vouch(tensor: Tensor): void {
    const covered = coveredChecksum(tensor, this.#ends.base?.checkpoint.checksums ?? []);
    if (covered) this.#vouched.add(checksumKey('base', covered));
  }

  /** Keeps the damage that an error of a reader tells: bytes do not decode. False: another error. */
  takeDamage(error: unknown): boolean {
    if (!isLaikaError(error, 'bytes-damaged') || !error.details.bytes) return false;
    const { bytes, what, why } = error.details;
    const { path, file, offset } = bytes;
    const origin = path === this.#ends.head.source.path ? 'head' : 'base';
    const message = `${what}: ${why}`;
    const problem = { rule: 'encoding-invalid', kind: 'damage', file, offset, message } as const;
    this.#undecoded[origin].push(problem);
    return true;
  }

  /** What all checksums of one end show. `onRead` is told what had to be read for it alone. */
  async problems(origin: Origin, onRead: (bytes: number) => void): Promise<Problem[]> {
    const end = this.#ends[origin];
    if (!end) return [];
    const found: Problem[] = [];
    for (const stored of end.checkpoint.checksums) {
      const key = checksumKey(origin, stored);
      if (this.#vouched.has(key)) continue;
      let value = this.#computed(key, stored);
      if (value === null) {
        value = await this.#read(end.source, stored);
        onRead(stored.length);
      }
      const problem = value === null ? null : compareChecksum(end.checkpoint, stored, value);
      if (problem) found.push(problem);
    }
    return [...withoutRepeats(this.#undecoded[origin]), ...found];
  }

  /** Null: no sweep computed it. */
  #computed(key: string, stored: StoredChecksum): Checksum | null {
    if (!isCyclic(stored)) return null;
    const value = this.#crcs.get(key);
    return value === undefined ? null : storedForm(stored, value);
  }

  /** Null: the bytes that it covers do not decode, which is kept. */
  async #read(source: Source, stored: StoredChecksum): Promise<Checksum | null> {
    try {
      return await readChecksum(source, stored);
    } catch (error) {
      if (!this.takeDamage(error)) throw error;
      return null;
    }
  }
}

/** One chunk may be read by several sweeps. */
function withoutRepeats(problems: readonly Problem[]): Problem[] {
  return [...new Map(problems.map((each) => [`${each.file}\0${each.offset}`, each])).values()];
}
