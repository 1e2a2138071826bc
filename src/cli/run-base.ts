/** A run folder as the thing to validate: its newest checkpoint, and the one to judge it against. */
import { existsSync } from 'node:fs';
import { LaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import { type FoundCheckpoint, findCheckpoints, isRunFolder } from '../formats/find-checkpoints.ts';
import { runMarkerProblems } from '../formats/run-markers.ts';
import { databasePath } from '../history/state-folder.ts';
import { escapeText } from '../report/escape.ts';
import { openPath } from '../sources/open-path.ts';
import { absolutePath } from '../sources/source-path.ts';
import { systemClock } from '../watch/system-clock.ts';
import type { Checked } from './judge-with-flags.ts';
import { stateFolder } from './state-folder.ts';

/** The last checkpoint of this run that a watcher trusted and that is still the same file. */
async function lastTrusted(
  run: string,
  state: string,
  there: readonly FoundCheckpoint[],
): Promise<string | null> {
  if (!existsSync(databasePath(state))) return null;
  // Its database is loaded where there is one to look into.
  const { History } = await import('../history/history.ts');
  const history = History.open(state, { clock: systemClock, readOnly: true });
  try {
    const paths = new Map(there.map(({ identity, path }) => [identity, path]));
    const rows = history.trusted(absolutePath(run), { before: null, limit: 64 });
    const row = rows.find(({ identity }) => paths.has(identity));
    return row ? (paths.get(row.identity) ?? null) : null;
  } finally {
    history.close();
  }
}

/** What is newer than the one that is judged, and says nothing yet: being written, or torn. */
function tellSkipped(newer: readonly FoundCheckpoint[]): void {
  for (const { path } of newer) {
    process.stderr.write(`laika: newer, but not complete: ${escapeText(path, true)}\n`);
  }
}

async function markersOf(run: string): Promise<readonly Problem[]> {
  const source = await openPath(run);
  try {
    return await runMarkerProblems(source);
  } finally {
    await source.close();
  }
}

/**
 * Null where `path` is no run folder. Without a watcher's history the checkpoint before the newest is
 * the base: it is checked against its own checksums like any other.
 * @throws LaikaError `no-checkpoints` when none is complete.
 */
export async function chooseBase(
  path: string,
  stateDir: string | undefined,
): Promise<Checked | null> {
  if (!(await isRunFolder(path))) return null;
  const found = await findCheckpoints(path);
  const complete = found.filter((each) => each.complete);
  const head = complete.at(-1);
  if (!head) {
    throw new LaikaError({
      code: 'no-checkpoints',
      what: 'no complete checkpoint in this folder',
      where: path,
      next: 'name one checkpoint, or wait until the trainer has written one',
    });
  }
  tellSkipped(found.slice(found.lastIndexOf(head) + 1));
  const earlier = complete.slice(0, -1);
  const trusted = await lastTrusted(path, stateFolder(stateDir), earlier);
  const problems = await markersOf(path);
  return { head: head.path, base: trusted ?? earlier.at(-1)?.path ?? null, problems };
}
