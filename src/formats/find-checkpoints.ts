/** A folder of checkpoints as a run: what is in it, oldest first. */
import { createHash } from 'node:crypto';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { openPath } from '../sources/open-path.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { pathInside } from '../sources/source-path.ts';
import type { Format, Sighting } from './format.ts';
import { weightMapOf } from './keras/keras-sharded.ts';
import { isCheckpointName, isEmptyCheckpoint, recognise } from './recognise.ts';
import { parseShardName } from './shard-names.ts';
import { sight } from './sighting.ts';
import { stepInName } from './step-in-name.ts';
import { rankPrefix } from './torch-ranks/rank-files.ts';

export interface FoundCheckpoint {
  /** The run folder as the user gave it, and the name. */
  readonly path: string;
  /** For order: the step inside, or the number in the name. */
  readonly stepHint: number | null;
  /** The layout's completion rule holds. A file that passes a limit is complete: waiting helps nobody. */
  readonly complete: boolean;
  /** Changes when any of its files does. */
  readonly identity: string;
}

const entriesMost = 100_000;

/** Names that writers use until a checkpoint is whole; hidden names too. */
const temporary =
  /^\.|^tmp-checkpoint-|\.tmp[^.]*$|\.(part|partial|incomplete|lock)$|-unfinished$|\.orbax-checkpoint-tmp|_temp(_[0-9a-f]+)?$/;

/**
 * Checkpoints that lie directly in a folder, by step, else by the time of their last write.
 * A candidate that cannot be read is left out or listed as not complete, and stops nothing; one that
 * may not be read and is named like a checkpoint is listed as complete, so that judging it says why.
 * @throws LaikaError `path-missing`, `path-unreadable`, `limit-exceeded` (more than 100,000 entries).
 */
export async function findCheckpoints(runFolder: string): Promise<readonly FoundCheckpoint[]> {
  const found: Dated[] = [];
  const { candidates, unfinished } = await candidatesOf(runFolder);
  for (const [name, files] of candidates) {
    const checkpoint = await examine({ path: pathInside(runFolder, name), name, files });
    if (checkpoint) found.push(unfinished.has(stemOf(name)) ? unready(checkpoint) : checkpoint);
  }
  return inOrder(withoutLinks(found)).map(({ path, stepHint, complete, identity }) => {
    return { path, stepHint, complete, identity };
  });
}

/**
 * True for a folder of checkpoints. One that holds weights beside folders of checkpoints, as a
 * trainer's output folder does at the end, is a run.
 * @throws LaikaError as `findCheckpoints`.
 */
export async function isRunFolder(path: string): Promise<boolean> {
  const source = await openPath(path);
  try {
    if (source.isFile) return false;
    const sighting = await sightOfAll(source);
    const itself = sighting ? recognise(sighting) : null;
    if (sighting && itself?.recognise(sighting) === 'certain') return false;
    for (const [name, files] of (await candidatesOf(path)).candidates) {
      if (itself && !files) continue;
      if (await isCheckpoint(pathInside(path, name), files)) return true;
    }
    return false;
  } finally {
    await source.close();
  }
}

/** Null where a folder below may not be read: a run, if anything, for no checkpoint is whole so. */
async function sightOfAll(source: Source): Promise<Sighting | null> {
  try {
    return await sight(source);
  } catch (error) {
    if (isLaikaError(error, 'path-unreadable') && source.folders) return null;
    throw error;
  }
}

interface Candidates {
  /** Files by name with null, folders by name with the files directly in them. */
  readonly candidates: ReadonlyMap<string, SourceFile[] | null>;
  /** Stems of checkpoints that a marker beside them calls unfinished. */
  readonly unfinished: ReadonlySet<string>;
}

/** NeMo puts an empty file beside a checkpoint, and removes it when the save is done. */
const marker = /-unfinished$/;

/** `model.ckpt` → `model`: the marker is named without the ending. */
function stemOf(name: string): string {
  return name.replace(/(-EMA)?(\.ckpt|\.nemo)?$/, '');
}

function unready(checkpoint: Dated): Dated {
  return { ...checkpoint, complete: false };
}

