/** One file of torch.save, whichever way its version wrote it: read as data, its tensors listed. */
import type { StoredChecksum } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { isLegacyStream, legacyMagic } from '../pickle/legacy-pickles.ts';
import { isPicklePrefix } from '../pickle/read-pickle.ts';
import type { PickleValue } from '../pickle/values.ts';
import { readBarePickle } from '../torch-legacy/bare-pickle.ts';
import { readLegacyFile } from '../torch-legacy/legacy-file.ts';
import type { StoragePlace, TensorPart } from './tensor-list.ts';
import { readTorchArchive } from './torch-archive.ts';

/** A container of the pickle with its path. */
export interface Container {
  readonly path: string;
  readonly value: PickleValue;
}

/** The nested state that was saved, whichever way its bytes lie in files. */
export interface SavedState {
  /** What the pickle describes; undefined where it could not be read. */
  readonly root: PickleValue | undefined;
  /** Every container below the root, outermost first. */
  readonly containers: readonly Container[];
  /** Tensors by their path in the state. */
  readonly byPath: ReadonlyMap<string, TensorDraft>;
}

export interface TorchFile extends SavedState {
  readonly tensors: readonly TensorDraft[];
  /** Where each view lies in its storage. */
  readonly places: ReadonlyMap<TensorDraft, StoragePlace>;
  /** What lies in this file of tensors that ranks share. */
  readonly parts: ReadonlyMap<TensorDraft, readonly TensorPart[]>;
  readonly tied: readonly (readonly [string, string])[];
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
  /** What the archive calls itself: torch takes it from the name of the file that it writes. */
  readonly archiveName: string;
  /** The archive ends, its pickle ends, and its storages were written. */
  readonly isWhole: boolean;
  /** A zip archive in good order that is no file of torch.save. */
  readonly isForeign: boolean;
}

/**
 * Reads the file `file`, of which `sizeBytes` are there: an archive, a stream of torch before 1.6, or
 * a bare pickle. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readTorchFile(
  source: Source,
  file: string,
  sizeBytes: number,
): Promise<TorchFile> {
  const head = new Uint8Array(Math.min(legacyMagic.length, sizeBytes));
  await source.read(file, 0, head);
  if (isLegacyStream(head)) return readLegacyFile(source, file, sizeBytes);
  if (isPicklePrefix(head)) return readBarePickle(source, file, sizeBytes);
  return readTorchArchive(source, file, sizeBytes);
}
