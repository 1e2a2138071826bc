/** Which ledgers a judgement reads and writes, and when what they say is not believed. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { Ledger, Ledgers, LedgerWriter } from '../records/ledger.ts';
import type { Opened } from '../scan/scan.ts';
import { isTrusted } from './decide.ts';
import type { Result } from './result.ts';
import type { Scanned } from './scan-with-base.ts';

export interface Kept {
  /** What was read of the base when it was judged; null where nothing is known of it. */
  readonly ledger: Ledger | null;
  /** False: all of the base is read, and compared with what the ledger says. */
  readonly isBelieved: boolean;
  /** Takes what is to be kept of the head. */
  readonly writer: LedgerWriter | null;
}

/**
 * Judges with what is kept of the base, and keeps of the head what may be trusted. What would page
 * somebody is judged once more, from all bytes of both: a base that rotted since is not the head's
 * fault.
 */
export async function judgeWithKept<
  Judged extends { readonly result: Result; readonly scanned: Scanned },
>(
  ends: { readonly head: Opened; readonly base: Opened | null },
  ledgers: Ledgers | undefined,
  judge: (kept: Kept) => Promise<Judged>,
): Promise<Judged> {
  if (!ledgers) return judge({ ledger: null, isBelieved: false, writer: null });
  const ledger = ends.base ? ledgers.open(identityOf(ends.base.checkpoint)) : null;
  const writer = ledgers.write(identityOf(ends.head.checkpoint));
  let isKept = false;
  try {
    let judged = await judge({ ledger, isBelieved: true, writer });
    if (ledger && isDoubtful(judged))
      judged = await judge({ ledger, isBelieved: false, writer: null });
    isKept = isTrusted(judged.result.verdict ?? 'unverified');
    return judged;
  } finally {
    ledger?.close();
    if (isKept) writer.keep();
    else writer.drop();
  }
}

/** Would it page somebody, or is the base not what it was? */
function isDoubtful({ result: { verdict }, scanned }: { result: Result; scanned: Scanned }) {
  return verdict === 'corrupt' || verdict === 'suspect' || scanned.outcome.isBaseAltered;
}

/** Changes when any of the files does. */
function identityOf({ path, files }: Checkpoint): string {
  return JSON.stringify([path, files.map(({ name, identity }) => [name, identity])]);
}
