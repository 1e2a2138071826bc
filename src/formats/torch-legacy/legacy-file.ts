/** A file of torch.save before 1.6 (and today on request): pickles, then storages as they are. */
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { type LegacyPickles, readLegacyPickles } from '../pickle/legacy-pickles.ts';
import { maxLegacyMemoryBytes, maxPickleBytes } from '../pickle/limits.ts';
import { pickleProblems } from '../pickle/pickle-problems.ts';
import { isSequence } from '../pickle/values.ts';
import { ProblemList } from '../problem-list.ts';
import { listTensors } from '../torch-zip/list-tensors.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import { checkCounts, LegacyStorages, layOut } from './legacy-storages.ts';

/** The pickles of most files are shorter than this; where they are not, it is read again. */
const firstBytes = 2 ** 20;

/**
 * Reads the stream in `file`, of which `sizeBytes` are there. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readLegacyFile(
  source: Source,
  file: string,
  sizeBytes: number,
): Promise<TorchFile> {
  const pickles = await readPickles(source, file, sizeBytes);
  const problems = new ProblemList();
  for (const { reading } of pickles.readings) {
    if (reading.fault !== null) continue;
    // What follows one pickle is the next one.
    const place = { file, offset: 0, sizeBytes: reading.endOffset };
    problems.addAll(pickleProblems(reading, place));
  }
  if (pickles.fault !== null) problems.add(faultOf(pickles, file, sizeBytes));
  const { root, keys, endOffset } = pickles;
  const isSuspect = problems.toArray().some(({ kind }) => kind !== 'info');
  const persistents = pickles.readings.flatMap(({ reading }) => reading.persistents);
  const stream = { file, sizeBytes, start: endOffset };
  const layout = layOut(stream, keys, persistents);
  if (pickles.fault === null) {
    problems.addAll(layout.problems);
    problems.addAll(await checkCounts(source, file, layout));
    if (persistents.some(({ id }) => isSequence(id) && id.items[0] === 'module')) {
      const message = 'it holds the source text of a module, which was not read';
      problems.add({ rule: 'note', kind: 'info', file, message });
    }
  }
  const storages = new LegacyStorages(layout);
  const found = listTensors(root ?? null, storages, { file, bigEndian: false, isSuspect });
  // Without the layout every tensor would say that its bytes are missing.
  if (pickles.fault === null && layout.isWhole) problems.addAll(found.problems);
  return {
    root,
    ...found.listed,
    checksums: [],
    problems: problems.toArray(),
    archiveName: '',
    isWhole: pickles.fault === null && layout.isWhole,
    isForeign: false,
  };
}

async function readPickles(
  source: Source,
  file: string,
  sizeBytes: number,
): Promise<LegacyPickles> {
  for (let length = firstBytes; ; length *= 4) {
    const bytes = new Uint8Array(Math.min(length, sizeBytes, maxPickleBytes));
    await source.read(file, 0, bytes);
    const pickles = readLegacyPickles(bytes, file, { memory: maxLegacyMemoryBytes });
    const isAll = bytes.length === sizeBytes || bytes.length === maxPickleBytes;
    if (!pickles.isCut || isAll) return pickles;
  }
}

function faultOf(
  { readings, endOffset, fault, isCut }: LegacyPickles,
  file: string,
  sizeBytes: number,
): Problem {
  const offset = isCut ? sizeBytes : (readings.at(-1)?.reading.endOffset ?? endOffset);
  const message = `the stream of torch.save cannot be read: ${fault}`;
  return {
    rule: isCut ? 'file-truncated' : 'header-invalid',
    kind: 'damage',
    file,
    offset,
    message,
  };
}
