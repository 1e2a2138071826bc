/**
 * Folders that accelerate writes for FSDP: a distributed checkpoint for every model, and one for its
 * optimizer beside it.
 */
import type { EncodedFile, StoredChecksum } from '../checkpoint/checkpoint.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { type DcpContents, readDcpContents } from './dcp/dcp-contents.ts';
import { readDcpMetadata } from './dcp/metadata.ts';
import { type OpenedDcp, openDcp } from './dcp/open-dcp.ts';
import { checkSlices, type DcpFolder } from './dcp/slices.ts';

const folderName = /^(?:pytorch_model_fsdp|optimizer)_([0-9]{1,4})\//;

/** What the folders of one model hold. */
interface FsdpModel {
  readonly index: number;
  /** With their slashes. */
  readonly folders: readonly string[];
}

export interface FsdpFolders {
  readonly contents: readonly DcpContents[];
  readonly files: readonly SourceFile[];
  readonly checksums: readonly StoredChecksum[];
  readonly encoded: readonly EncodedFile[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

/** Models before their optimizers. */
function modelsIn(files: readonly SourceFile[]): FsdpModel[] {
  const models = new Map<number, Set<string>>();
  for (const { name } of files) {
    const match = folderName.exec(name);
    if (!match) continue;
    const index = Number(match[1]);
    models.set(index, (models.get(index) ?? new Set()).add(match[0]));
  }
  return [...models].map(([index, folders]) => ({ index, folders: [...folders].sort().reverse() }));
}

export function holdsFsdpFolders(files: readonly SourceFile[]): boolean {
  return files.some(({ name }) => folderName.test(name));
}

function dcpFolder(files: readonly SourceFile[], folder: string): DcpFolder | null {
  const metadata = files.find(({ name }) => name === `${folder}.metadata`);
  return metadata ? { folder, metadata, files } : null;
}

/** Every folder has its metadata, and every item its bytes. */
export async function areFsdpFoldersWhole(
  source: Source,
  files: readonly SourceFile[],
): Promise<boolean> {
  for (const folder of modelsIn(files).flatMap(({ folders }) => folders)) {
    const of = dcpFolder(files, folder);
    const { metadata } = of ? await readDcpMetadata(source, of.metadata) : { metadata: null };
    if (!of || !metadata || !checkSlices(metadata.slices, of).isWhole) return false;
  }
  return true;
}

/**
 * Reads all folders among `files`.
 * @throws LaikaError `limit-exceeded`; as `Source.read`.
 */
export async function readFsdpFolders(
  source: Source,
  files: readonly SourceFile[],
): Promise<FsdpFolders> {
  const opened: OpenedDcp[] = [];
  const contents: DcpContents[] = [];
  const problems: Problem[] = [];
  let isWhole = true;
  for (const { index, folders } of modelsIn(files)) {
    const parts: OpenedDcp[] = [];
    for (const folder of folders) {
      const of = dcpFolder(files, folder);
      if (of) parts.push(await openDcp(source, of));
      else problems.push(unfinished(folder));
      isWhole = isWhole && of !== null;
    }
    if (index > 0) for (const part of parts) nameByModel(part, index);
    opened.push(...parts);
    if (parts.length > 0) contents.push(await readDcpContents(source, parts));
  }
  return {
    contents,
    files: opened.flatMap((part) => part.files),
    checksums: opened.flatMap((part) => part.checksums),
    encoded: opened.flatMap((part) => part.encoded),
    problems: [
      ...problems,
      ...opened.flatMap((part) => part.problems),
      ...contents.flatMap((each) => each.problems),
    ],
    isWhole: isWhole && opened.every((part) => part.isWhole),
  };
}

function unfinished(folder: string): Problem {
  const message = 'it is missing: the save of this folder is not finished';
  return { rule: 'shard-missing', kind: 'damage', file: `${folder}.metadata`, message };
}

/** Models of one checkpoint may have the same names. */
function nameByModel({ tensors }: OpenedDcp, index: number): void {
  for (const draft of tensors.values()) {
    draft.nameInFile = draft.name;
    draft.name = `${draft.name} (model ${index})`;
  }
}
