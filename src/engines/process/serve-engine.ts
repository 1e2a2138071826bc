/** The process that an engine has to itself: takes sweeps, asks for bytes, returns records. */
import { isLaikaError } from '../../checkpoint/errors.ts';
import type { Engine } from '../engine.ts';
import type { Failure, Report, Request } from './messages.ts';
import { Asker, RemoteSource, StorageFailed } from './remote-source.ts';

/** The channel to the process that started this one. */
export interface Channel {
  send(report: Report): void;
  onRequest(take: (request: Request) => void): void;
}

type RunRequest = Extract<Request, { type: 'run' }>;

/** Opens an engine and runs the sweeps that come, one at a time, until the process ends. */
export async function serveEngine(channel: Channel, open: () => Promise<Engine>): Promise<void> {
  const server = new Server(channel);
  try {
    server.start(await open());
  } catch (error) {
    if (!isLaikaError(error)) throw error;
    channel.send({ type: 'unavailable', details: error.details });
  }
}

class Server {
  readonly #channel: Channel;
  readonly #asker: Asker;
  readonly #stops = new Map<number, AbortController>();
  /** Sources of the sweep before: their files stay open as long as they are asked for. */
  #sources = new Map<number, RemoteSource>();
  #last: Promise<void> = Promise.resolve();

  constructor(channel: Channel) {
    this.#channel = channel;
    this.#asker = new Asker(channel);
  }

  start(engine: Engine): void {
    this.#channel.onRequest((request) => {
      if (request.type === 'answer') this.#asker.take(request.ask, request.answer);
      else if (request.type === 'abort') this.#stops.get(request.run)?.abort(new Stopped());
      else this.#queue(engine, request);
    });
    this.#channel.send({ type: 'ready', device: engine.device });
  }

  #queue(engine: Engine, request: RunRequest): void {
    const stop = new AbortController();
    this.#stops.set(request.run, stop);
    this.#last = this.#last.then(() => this.#run(engine, request, stop.signal));
  }

  async #run(engine: Engine, request: RunRequest, signal: AbortSignal): Promise<void> {
    const { run, sweep, checksums } = request;
    try {
      const result = await engine.run(sweep, {
        sources: this.#open(request),
        checksums,
        signal,
        onBytes: (bytes) => this.#channel.send({ type: 'progress', run, bytes }),
      });
      this.#channel.send({ type: 'done', run, result });
    } catch (error) {
      this.#channel.send({ type: 'failed', run, failure: failureOf(error) });
    } finally {
      this.#stops.delete(run);
    }
  }

  #open({ run, sources }: RunRequest): { head: RemoteSource; base: RemoteSource | null } {
    const open = new Map<number, RemoteSource>();
    const take = (origin: 'base' | 'head', number: number) => {
      const source = this.#sources.get(number) ?? new RemoteSource(this.#asker);
      source.serve(run, origin);
      open.set(number, source);
      return source;
    };
    const { head, base } = sources;
    const opened = { head: take('head', head), base: base === null ? null : take('base', base) };
    for (const [number, source] of this.#sources) if (!open.has(number)) source.closeFiles();
    this.#sources = open;
    return opened;
  }
}

/** What a sweep is stopped with; the caller knows its own reason. */
class Stopped extends Error {}

function failureOf(error: unknown): Failure {
  if (isLaikaError(error)) return { kind: 'input', details: error.details };
  if (error instanceof Stopped || error instanceof StorageFailed) return { kind: 'stopped' };
  return { kind: 'engine', message: error instanceof Error ? error.message : String(error) };
}
