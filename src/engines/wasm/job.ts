/** Work that crosses threads: one part of a sweep, and what comes back of it. */
import type { StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { ErrorDetails } from '../../checkpoint/errors.ts';
import type { Placement } from '../../checkpoint/tensor.ts';
import { digestCount } from '../../records/digest.ts';
import { chunkElements } from '../../records/grid.ts';
import { coveredChecksum } from '../covered-checksum.ts';
import type { EngineContext, Stream, Sweep, SweepResult } from '../engine.ts';
import type { Pacer } from '../pacer.ts';
import type { Chunk } from '../sweep-reader.ts';
import { joinParts, type SquaresAbout } from './join-parts.ts';
import type { SweepPart } from './sweep-part.ts';
import { type Memory, SweepPass } from './sweep-pass.ts';

type Origin = Stream['origin'];

export interface Job {
  readonly sweep: Sweep;
  readonly span: Chunk;
  /** Only Σ(x · scale − centre)² of one stream is wanted. */
  readonly squares?: SquaresAbout;
}

/** A job with what a thread needs that has no source. */
export interface PortableJob extends Job {
  /** Absolute paths by origin and name. */
  readonly files: readonly (readonly [Origin, string, string])[];
  readonly checksums: EngineContext['checksums'];
}

export type JobResult =
  /** The job was the whole sweep. */
  | { readonly kind: 'whole'; readonly result: SweepResult }
  | { readonly kind: 'part'; readonly part: SweepPart }
  | { readonly kind: 'squares'; readonly squares: readonly number[]; readonly bytesRead: number };

/** What a thread answers for one job. */
export type Reply =
  | { readonly ok: true; readonly result: JobResult }
  | { readonly ok: false; readonly details: ErrorDetails | null; readonly message: string };

/** A view or boxes are gathered: neighbours share what was fetched, and parts are larger. */
const gatheredParts = 4;

/** Bytes of all streams for `elements` elements. */
export function sweepBytes({ streams }: Sweep, elements: number): number {
  let bits = 0;
  for (const { tensor } of Object.values(streams)) bits += dtypeBits[tensor.dtype];
  return Math.ceil((bits * elements) / 8);
}

/** Cuts a sweep into parts of whole chunks; a hash goes through its tensor in one piece. */
export function spansOf(sweep: Sweep, partBytes: number): readonly Chunk[] {
  const { elements } = sweep;
  const whole = [{ first: 0, count: elements }];
  const perChunk = sweepBytes(sweep, chunkElements);
  if (sweep.sha256.length > 0 || elements <= chunkElements || perChunk === 0) return whole;
  const kinds = Object.values(sweep.streams).map(({ tensor }) => tensor.placement.kind);
  const isPacked = kinds.every((kind) => kind === 'dense' || kind === 'zeros');
  const aim = isPacked ? partBytes : gatheredParts * partBytes;
  const size = Math.max(1, Math.round(aim / perChunk)) * chunkElements;
  const spans: Chunk[] = [];
  for (let first = 0; first < elements; first += size) {
    spans.push({ first, count: Math.min(size, elements - first) });
  }
  return spans;
}

/** The sweep with as much of its digest tables as one part needs: a table crosses threads in whole. */
export function withinSpan(sweep: Sweep, { first, count }: Chunk): Sweep {
  const cut = Object.entries(sweep.streams).map(([operand, stream]) => {
    const { digests, tensor } = stream;
    if (!digests) return [operand, stream];
    const entry = (element: number) =>
      2 * digestCount(Math.ceil((element * dtypeBits[tensor.dtype]) / 8));
    return [operand, { ...stream, digests: digests.slice(entry(first), entry(first + count)) }];
  });
  return { ...sweep, streams: Object.fromEntries(cut) };
}

/** Does the job answer for the whole sweep? */
export function isWhole({ sweep, span, squares }: Job): boolean {
  return span.count === sweep.elements && squares === undefined;
}

/** Runs a job in the memory of this thread. @throws as `Source.read`. */
export async function runJob(
  job: Job,
  host: { readonly memory: Memory; readonly context: EngineContext; readonly pacer: Pacer },
): Promise<JobResult> {
  const { sweep, span, squares } = job;
  const pass = new SweepPass(sweep, { ...host, span });
  if (squares) return { kind: 'squares', ...(await pass.pageSquares(squares)) };
  const part = await pass.run();
  if (!isWhole(job)) return { kind: 'part', part };
  const result = await joinParts(sweep, [part], (about) => pass.measure(about));
  return { kind: 'whole', result };
}

/** Names of the files that a placement reads; null where its bytes came with the metadata. */
function filesOf(placement: Placement): readonly string[] | null {
  switch (placement.kind) {
    case 'dense':
      return placement.pieces.map(({ file }) => file);
    case 'strided':
      return [placement.file];
    case 'zeros':
      return [];
    case 'boxes': {
      const names = placement.boxes.map((box) => filesOf(box.placement));
      return names.includes(null) ? null : [...new Set(names.flat() as string[])];
    }
    case 'inline':
    case 'absent':
      return null;
  }
}

/** What a thread needs to run jobs of this sweep; null where this thread must read for it. */
export function portable(
  sweep: Sweep,
  context: EngineContext,
): Pick<PortableJob, 'files' | 'checksums'> | null {
  const paths = new Map<string, readonly [Origin, string, string]>();
  for (const { tensor, origin } of Object.values(sweep.streams)) {
    const source = context.sources[origin];
    const files = filesOf(tensor.placement);
    if (!source || !files) return null;
    for (const file of files) {
      const key = `${origin}\0${file}`;
      if (paths.has(key)) continue;
      const path = source.localPath(file);
      if (path === null) return null;
      paths.set(key, [origin, file, path]);
    }
  }
  return { files: [...paths.values()], checksums: coveredBy(sweep, context) };
}

function coveredBy(sweep: Sweep, { checksums }: EngineContext): EngineContext['checksums'] {
  const found: Record<Origin, StoredChecksum[]> = { head: [], base: [] };
  for (const { tensor, origin } of Object.values(sweep.streams)) {
    const covered = coveredChecksum(tensor, checksums[origin]);
    if (covered) found[origin].push(covered);
  }
  return found;
}
