/**
 * Names inside an archive: one folder for all of them, each name once, none that points elsewhere.
 */
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeReason } from '../../sources/safe-join.ts';
import { escapeText } from '../pickle/preview.ts';
import type { DirectoryEntry } from './directory.ts';

export interface NamedEntries {
  /** The folder that all members share, without its slash; empty where they need not. */
  readonly prefix: string;
  /** Entries by their name below the folder, in the order of the directory. */
  readonly entries: ReadonlyMap<string, DirectoryEntry>;
  readonly problems: readonly Problem[];
  /** Two readers could open different bytes under one name. */
  readonly ambiguous: boolean;
}

const shownCharacters = 200;

function shown(name: string): string {
  return escapeText(name.slice(0, shownCharacters));
}

function security(
  rule: 'path-escape' | 'duplicate-name' | 'ambiguous-archive',
  entry: DirectoryEntry,
  parts: { file: string; message: string },
): Problem {
  return { rule, kind: 'security', offset: entry.offset, ...parts };
}

/** Names that a careless file system takes for the same. */
function folded(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/')
    .toLowerCase();
}

/** The folder of `data.pkl`, or of the first member where there is none. */
function folderOf(entries: readonly DirectoryEntry[]): string {
  const pickle = entries.find(({ fullName }) => /^[^/]+\/data\.pkl$/.test(fullName));
  const first = pickle ?? entries[0];
  return first?.fullName.split('/', 1)[0] ?? '';
}

/** `shared`: all members lie in one folder, as torch writes them; `none`: they lie where they like. */
export type ArchiveFolder = 'shared' | 'none';

/** Sorts out the names. Entries whose name is refused are left out. */
export function nameEntries(
  file: string,
  entries: readonly DirectoryEntry[],
  folder: ArchiveFolder,
): NamedEntries {
  const prefix = folder === 'shared' ? folderOf(entries) : '';
  const below = folder === 'shared' ? `${prefix}/` : '';
  const named = new Map<string, DirectoryEntry>();
  const seen = new Set<string>();
  const problems: Problem[] = [];
  let ambiguous = false;
  for (const entry of entries) {
    const { fullName } = entry;
    const reason = escapeReason(fullName);
    if (reason !== null) {
      const message = `the member '${shown(fullName)}' has a name that points elsewhere: ${reason}`;
      problems.push(security('path-escape', entry, { file, message }));
      continue;
    }
    if (!fullName.startsWith(below)) {
      const where = `outside '${shown(prefix)}': two archives in one`;
      const message = `the member '${shown(fullName)}' lies ${where}`;
      problems.push(security('ambiguous-archive', entry, { file, message }));
      continue;
    }
    const name = fullName.slice(below.length);
    // TorchScript's sources may differ by case only; tensors and pickles never do.
    // Arrays of one archive may: their names are a program's own.
    const caseTells = folder === 'none' || name.startsWith('code/');
    const fold = caseTells ? name : folded(name);
    if (seen.has(fold)) {
      const message =
        `two members are called '${shown(fullName)}': ` + 'readers disagree which one counts';
      problems.push(security('duplicate-name', entry, { file, message }));
      ambiguous = true;
      continue;
    }
    seen.add(fold);
    named.set(name, entry);
  }
  return { prefix, entries: named, problems, ambiguous };
}
