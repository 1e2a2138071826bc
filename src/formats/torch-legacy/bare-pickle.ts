/** What pickle.dump makes of tensors: one pickle, with every storage a stream of its own inside. */
import { Buffer } from 'node:buffer';
import type { Source } from '../../sources/source.ts';
import { isLegacyStream, readLegacyPickles } from '../pickle/legacy-pickles.ts';
import { maxNestedMemoryBytes, maxPickleBytes } from '../pickle/limits.ts';
import { pickleLimit } from '../pickle/machine.ts';
import { pickleProblems } from '../pickle/pickle-problems.ts';
import { readPickle } from '../pickle/read-pickle.ts';
import type { PickleValue } from '../pickle/values.ts';
import { listTensors } from '../torch-zip/list-tensors.ts';
import { isNestedStorage, isPersistent } from '../torch-zip/rebuild.ts';
import {
  countOf,
  damage,
  readStorageId,
  type StorageResolver,
  type StorageResult,
} from '../torch-zip/storage-id.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';

/**
 * Reads the pickle in `file`, of which `sizeBytes` are there. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readBarePickle(
  source: Source,
  file: string,
  sizeBytes: number,
): Promise<TorchFile> {
  if (sizeBytes > maxPickleBytes) {
    throw pickleLimit(file, `it is a pickle of more than ${maxPickleBytes} bytes`);
  }
  const bytes = new Uint8Array(sizeBytes);
  await source.read(file, 0, bytes);
  const reading = readPickle(bytes, file);
  const problems = pickleProblems(reading, { file, offset: 0, sizeBytes });
  const isSuspect = problems.some(({ kind }) => kind !== 'info');
  const found = listTensors(reading.value ?? null, new NestedStorages(file), {
    file,
    bigEndian: false,
    isSuspect,
  });
  return {
    root: reading.value,
    ...found.listed,
    checksums: [],
    problems: [...problems, ...found.problems],
    archiveName: '',
    isWhole: reading.fault === null,
    isForeign: false,
  };
}

/** Storages in bytes objects; each has its bytes alone. */
class NestedStorages implements StorageResolver {
  readonly #where: string;
  readonly #known = new Map<PickleValue, StorageResult>();

  constructor(where: string) {
    this.#where = where;
  }

  resolve(reference: PickleValue): StorageResult {
    const known = this.#known.get(reference);
    if (known) return known;
    const stream = isNestedStorage(reference) ? reference.args[0] : undefined;
    const result =
      stream instanceof Uint8Array
        ? readNestedStorage(stream, this.#where, `${this.#known.size}`)
        : damage('header-invalid', 'its storage is no storage');
    this.#known.set(reference, result);
    return result;
  }
}

function readNestedStorage(stream: Uint8Array, where: string, key: string): StorageResult {
  if (!isLegacyStream(stream)) return damage('header-invalid', 'its bytes are no stream of torch');
  const memory = maxNestedMemoryBytes;
  const { root, fault, endOffset } = readLegacyPickles(stream, where, { memory });
  if (fault !== null) return damage('header-invalid', `the stream of its storage: ${fault}`);
  if (root === undefined || !isPersistent(root)) {
    return damage('header-invalid', 'the stream of its storage holds something else');
  }
  const id = readStorageId(root.id, 6);
  if ('broken' in id) return id;
  const elements = countOf(id.count);
  const start = endOffset + 8;
  const size = elements === null ? Number.NaN : elements * id.type.bytes;
  const bytes = Buffer.from(stream.buffer, stream.byteOffset, stream.byteLength);
  if (elements === null || start + size !== stream.length) {
    return damage('shape-mismatch', `its storage of ${String(id.count)} elements does not fit`);
  }
  if (bytes.readBigInt64LE(endOffset) !== BigInt(elements)) {
    return damage('header-invalid', 'its storage counts other elements than its reference');
  }
  const stored = stream.subarray(start);
  return {
    key,
    type: id.type,
    elements,
    first: 0,
    bytes: { kind: 'memory', bytes: stored },
    absent: null,
  };
}
