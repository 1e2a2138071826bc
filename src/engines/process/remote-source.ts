/** A source in the process of an engine: local files are read here, all other bytes are asked for. */
import { FileHandles } from '../../sources/file-handles.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { ReadAnswer, Report } from './messages.ts';

const openFiles = 64;

/** The storage failed on the other side, which knows why. */
export class StorageFailed extends Error {}

type Question = Omit<Extract<Report, { type: 'read' }>, 'type' | 'ask'>;

/** Asks for bytes and hands answers to those who asked. */
export class Asker {
  readonly #channel: { send(report: Report): void };
  readonly #waiting = new Map<number, (answer: ReadAnswer) => void>();
  #asked = 0;

  constructor(channel: { send(report: Report): void }) {
    this.#channel = channel;
  }

  ask(question: Question): Promise<ReadAnswer> {
    this.#asked += 1;
    const ask = this.#asked;
    return new Promise((resolve) => {
      this.#waiting.set(ask, resolve);
      this.#channel.send({ type: 'read', ask, ...question });
    });
  }

  take(ask: number, answer: ReadAnswer): void {
    this.#waiting.get(ask)?.(answer);
    this.#waiting.delete(ask);
  }
}

export class RemoteSource implements Source {
  readonly path = 'remote';
  readonly isFile = false;
  readonly #asker: Asker;
  readonly #handles = new FileHandles(openFiles);
  /** Of the files that lie on this machine. */
  readonly #paths = new Map<string, string>();
  #run = 0;
  #origin: 'base' | 'head' = 'head';

  constructor(asker: Asker) {
    this.#asker = asker;
  }

  /** Call before the sweep that is to read from here. */
  serve(run: number, origin: 'base' | 'head'): void {
    this.#run = run;
    this.#origin = origin;
  }

  async list(): Promise<readonly SourceFile[]> {
    return [];
  }

  async stat(): Promise<SourceFile | null> {
    return null;
  }

  async read(file: string, offset: number, into: Uint8Array): Promise<void> {
    if (into.length === 0) return;
    const path = this.#paths.get(file);
    if (path !== undefined) {
      this.#handles.read(path, offset, into);
      return;
    }
    const about = { run: this.#run, origin: this.#origin, file, offset, length: into.length };
    const answer = await this.#asker.ask(about);
    if (answer.kind === 'failed') throw new StorageFailed();
    if (answer.kind === 'bytes') {
      into.set(answer.bytes);
      return;
    }
    this.#paths.set(file, answer.path);
    this.#handles.read(answer.path, offset, into);
  }

  localPath(): null {
    return null;
  }

  closeFiles(): void {
    this.#handles.closeAll();
  }

  async close(): Promise<void> {
    this.closeFiles();
  }
}
