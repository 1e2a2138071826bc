/** One file that lies in memory: for thousands of damaged copies of it. */
import { LaikaError } from '../../../src/checkpoint/errors.ts';
import type { Sighting } from '../../../src/formats/format.ts';
import type { Source, SourceFile } from '../../../src/sources/source.ts';

export class MemorySource implements Source {
  readonly path: string;
  readonly isFile = true;
  readonly #bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.path = name;
    this.#bytes = bytes;
  }

  async list(): Promise<readonly SourceFile[]> {
    return [{ name: this.path, sizeBytes: this.#bytes.length, identity: 'memory' }];
  }

  async stat(): Promise<SourceFile | null> {
    return (await this.list())[0] ?? null;
  }

  async read(file: string, offset: number, into: Uint8Array): Promise<void> {
    const end = offset + into.length;
    if (!(offset >= 0 && end <= this.#bytes.length)) {
      // A reader that has compared its sizes with the file never comes here.
      throw new LaikaError({ code: 'changed-while-reading', what: 'Past the end', where: file });
    }
    into.set(this.#bytes.subarray(offset, end));
  }

  localPath(): string | null {
    return null;
  }

  async close(): Promise<void> {}

  /** As a format sees it before it opens it. */
  async sighting(): Promise<Sighting> {
    const head = this.#bytes.subarray(0, 4096);
    return { source: this, files: await this.list(), head };
  }
}
