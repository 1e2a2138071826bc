/** Files by absolute paths that another thread has already checked: what a worker thread reads. */
import { FileHandles } from './file-handles.ts';
import type { Source, SourceFile } from './source.ts';

const openFiles = 64;

export class LocalFiles implements Source {
  readonly path = 'files of a worker thread';
  readonly isFile = false;
  readonly #paths: ReadonlyMap<string, string>;
  readonly #handles: FileHandles;

  /** `paths`: absolute paths by the names that placements use; `direct`: past the page cache. */
  constructor(paths: ReadonlyMap<string, string>, direct = false) {
    this.#paths = paths;
    this.#handles = new FileHandles(openFiles, direct);
  }

  async list(): Promise<readonly SourceFile[]> {
    return [];
  }

  async stat(): Promise<SourceFile | null> {
    return null;
  }

  read(file: string, offset: number, into: Uint8Array): void {
    if (into.length > 0) this.#handles.read(this.localPath(file), offset, into);
  }

  localPath(file: string): string {
    const path = this.#paths.get(file);
    if (path === undefined) throw new Error(`no path was given for ${file}`);
    return path;
  }

  async close(): Promise<void> {
    this.#handles.closeAll();
  }
}
