/** Where items say that they lie, compared with the files that are there: slices tile their file. */
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeReason } from '../../sources/safe-join.ts';
import type { SourceFile } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import type { DcpSlice } from './metadata.ts';

/** A slice whose bytes are there. */
export interface PlacedSlice {
  readonly slice: DcpSlice;
  readonly file: SourceFile;
}

export interface SliceCheck {
  /** In the order of the files, so that reading them goes forwards. */
  readonly placed: readonly PlacedSlice[];
  /** Files that the metadata names and that are there. */
  readonly files: readonly SourceFile[];
  /** Every slice lies in a file that has its bytes. */
  readonly isWhole: boolean;
  readonly problems: readonly Problem[];
}

/** The files of one distributed checkpoint. */
export interface DcpFolder {
  /** With its slash, or empty: where its files lie in the source. */
  readonly folder: string;
  readonly metadata: SourceFile;
  /** Files of the source. */
  readonly files: readonly SourceFile[];
}

/** Compares all slices with the files. */
export function checkSlices(slices: readonly DcpSlice[], of: DcpFolder): SliceCheck {
  const problems = new ProblemList();
  const byName = new Map(of.files.map((file) => [file.name, file]));
  const placed: PlacedSlice[] = [];
  const files: SourceFile[] = [];
  let isWhole = true;
  for (const [name, own] of byFile(slices)) {
    const reason = escapeReason(name) ?? (name.includes('/') ? 'it names a folder' : null);
    const file = reason === null ? byName.get(of.folder + name) : undefined;
    if (reason !== null) problems.add(pathEscape(of.metadata, name, reason));
    else if (!file) problems.add(missing(of, name, own.length));
    isWhole = isWhole && file !== undefined;
    if (!file) continue;
    files.push(file);
    const inside = checkFile(file, own, problems);
    isWhole = isWhole && inside.length === own.length;
    for (const slice of inside) placed.push({ slice, file });
  }
  return { placed, files, isWhole, problems: problems.toArray() };
}

function byFile(slices: readonly DcpSlice[]): [string, DcpSlice[]][] {
  const files = new Map<string, DcpSlice[]>();
  for (const slice of slices) {
    const own = files.get(slice.file);
    if (own) own.push(slice);
    else files.set(slice.file, [slice]);
  }
  for (const own of files.values()) own.sort((a, b) => a.offset - b.offset || a.length - b.length);
  return [...files].sort(([a], [b]) => (a < b ? -1 : 1));
}

function pathEscape(metadata: SourceFile, name: string, reason: string): Problem {
  const message = `it points to ${JSON.stringify(name)}, which was not opened: ${reason}`;
  return { rule: 'path-escape', kind: 'security', file: metadata.name, message };
}

function missing({ folder }: DcpFolder, name: string, items: number): Problem {
  const message = `the metadata places ${items} items in this file, which is not there`;
  return { rule: 'shard-missing', kind: 'damage', file: folder + name, message };
}

/**
 * Slices inside the file that share no bytes: what overlaps is read once, however often it is named.
 * The first thing that is wrong between them is told.
 */
function checkFile(
  file: SourceFile,
  slices: readonly DcpSlice[],
  problems: ProblemList,
): DcpSlice[] {
  const outside = slices.find(({ offset, length }) => offset + length > file.sizeBytes);
  if (outside) problems.add({ ...cut(file, outside), kind: 'damage', file: file.name });
  const kept: DcpSlice[] = [];
  let end = 0;
  let isTold = outside !== undefined;
  for (const slice of slices) {
    const { offset, length } = slice;
    if (offset + length > file.sizeBytes) continue;
    if (offset !== end && !isTold) problems.add({ ...misplaced(slice, end), file: file.name });
    isTold = isTold || offset !== end;
    if (offset < end) continue;
    kept.push(slice);
    end = offset + length;
  }
  if (end < file.sizeBytes && !isTold) {
    const message = `${file.sizeBytes - end} bytes follow the last item: another save wrote them`;
    problems.add({ rule: 'trailing-bytes', kind: 'damage', file: file.name, offset: end, message });
  }
  return kept;
}

function misplaced({ name, offset }: DcpSlice, end: number): Omit<Problem, 'file'> {
  if (offset > end) {
    const message = `${offset - end} bytes before it belong to no item`;
    return { rule: 'bytes-unclaimed', kind: 'damage', offset: end, tensor: name, message };
  }
  const message = 'its bytes begin inside those of another item';
  return { rule: 'tensor-overlap', kind: 'damage', offset, tensor: name, message };
}

function cut({ sizeBytes }: SourceFile, { name, offset, length }: DcpSlice) {
  const rule =
    offset <= sizeBytes ? ('file-truncated' as const) : ('tensor-out-of-bounds' as const);
  const message = `its bytes ${offset} to ${offset + length} are past the end at ${sizeBytes}`;
  return { rule, offset: sizeBytes, tensor: name, message };
}