/** One folder that may not be read, such as `lost+found`, hides nothing but itself. */
async function entriesOf(source: Source): Promise<readonly SourceFile[]> {
  try {
    return await source.list(1);
  } catch (error) {
    if (!source.folders || !isLaikaError(error, 'path-unreadable')) throw error;
  }
  const files = [...(await source.list(0))];
  for (const name of await source.folders()) {
    const folder = await openCandidate(pathInside(source.path, name));
    if (folder) files.push(...(await filesIn(folder, name)));
  }
  return files;
}

async function filesIn(folder: Source, name: string): Promise<SourceFile[]> {
  try {
    return (await folder.list(0)).map((file) => ({ ...file, name: `${name}/${file.name}` }));
  } catch (error) {
    if (isLaikaError(error)) return [];
    throw error;
  } finally {
    await folder.close();
  }
}

async function candidatesOf(runFolder: string): Promise<Candidates> {
  const source = await openPath(runFolder);
  const candidates = new Map<string, SourceFile[] | null>();
  const unfinished = new Set<string>();
  if (source.isFile) return { candidates, unfinished };
  const files = await entriesOf(source);
  if (files.length > entriesMost) {
    throw new LaikaError({
      code: 'limit-exceeded',
      what: `The folder holds more than ${entriesMost} files`,
      where: runFolder,
      next: 'name the folder that holds the checkpoints and nothing else',
    });
  }
  for (const file of files) {
    const slash = file.name.indexOf('/');
    const name = slash < 0 ? file.name : file.name.slice(0, slash);
    if (slash < 0 && marker.test(name)) unfinished.add(stemOf(name.replace(marker, '')));
    if (temporary.test(name)) continue;
    if (slash < 0) {
      // Shards are parts of a checkpoint, each of them opens as a file of its own.
      if (!parseShardName(name)) candidates.set(name, null);
      continue;
    }
    const inside = candidates.get(name) ?? [];
    inside.push({ ...file, name: file.name.slice(slash + 1) });
    candidates.set(name, inside);
  }
  for (const name of (await source.folders?.()) ?? []) {
    // Nothing lies in it directly: only a name that counts says that looking deeper is worth it.
    if (candidates.has(name) || temporary.test(name) || stepInName(name) === null) continue;
    candidates.set(name, []);
  }
  joinRanks(candidates);
  for (const name of candidates.keys()) {
    if (candidates.has(weightMapOf(name) ?? '')) candidates.delete(name);
  }
  await source.close();
  return { candidates, unfinished };
}

/** Files of several ranks under one prefix are one checkpoint: none of them is whole alone. */
function joinRanks(candidates: Map<string, SourceFile[] | null>): void {
  const families = new Map<string, string[]>();
  for (const [name, files] of candidates) {
    const prefix = files === null ? rankPrefix(name) : null;
    if (prefix === null || candidates.has(prefix)) continue;
    const family = families.get(prefix);
    if (family) family.push(name);
    else families.set(prefix, [name]);
  }
  for (const [prefix, names] of families) {
    if (names.length < 2) continue;
    for (const name of names) candidates.delete(name);
    candidates.set(prefix, null);
  }
}

interface Dated extends FoundCheckpoint {
  readonly name: string;
  readonly modifiedMs: number;
}

/** Opens a candidate, or says that it cannot be opened at all. */
async function openCandidate(path: string): Promise<Source | null> {
  try {
    return await openPath(path);
  } catch (error) {
    if (isLaikaError(error)) return null;
    throw error;
  }
}

/**
 * A folder is looked at through the files that are known already, one that holds only folders
 * through theirs; a file through its head.
 */
async function firstSight(source: Source, files: readonly SourceFile[] | null): Promise<Sighting> {
  if (!files) return sight(source);
  const known = files.length > 0 ? files : await source.list(1);
  return { source, files: known, head: new Uint8Array(0) };
}

async function isCheckpoint(path: string, files: readonly SourceFile[] | null): Promise<boolean> {
  const source = await openCandidate(path);
  if (!source) return false;
  try {
    const sighting = await firstSight(source, files);
    return isOfRun(sighting);
  } catch (error) {
    if (isLaikaError(error)) return false;
    throw error;
  } finally {
    await source.close();
  }
}

