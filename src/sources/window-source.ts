/** A source whose small reads are served from windows: many records lie side by side in one file. */
import type { Source, SourceFile } from './source.ts';

/** One read of this much costs no more than one of a few bytes. */
const windowBytes = 256 * 1024;

/** Reads of at least this much go straight through. */
const largeBytes = 64 * 1024;

/** Where one record ends and where the next one begins. */
const windowsKept = 3;

interface Window {
  readonly file: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** `files` are those whose reads are gathered, with their sizes; others pass through. */
export function windowSource(source: Source, files: readonly SourceFile[]): Source {
  return new WindowSource(source, new Map(files.map(({ name, sizeBytes }) => [name, sizeBytes])));
}

class WindowSource implements Source {
  readonly path: string;
  readonly isFile: boolean;
  readonly #inner: Source;
  readonly #sizes: ReadonlyMap<string, number>;
  /** Most recently read last. */
  #windows: Window[] = [];

  constructor(inner: Source, sizes: ReadonlyMap<string, number>) {
    this.path = inner.path;
    this.isFile = inner.isFile;
    this.#inner = inner;
    this.#sizes = sizes;
  }

  list(depth?: number): Promise<readonly SourceFile[]> {
    return this.#inner.list(depth);
  }

  stat(file: string): Promise<SourceFile | null> {
    return this.#inner.stat(file);
  }

  async read(file: string, offset: number, into: Uint8Array): Promise<void> {
    const end = offset + into.length;
    const known = this.#windows.find((each) => {
      return each.file === file && each.offset <= offset && end <= each.offset + each.bytes.length;
    });
    const size = this.#sizes.get(file) ?? 0;
    if (!known && (into.length >= largeBytes || end > size)) {
      return this.#inner.read(file, offset, into);
    }
    const window = known ?? (await this.#fetch(file, offset, size));
    this.#windows = [...this.#windows.filter((each) => each !== window), window];
    this.#windows = this.#windows.slice(-windowsKept);
    into.set(window.bytes.subarray(offset - window.offset, end - window.offset));
  }

  localPath(file: string): string | null {
    return this.#inner.localPath(file);
  }

  close(): Promise<void> {
    this.#windows = [];
    return this.#inner.close();
  }

  async #fetch(file: string, offset: number, size: number): Promise<Window> {
    const bytes = new Uint8Array(Math.min(windowBytes, size - offset));
    await this.#inner.read(file, offset, bytes);
    return { file, offset, bytes };
  }
}
