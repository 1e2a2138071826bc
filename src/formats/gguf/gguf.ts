/** GGUF, the layout of llama.cpp: weights in one file, or in several of one family. */
import { Buffer } from 'node:buffer';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Tensor } from '../../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { type GgufFile, readGgufFile } from './gguf-file.ts';

export const gguf: Format = {
  id: 'gguf',
  title: 'GGUF: weights as llama.cpp reads them, split files too',
  recognise,
  complete: async (sighting) => (await readAll(sighting)).isWhole,
  open,
  // It is exported, never written while training.
  isOfRun: () => false,
};

const splitName = /^(.+)-([0-9]{5})-of-([0-9]{5})\.gguf$/i;

/** Files of one family that are opened together. */
const splitsMost = 10_000;

function recognise(sighting: Sighting): 'certain' | 'named' | 'no' {
  const file = firstFile(sighting);
  if (!file) return 'no';
  if (!sighting.source.isFile) return 'certain';
  const head = Buffer.from(sighting.head.buffer, sighting.head.byteOffset, sighting.head.length);
  if (head.toString('latin1', 0, 4) === 'GGUF') return 'certain';
  return /\.gguf$/i.test(file.name) ? 'named' : 'no';
}

/** A folder is one model where its GGUF files are one, or parts of one. */
function firstFile({ source, files }: Sighting): SourceFile | undefined {
  if (source.isFile) return files[0];
  const models = files.filter(({ name }) => /^[^/]+\.gguf$/i.test(name));
  const families = new Set(models.map(({ name }) => splitName.exec(name)?.[1] ?? name));
  return families.size === 1 ? models[0] : undefined;
}

interface Family {
  readonly files: readonly GgufFile[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

async function readAll(sighting: Sighting): Promise<Family> {
  const { source } = sighting;
  const file = firstFile(sighting) as SourceFile;
  const first = await readGgufFile(source, file);
  const parts = splitName.exec(file.name);
  const count = first.header?.split?.count ?? (first.header ? 1 : Number(parts?.[3] ?? 1));
  if (!parts || count <= 1) return { files: [first], problems: [], isWhole: first.isWhole };
  return readFamily(source, first, { stem: parts[1] as string, count });
}

async function readFamily(
  source: Source,
  first: GgufFile,
  { stem, count }: { stem: string; count: number },
): Promise<Family> {
  const files: GgufFile[] = [];
  const problems: Problem[] = [];
  const digits = (value: number) => String(value).padStart(5, '0');
  for (let number = 1; number <= Math.min(count, splitsMost); number += 1) {
    const name = `${stem}-${digits(number)}-of-${digits(count)}.gguf`;
    const file = name === first.file.name ? null : await source.stat(name);
    if (name === first.file.name) files.push(first);
    else if (file) files.push(await readGgufFile(source, file));
    else {
      const message = `part ${number} of ${count} is missing`;
      problems.push({ rule: 'shard-missing', kind: 'damage', file: name, message });
    }
  }
  problems.push(...contradictions(files, count));
  const isWhole = problems.length === 0 && files.every((file) => file.isWhole);
  return { files, problems, isWhole };
}

/** Each part says which one it is, and the first how many tensors there are in all. */
function contradictions(files: readonly GgufFile[], count: number): Problem[] {
  const problems: Problem[] = [];
  const listed = files.reduce((sum, { tensors }) => sum + tensors.length, 0);
  for (const { file, header } of files) {
    const split = header?.split;
    if (!header) continue;
    const number = Number(splitName.exec(file.name)?.[2] ?? 0) - 1;
    if (split?.count !== count || split.number !== number) {
      const message = `by its own header it is not part ${number + 1} of ${count}`;
      problems.push({ rule: 'shard-stale', kind: 'damage', file: file.name, message });
    } else if (files.length === count && split.tensors > 0 && split.tensors !== listed) {
      const message = `it speaks of ${split.tensors} tensors; all parts together list ${listed}`;
      problems.push({ rule: 'tensor-missing', kind: 'damage', file: file.name, message });
    }
  }
  return problems;
}

async function open(sighting: Sighting): Promise<Checkpoint> {
  const { files, problems, isWhole } = await readAll(sighting);
  const { tensors, repeated } = uniqueTensors(files);
  return {
    path: sighting.source.path,
    layout: 'gguf',
    step: null,
    complete: isWhole,
    files: files.map(({ file }) => file),
    tensors,
    optimizers: [],
    frozen: [],
    tied: [],
    hasScheduler: false,
    checksums: [],
    encoded: files.flatMap(({ encoded }) => encoded),
    problems: [...files.flatMap((file) => file.problems), ...problems, ...repeated],
  };
}

/** A name in two parts: two readers may see different values. */
function uniqueTensors(files: readonly GgufFile[]): { tensors: Tensor[]; repeated: Problem[] } {
  const byName = new Map<string, Tensor>();
  const repeated: Problem[] = [];
  for (const tensor of files.flatMap(({ tensors }) => tensors)) {
    const known = byName.get(tensor.name);
    if (known) {
      const message = `${known.file} holds a tensor of this name too`;
      const { name, file } = tensor;
      repeated.push({ rule: 'duplicate-name', kind: 'security', file, tensor: name, message });
    } else byName.set(tensor.name, tensor);
  }
  return { tensors: [...byName.values()], repeated };
}
