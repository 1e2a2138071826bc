/** Megatron's distributed checkpoint (`torch_dist`): torch's own, with a state that is not sharded. */
import { basename } from 'node:path';
import type { Checkpoint } from '../../checkpoint/checkpoint.ts';
import type { Optimizer } from '../../checkpoint/optimizer.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import { readDcpMetadata } from '../dcp/metadata.ts';
import { type OpenedDcp, openDcp } from '../dcp/open-dcp.ts';
import { checkSlices, type DcpFolder } from '../dcp/slices.ts';
import type { Format } from '../format.ts';
import { markModel } from '../optimizer-state/model-tensors.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { isJsonObject, readStrictJson } from '../strict-json.ts';
import { TorchParts } from '../torch-parts.ts';
import { isArchiveEnded } from '../zip/end-record.ts';
import { cutBuckets, isBucketKey } from './bucket-parts.ts';
import { type CommonState, commonName, readCommonState } from './common-state.ts';
import { readIntegrity } from './integrity.ts';
import { isOptimizerKey, shardedOptimizers } from './sharded-optimizer.ts';

export const megatronDist: Format = {
  id: 'megatron-dist',
  title: 'Megatron: a distributed checkpoint (torch_dist), NeMo 2 folders included',
  recognise: ({ source, files }) => {
    return source.isFile || folderOf(files) === undefined ? 'no' : 'certain';
  },
  complete: ({ source, files }) => isComplete(source, files),
  open: ({ source, files }) => open(source, files),
};

const markerName = 'metadata.json';
const metadataName = '.metadata';

/** Where it may lie: in the folder itself, or in NeMo's `weights`. */
const places = ['', 'weights/'];

/** The place that has data of torch's and one of Megatron's own files; undefined where none has. */
function folderOf(files: readonly SourceFile[]): string | undefined {
  const names = new Set(files.map(({ name }) => name));
  return places.find((place) => {
    const isOwn = names.has(place + markerName) || names.has(place + commonName);
    const isData = files.some(({ name }) => {
      const rest = name.startsWith(place) ? name.slice(place.length) : '';
      return rest === metadataName || /^__[0-9]+_[0-9]+\.distcp$/.test(rest);
    });
    return isOwn && isData;
  });
}

function dcpFolder(folder: string, files: readonly SourceFile[]): DcpFolder | null {
  const metadata = files.find(({ name }) => name === folder + metadataName);
  return metadata ? { folder, metadata, files } : null;
}

/** A few words about the writer. */
const markerBytesMost = 65_536;

interface Marker {
  /** `torch_dist`; null where the file is not there or says nothing. */
  readonly backend: string | null;
  readonly problems: readonly Problem[];
}

/** `metadata.json` is written when all data is there. */
async function readMarker(
  source: Source,
  files: readonly SourceFile[],
  folder: string,
): Promise<Marker> {
  const name = folder + markerName;
  const file = files.find((each) => each.name === name);
  const fault = (rule: Problem['rule'], message: string): Marker => {
    return { backend: null, problems: [{ rule, kind: 'damage', file: name, message }] };
  };
  if (!file) return fault('shard-missing', 'it is missing: this save was not finished');
  if (file.sizeBytes > markerBytesMost) return fault('header-invalid', 'it is far too long');
  const bytes = new Uint8Array(file.sizeBytes);
  await source.read(name, 0, bytes);
  const json = readStrictJson(bytes, { where: name, maxDepth: 8 });
  if (!json.ok) return fault('header-invalid', `it cannot be read: ${json.message}`);
  const backend = isJsonObject(json.value) ? json.value.get('sharded_backend') : undefined;
  if (typeof backend !== 'string') return fault('header-invalid', 'it names no sharded_backend');
  return { backend, problems: [] };
}

async function isComplete(source: Source, files: readonly SourceFile[]): Promise<boolean> {
  const folder = folderOf(files) ?? '';
  const dcp = dcpFolder(folder, files);
  if (!dcp || (await readMarker(source, files, folder)).backend === null) return false;
  const { metadata } = await readDcpMetadata(source, dcp.metadata);
  if (!metadata || !checkSlices(metadata.slices, dcp).isWhole) return false;
  const common = files.find(({ name }) => name === folder + commonName);
  return !common || isArchiveEnded(source, common);
}

function nothing(folder: string): OpenedDcp {
  const message = 'it is missing: the save is not finished, or a later one was interrupted';
  const file = folder + metadataName;
  return {
    tensors: new Map(),
    values: new Map(),
    metadata: null,
    files: [],
    encoded: [],
    checksums: [],
    problems: [{ rule: 'shard-missing', kind: 'damage', file, message }],
    isWhole: false,
  };
}

async function open(source: Source, files: readonly SourceFile[]): Promise<Checkpoint> {
  const folder = folderOf(files) ?? '';
  const dcp = dcpFolder(folder, files);
  const marker = await readMarker(source, files, folder);
  const opened = dcp ? await openDcp(source, dcp) : nothing(folder);
  const parts = new TorchParts(source);
  const commonFile = files.find(({ name }) => name === folder + commonName);
  const common = await readCommonState(parts, commonFile, opened);
  const integrity = await readIntegrity(source, files, folder);
  const drafts = [...opened.tensors.values()];
  const marked = markStates(drafts, common, commonFile?.name ?? folder + metadataName);
  const buckets = cutBuckets(opened, common, folder + metadataName);
  const read = [...opened.files, ...parts.files];
  return {
    path: source.path,
    layout: 'megatron-dist',
    step: common.iteration,
    complete: opened.isWhole && parts.isWhole && marker.backend !== null,
    files: read.map(fileStateOf),
    tensors: [...marked.tensors, ...common.tensors, ...buckets.parts],
    wholes: buckets.wholes,
    optimizers: [...marked.optimizers, ...buckets.optimizers],
    frozen: [],
    tied: [],
    hasScheduler: parts.schedulers.length > 0,
    schedulers: parts.schedulers,
    checksums: [...opened.checksums, ...parts.checksums, ...integrity.checksums],
    encoded: opened.encoded,
    problems: [
      ...marker.problems,
      ...opened.problems,
      ...parts.problems.toArray(),
      ...integrity.problems,
      ...buckets.problems,
      ...notes(source, folder, common),
    ],
  };
}

/** Marks weights and named states; buckets, which name nothing, are left out. */
function markStates(
  drafts: readonly TensorDraft[],
  common: CommonState,
  file: string,
): { tensors: readonly TensorDraft[]; optimizers: readonly Optimizer[] } {
  const tensors = drafts.filter(({ name }) => !isBucketKey(name));
  const weights = new Map(
    tensors.filter(({ name }) => !isOptimizerKey(name)).map((draft) => [draft.name, draft]),
  );
  markModel({ prefix: '', tensors: weights, order: 'sorted' });
  return { tensors, optimizers: shardedOptimizers({ drafts: tensors, weights, common, file }) };
}

function notes(source: Source, folder: string, { iteration }: CommonState): Problem[] {
  const found: Problem[] = [];
  const file = folder + commonName;
  if (folder !== '') {
    const message = 'the checkpoint lies in a folder of NeMo 2; its context was not read';
    found.push({ rule: 'note', kind: 'info', file, message });
  }
  // A folder may be called anything; only a name of Megatron's own says something.
  const named = /^iter_([0-9]{7,9})$/.exec(basename(source.path))?.[1];
  if (named !== undefined && iteration !== null && Number(named) !== iteration) {
    const message = `its folder is called iteration ${Number(named)}, and it counts ${iteration}`;
    found.push({ rule: 'shard-stale', kind: 'info', file, message });
  }
  return found;
}
