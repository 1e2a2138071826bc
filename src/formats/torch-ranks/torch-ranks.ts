/** torch.save by every rank: DTensor and ShardedTensor states of FSDP, a file a rank. */

import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf } from '../../sources/source.ts';
import type { Format, Sighting } from '../format.ts';
import { TorchParts } from '../torch-parts.ts';
import { readContents } from '../torch-zip/contents.ts';
import type { TorchFile } from '../torch-zip/torch-file.ts';
import { joinRanks, type RankContents } from './join-ranks.ts';
import { type RankFiles, rankFilesOf } from './rank-files.ts';

export const torchRanks: Format = {
  id: 'torch-zip-ranks',
  title: 'PyTorch: torch.save by every rank (FSDP shards)',
  recognise: ({ source, files }) => (!source.isFile && rankFilesOf(files) ? 'certain' : 'no'),
  complete: async (sighting) => (await open(sighting)).complete,
  open,
};

async function open({ source, files }: Sighting): Promise<Checkpoint> {
  const found = rankFilesOf(files) as RankFiles;
  const parts = new TorchParts(source);
  const ranks: RankContents[] = [];
  for (const { file, rank } of found.present) {
    const torch = await parts.read(file);
    if (torch) ranks.push({ rank, file: file.name, torch });
  }
  const { tensors, problems, isWhole } = joinRanks(ranks);
  const [first] = ranks;
  const contents = first && (await contentsOf(parts, first, ranks));
  parts.problems.addAll(missing(found));
  parts.problems.addAll(problems);
  return {
    path: source.path,
    layout: 'torch-zip-ranks',
    step: contents?.step ?? null,
    complete: isWhole && parts.isWhole && found.missing.length === 0,
    files: parts.files.map(fileStateOf),
    tensors,
    optimizers: contents?.optimizers ?? [],
    frozen: contents?.frozen ?? [],
    tied: first?.torch.tied ?? [],
    hasScheduler: (contents?.schedulers.length ?? 0) > 0,
    schedulers: contents?.schedulers ?? [],
    checksums: parts.checksums,
    problems: parts.problems.toArray(),
  };
}

/** Tensors are joined by now: the first rank's state says what all of them are for. */
async function contentsOf(parts: TorchParts, first: RankContents, ranks: readonly RankContents[]) {
  const fileOf = ({ file }: RankContents) => {
    return { source: parts.source, file: parts.files.find(({ name }) => name === file) ?? none };
  };
  const contents = await readContents(fileOf(first), first.torch);
  parts.problems.addAll(contents.problems);
  for (const other of ranks.slice(1)) {
    const own = await readContents(fileOf(other), apart(other.torch));
    const problem = otherSave(other, counted(own.optimizers), counted(contents.optimizers));
    if (problem) parts.problems.add(problem);
  }
  return contents;
}

const none = { name: '', sizeBytes: 0, identity: '' };

/** A rank's own counters: roles and owners are those of the first. */
function apart(torch: TorchFile): TorchFile {
  const copies = [...torch.byPath].map(([path, draft]) => [path, { ...draft }] as const);
  return { ...torch, byPath: new Map(copies) };
}

/** Counters that torch keeps for each parameter, by the path of its state. */
function counted(optimizers: readonly Optimizer[]): Map<string, number> {
  const steps = new Map<string, number>();
  for (const { path, step } of optimizers.flatMap(({ parameters }) => parameters)) {
    if (step !== null) steps.set(path, step);
  }
  return steps;
}

/** All ranks count the steps of every parameter that they share: they cannot differ in one save. */
function otherSave(
  { rank, file }: RankContents,
  own: ReadonlyMap<string, number>,
  first: ReadonlyMap<string, number>,
): Problem | null {
  for (const [path, step] of own) {
    const told = first.get(path);
    if (told === undefined || told === step) continue;
    const message = `rank ${rank} counts ${step} steps in ${path}, the first rank ${told}`;
    return { rule: 'shard-stale', kind: 'damage', file, message };
  }
  return null;
}

function missing({ missing: names }: RankFiles): Problem[] {
  const message = 'the file of this rank is missing';
  return names.slice(0, 100).map((file) => {
    return { rule: 'shard-missing', kind: 'damage', file, message };
  });
}
