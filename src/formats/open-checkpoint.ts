/** From a path to a checkpoint: recognised by content first, then by name, then refused with a reason. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import { LaikaError } from '../checkpoint/errors.ts';
import { decodedSource } from '../sources/decoded-source.ts';
import { openPath } from '../sources/open-path.ts';
import type { Source } from '../sources/source.ts';
import { contentKindOf } from './content-kind.ts';
import { findCheckpoints } from './find-checkpoints.ts';
import { folderKindOf } from './folder-kind.ts';
import type { Sighting } from './format.ts';
import { isPicklePrefix } from './pickle/read-pickle.ts';
import { isEmptyCheckpoint, recognise } from './recognise.ts';
import { sight } from './sighting.ts';

export interface OpenedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** To read its tensors with; the caller closes it. */
  readonly source: Source;
}

/**
 * Opens a file or folder as one checkpoint. Damage is in `problems`, not thrown.
 * @throws LaikaError `path-missing`, `path-unreadable`, `not-a-checkpoint`, `no-checkpoints` (a folder
 * without any), `limit-exceeded`, `changed-while-reading`.
 */
export async function openCheckpoint(path: string): Promise<OpenedCheckpoint> {
  const source = await openPath(path);
  try {
    return await openSource(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The same for any source; the caller closes it when this throws. */
export async function openSource(source: Source): Promise<OpenedCheckpoint> {
  const checkpoint = await openSighting(await sight(source));
  return { checkpoint, source: decodedSource(source, checkpoint.encoded ?? []) };
}

async function openSighting(sighting: Sighting): Promise<Checkpoint> {
  if (isEmptyCheckpoint(sighting)) return emptyCheckpoint(sighting);
  const format = recognise(sighting);
  if (format) return format.open(sighting);
  throw sighting.source.isFile ? otherFile(sighting) : await otherFolder(sighting);
}

/** Nothing can be read, and the name says what it was meant to be. */
function emptyCheckpoint(sighting: Sighting): Checkpoint {
  const { source, files } = sighting;
  const name = files[0]?.name ?? '';
  return {
    path: source.path,
    layout: recognise(sighting)?.id ?? 'torch-zip',
    step: null,
    complete: false,
    files: files.map(({ sizeBytes, identity }) => ({ name, sizeBytes, identity })),
    tensors: [],
    optimizers: [],
    frozen: [],
    tied: [],
    hasScheduler: false,
    checksums: [],
    problems: [
      { rule: 'file-truncated', kind: 'damage', file: name, message: 'the file has no bytes' },
    ],
  };
}

function otherFile({ source, head, files }: Sighting): LaikaError {
  const kind = contentKindOf(head);
  const where = source.path;
  const what = 'This is no checkpoint';
  if (kind) {
    const why = `it is ${kind.what}`;
    return new LaikaError({ code: 'not-a-checkpoint', what, where, why, next: kind.next });
  }
  if (isPicklePrefix(head)) {
    const why = 'it is a Python pickle without tensors of torch; it was not loaded';
    const next = 'name the file that the trainer saved';
    return new LaikaError({ code: 'not-a-checkpoint', what, where, why, next });
  }
  const why = files[0]?.sizeBytes === 0 ? 'it is empty' : 'its content is of no known layout';
  const next = 'laika validate takes a file or folder that a trainer saved';
  return new LaikaError({ code: 'not-a-checkpoint', what, where, why, next });
}

async function otherFolder({ source, files }: Sighting): Promise<LaikaError> {
  const where = source.path;
  const kind = folderKindOf(files);
  if (kind) {
    const why = `it looks like ${kind}, which this version does not read`;
    const next = 'name a file in it that it does read, or convert it';
    const what = 'This layout is not supported';
    return new LaikaError({ code: 'not-a-checkpoint', what, where, why, next });
  }
  const inside = await findCheckpoints(source.path);
  const newest = inside.at(-1);
  if (newest) {
    const why = `it is a run folder with ${inside.length} checkpoints`;
    const next = `laika validate ${newest.path}`;
    const what = 'This folder is no checkpoint itself';
    return new LaikaError({ code: 'not-a-checkpoint', what, where, why, next });
  }
  const next = 'name a checkpoint, or a folder that holds some';
  const what = 'There is no checkpoint in this folder';
  return new LaikaError({ code: 'no-checkpoints', what, where, next });
}