function isOfRun(sighting: Sighting): boolean {
  const format = recognise(sighting);
  return format ? (format.isOfRun?.(sighting) ?? true) : isEmptyCheckpoint(sighting);
}

interface Candidate {
  readonly path: string;
  readonly name: string;
  readonly files: readonly SourceFile[] | null;
}

/** The storage refuses what its name calls a checkpoint: judging it says so, and waiting helps nobody. */
function unreadable({ path, name }: Candidate, error: unknown): Dated | null {
  if (!isLaikaError(error, 'path-unreadable')) return null;
  const stepHint = stepInName(name);
  if (stepHint === null && !isCheckpointName(name)) return null;
  return { path, name, modifiedMs: 0, identity: `unreadable ${path}`, complete: true, stepHint };
}

async function examine(candidate: Candidate): Promise<Dated | null> {
  try {
    return await examineReadable(candidate);
  } catch (error) {
    // It vanished or changed between two looks, or may not be read.
    if (isLaikaError(error)) return unreadable(candidate, error);
    throw error;
  }
}

async function examineReadable({ path, name, files }: Candidate): Promise<Dated | null> {
  const source = await openPath(path);
  try {
    const first = await firstSight(source, files);
    if (!isOfRun(first)) return null;
    const sighting = files ? await sight(source) : first;
    // What lies deeper may say more than what lies on top.
    const format = recognise(sighting) ?? recognise(first);
    const modifiedMs = sighting.files.reduce(
      (most, file) => Math.max(most, file.modifiedMs ?? 0),
      0,
    );
    const { complete, step } = await judge(format, sighting);
    const identity = identityOf(sighting);
    return { path, name, modifiedMs, identity, complete, stepHint: step ?? stepInName(name) };
  } finally {
    await source.close();
  }
}

async function judge(
  format: Format | null,
  sighting: Sighting,
): Promise<{ complete: boolean; step: number | null }> {
  if (!format || isEmptyCheckpoint(sighting)) return { complete: false, step: null };
  try {
    const complete = await format.complete(sighting);
    return { complete, step: (await format.step?.(sighting)) ?? null };
  } catch (error) {
    if (isLaikaError(error)) return { complete: error.code === 'limit-exceeded', step: null };
    throw error;
  }
}

function identityOf({ source, files }: Sighting): string {
  const [only] = files;
  if (source.isFile && only) return only.identity;
  const hash = createHash('sha256');
  for (const { name, identity } of files) hash.update(`${name}\0${identity}\0`);
  return hash.digest('hex');
}

/** `latest` as a link shows the same files again: the name with a number stays. */
function withoutLinks(found: readonly Dated[]): Dated[] {
  const byIdentity = new Map<string, Dated>();
  for (const checkpoint of found) {
    const other = byIdentity.get(checkpoint.identity);
    const isBetter =
      other && stepInName(other.name) === null && stepInName(checkpoint.name) !== null;
    if (!other || isBetter) byIdentity.set(checkpoint.identity, checkpoint);
  }
  return [...byIdentity.values()];
}

/** By step; one without a step comes after the last that was written before it. */
function inOrder(found: readonly Dated[]): Dated[] {
  const byTime = (a: Dated, b: Dated) => a.modifiedMs - b.modifiedMs || (a.name < b.name ? -1 : 1);
  const counted = found.filter(({ stepHint }) => stepHint !== null);
  counted.sort((a, b) => (a.stepHint ?? 0) - (b.stepHint ?? 0) || byTime(a, b));
  // Earliest write from here on: the last place that an older one may take grows with time.
  const earliest = counted.map((checkpoint) => checkpoint.modifiedMs);
  for (let i = earliest.length - 2; i >= 0; i--) {
    earliest[i] = Math.min(earliest[i] as number, earliest[i + 1] as number);
  }
  const uncounted = found.filter(({ stepHint }) => stepHint === null).sort(byTime);
  const ordered: Dated[] = [];
  let place = 0;
  for (const checkpoint of uncounted) {
    while (place < counted.length && (earliest[place] as number) <= checkpoint.modifiedMs) {
      ordered.push(counted[place++] as Dated);
    }
    ordered.push(checkpoint);
  }
  return [...ordered, ...counted.slice(place)];
}
