/**
 * What is kept of a checkpoint that was read and trusted: the numbers and the digest table of its
 * large tensors. As the base of the next one it need not be read where that one still holds the
 * same pages, nor be summarised again. A ledger can be lost without harm: then the base is read.
 */
import { pageBytes } from './grid.ts';
import type { SummaryRecord } from './summary.ts';

/** Logical bytes of the smallest tensor kept: below, the record weighs as much as reading again. */
export const ledgerTensorBytes = pageBytes;

export interface Ledger {
  /** The record of the tensor of this name with its digest table; null where none was kept. */
  recall(name: string): SummaryRecord | null;
  close(): void;
}

/** A ledger in the making; ends with `keep` or `drop`. */
export interface LedgerWriter {
  add(name: string, record: SummaryRecord): void;
  keep(): void;
  drop(): void;
}

/** Ledgers of one run by what their checkpoint's files were: other files find none. */
export interface Ledgers {
  open(identity: string): Ledger | null;
  write(identity: string): LedgerWriter;
}

/** Bytes of digest tables that one ledger in memory may hold: those of 16 GiB. */
const memoryBytesMax = 32 * 1024 * 1024;

/** Ledgers kept: of the base, and of the one before, which a pair may be judged with once more. */
export const ledgersKept = 2;

/** In memory, for one walk through a run. */
export class MemoryLedgers implements Ledgers {
  readonly #kept = new Map<string, ReadonlyMap<string, SummaryRecord>>();

  open(identity: string): Ledger | null {
    const records = this.#kept.get(identity);
    return records ? { recall: (name) => records.get(name) ?? null, close: () => {} } : null;
  }

  write(identity: string): LedgerWriter {
    const records = new Map<string, SummaryRecord>();
    let bytes = 0;
    return {
      add: (name, record) => {
        if (bytes + record.digests.byteLength > memoryBytesMax) return;
        bytes += record.digests.byteLength;
        records.set(name, record);
      },
      keep: () => {
        this.#kept.delete(identity);
        this.#kept.set(identity, records);
        const [oldest] = this.#kept.keys();
        if (this.#kept.size > ledgersKept && oldest !== undefined) this.#kept.delete(oldest);
      },
      drop: () => {},
    };
  }
}
