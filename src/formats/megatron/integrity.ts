/** `integrity.json`: SHA-256 of every file of the folder, which Megatron writes after the data. */
import type { StoredChecksum } from '../../checkpoint/checkpoint.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { escapeReason } from '../../sources/safe-join.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import { isJsonObject, readStrictJson } from '../strict-json.ts';

export const integrityName = 'integrity.json';

/** A hundred thousand files. */
const bytesMost = 32 * 1024 * 1024;

export interface Integrity {
  readonly checksums: readonly StoredChecksum[];
  readonly problems: readonly Problem[];
}

/** Files that are no part of what was hashed: the manifest itself, and what is hidden by habit. */
function isCovered(name: string): boolean {
  return name !== integrityName && !name.includes('/');
}

/**
 * Reads the manifest where there is one. `files`: those of the folder, named from the source;
 * `folder` is its own name with a slash, or empty.
 * @throws LaikaError as `Source.read`.
 */
export async function readIntegrity(
  source: Source,
  files: readonly SourceFile[],
  folder: string,
): Promise<Integrity> {
  const file = files.find(({ name }) => name === folder + integrityName);
  if (!file) return { checksums: [], problems: [] };
  const { name: where } = file;
  if (file.sizeBytes > bytesMost) return unread(where, 'it is longer than any manifest');
  const bytes = new Uint8Array(file.sizeBytes);
  await source.read(where, 0, bytes);
  const json = readStrictJson(bytes, { where, maxDepth: 8 });
  if (!json.ok) {
    const message = `the manifest cannot be read: ${json.message}`;
    const { offset } = json;
    const problem: Problem = {
      rule: 'header-invalid',
      kind: 'damage',
      file: where,
      offset,
      message,
    };
    return { checksums: [], problems: [problem] };
  }
  const root = isJsonObject(json.value) ? json.value : null;
  const listed = root?.get('files');
  if (root?.get('algorithm') !== 'sha256' || !isJsonObject(listed)) {
    return unread(where, 'the manifest is of a kind that Laika does not know');
  }
  return compare(listed, files, folder);
}

function unread(file: string, message: string): Integrity {
  return { checksums: [], problems: [{ rule: 'note', kind: 'info', file, message }] };
}

function compare(
  listed: ReadonlyMap<string, unknown>,
  files: readonly SourceFile[],
  folder: string,
): Integrity {
  const own = new Map(
    files
      .filter(({ name }) => name.startsWith(folder))
      .map((file) => [file.name.slice(folder.length), file]),
  );
  const where = folder + integrityName;
  const checksums: StoredChecksum[] = [];
  const problems: Problem[] = [];
  for (const [name, hash] of listed) {
    const reason = escapeReason(name);
    const file = own.get(name);
    if (reason !== null) {
      const message = `it names ${JSON.stringify(name)}, which was not opened: ${reason}`;
      problems.push({ rule: 'path-escape', kind: 'security', file: where, message });
    } else if (!file) {
      const message = 'the manifest names this file, which is not there';
      problems.push({ rule: 'shard-missing', kind: 'damage', file: folder + name, message });
    } else if (typeof hash !== 'string' || !/^[0-9a-f]{64}$/i.test(hash)) {
      const message = `the manifest has no SHA-256 for ${JSON.stringify(name)}`;
      problems.push({ rule: 'header-invalid', kind: 'damage', file: where, message });
    } else {
      const whole = { file: file.name, member: name, offset: 0, length: file.sizeBytes };
      checksums.push({ kind: 'sha256', ...whole, expected: hash.toLowerCase() });
    }
  }
  for (const [name, file] of own) {
    if (!isCovered(name) || listed.has(name)) continue;
    const message = 'the manifest does not name this file: it was added later';
    problems.push({ rule: 'note', kind: 'info', file: file.name, message });
  }
  return { checksums, problems };
}
