/** An OCDBT database as TensorStore writes it: the newest version's keys, and where their values lie. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import { magics, openEnvelope } from './envelope.ts';
import { type NodePlace, readManifest } from './manifest.ts';
import { malformed, NodeFault } from './node-fault.ts';
import { readTreeNode, type StoredValue } from './tree-node.ts';

export const manifestName = 'manifest.ocdbt';

/** One version of a large run has about a megabyte of it. */
const nodeBytesMost = 256 * 1024 * 1024;

const nodesMost = 100_000;

const keysMost = 5_000_000;

/** All keys written out. */
const keyBytesMost = 512 * 1024 * 1024;

/** Values that were written into nodes, all together. */
const inlineBytesMost = 512 * 1024 * 1024;

export interface Database {
  /** By key; files relative to the source. */
  readonly values: ReadonlyMap<string, StoredValue>;
  readonly problems: readonly Problem[];
  /** Every node could be read: a key that is not there was never written. */
  readonly isWhole: boolean;
}

export interface DatabaseFiles {
  /** Folder of the database in the source, with its slash; empty for the source itself. */
  readonly folder: string;
  /** Sizes of all files of the source. */
  readonly sizes: ReadonlyMap<string, number>;
}

/**
 * Reads manifest and tree. What is wrong with them is data.
 * @throws LaikaError `limit-exceeded` (nodes, keys); as `Source.read`.
 */
export async function readDatabase(source: Source, files: DatabaseFiles): Promise<Database> {
  return new DatabaseReader(source, files).read();
}

interface Visit {
  readonly place: NodePlace;
  readonly prefix: Buffer;
}

class DatabaseReader {
  readonly #source: Source;
  readonly #files: DatabaseFiles;
  readonly #values = new Map<string, StoredValue>();
  readonly #problems = new ProblemList();
  readonly #visited = new Set<string>();
  readonly #budget = { keyBytes: keyBytesMost };
  #inlineBytes = 0;
  #isWhole = true;

  constructor(source: Source, files: DatabaseFiles) {
    this.#source = source;
    this.#files = files;
  }

  async read(): Promise<Database> {
    const root = await this.#root(manifestName);
    const open: Visit[] = root ? [{ place: root, prefix: Buffer.alloc(0) }] : [];
    for (let visit = open.pop(); visit; visit = open.pop())
      open.push(...(await this.#visit(visit)));
    const problems = this.#problems.toArray();
    return { values: this.#values, problems, isWhole: this.#isWhole };
  }

  async #root(name: string): Promise<NodePlace | null> {
    const path = this.#files.folder + name;
    const length = this.#files.sizes.get(path) ?? 0;
    return this.#guard({ file: path, offset: 0 }, async () => {
      const bytes = await this.#bytes(path, 0, length);
      const manifest = readManifest(await openEnvelope(bytes, magics.manifest));
      if (!manifest.isNumbered) return manifest.root;
      const newest = this.#newestNumbered();
      if (newest === null || name !== manifestName) throw malformed('its versions are missing');
      return this.#root(newest);
    });
  }

  /** `manifest.0000000000000005`: the highest number is the newest. */
  #newestNumbered(): string | null {
    const { folder, sizes } = this.#files;
    let newest: string | null = null;
    for (const path of sizes.keys()) {
      const name = path.startsWith(folder) ? path.slice(folder.length) : '';
      if (/^manifest\.[0-9a-f]{16}$/.test(name) && (newest === null || name > newest))
        newest = name;
    }
    return newest;
  }

  async #visit({ place, prefix }: Visit): Promise<Visit[]> {
    const file = this.#files.folder + place.file.path;
    const key = `${place.offset}:${file}`;
    const at = { file, offset: place.offset };
    const node = await this.#guard(at, async () => {
      if (this.#visited.has(key)) throw malformed('two nodes refer to it');
      if (this.#visited.size >= nodesMost) throw this.#limit(`more than ${nodesMost} nodes`);
      this.#visited.add(key);
      const bytes = await this.#bytes(file, place.offset, place.length);
      const cursor = await openEnvelope(bytes, magics.node);
      return readTreeNode(cursor, { place, prefix, budget: this.#budget });
    });
    for (const { key: own, value } of node?.values ?? []) this.#put(own.toString(), value);
    return [...(node?.children ?? [])];
  }

  #put(key: string, value: StoredValue): void {
    if (this.#values.size >= keysMost) throw this.#limit(`more than ${keysMost} keys`);
    if (value.kind === 'inline') {
      this.#inlineBytes += value.bytes.length;
      if (this.#inlineBytes > inlineBytesMost) {
        throw this.#limit(`more than ${inlineBytesMost} bytes inside nodes`);
      }
      this.#values.set(key, value);
    } else {
      this.#values.set(key, { ...value, file: this.#files.folder + value.file });
    }
  }

  /** What `work` gives, or null where it found a fault, which becomes a problem. */
  async #guard<T>(
    at: { file: string; offset: number },
    work: () => Promise<T | null>,
  ): Promise<T | null> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof NodeFault)) throw error;
      this.#isWhole = false;
      const { rule, kind, message } = error;
      // An offset past 2^53 is no place that could be shown.
      const offset = Number.isSafeInteger(at.offset) ? { offset: at.offset } : {};
      this.#problems.add({ rule, kind, file: at.file, ...offset, message });
      return null;
    }
  }

  async #bytes(file: string, offset: number, length: number): Promise<Buffer> {
    const size = this.#files.sizes.get(file);
    if (size === undefined)
      throw new NodeFault('shard-missing', 'a file of the database is missing');
    if (!(offset + length <= size)) {
      const message = `${length} bytes from ${offset} are promised; the file has ${size}`;
      throw new NodeFault('file-truncated', message);
    }
    if (length > nodeBytesMost) throw this.#limit(`a node of ${length} bytes`);
    const bytes = Buffer.alloc(length);
    await this.#source.read(file, offset, bytes);
    return bytes;
  }

  #limit(why: string): LaikaError {
    return new LaikaError({
      code: 'limit-exceeded',
      what: 'The database passes a limit',
      where: this.#files.folder + manifestName,
      why,
    });
  }
}
