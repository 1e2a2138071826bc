/** The streams of a sweep as they are read: where from, into which rooms, and what is computed beside. */
import type { Hash } from 'node:crypto';
import { dtypeBits } from '../checkpoint/dtype.ts';
import type { Operand } from '../laws/law.ts';
import { type CrcKind, crcKindOf } from '../records/crc.ts';
import type { Source } from '../sources/source.ts';
import { coveredChecksum } from './covered-checksum.ts';
import { checksumKey, type EngineContext, type Stream, type Sweep } from './engine.ts';
import type { ReaderHost } from './sweep-reader.ts';

/** The cyclic checksum, not masked, of the part of a stored one's bytes that was read. */
export interface CoveredCrc {
  /** As `checksumKey` makes it. */
  readonly key: string;
  readonly kind: CrcKind;
  value: number;
  bytes: number;
}

export interface Reading {
  readonly operand: Operand;
  readonly stream: Stream;
  readonly source: Source;
  /** Room for one chunk each. */
  readonly rooms: readonly Uint8Array[];
  readonly checksum: CoveredCrc | null;
  readonly hash: Hash | null;
  /** The stream of the head whose bytes may be these; null where that cannot be told. */
  readonly twin: Reading | null;
}

/** `room`: elements of one room. */
export function readingsOf(
  sweep: Sweep,
  context: EngineContext,
  { room, rooms = 1, allocate, isRepeated }: Omit<ReaderHost, 'pacer'> & { readonly room: number },
): readonly Reading[] {
  const covered = new Set<string>();
  const streams = Object.entries(sweep.streams) as [Operand, Stream][];
  const readings = streams.map(
    ([operand, stream]): Reading => ({
      operand,
      stream,
      source: sourceOf(stream, context),
      rooms: Array.from({ length: rooms }, (_, i) => allocate(operand, bytesOf(stream, room), i)),
      // Of bytes that are taken from elsewhere no checksum is their own.
      checksum: isRepeated && stream.digests ? null : checksumOf(stream, context, covered),
      hash: sweep.sha256.includes(operand) ? newSha256() : null,
      twin: null,
    }),
  );
  if (!isRepeated) return readings;
  return readings.map((each) => ({ ...each, twin: twinOf(each, readings) }));
}

/** Bytes of `elements` elements of a stream. */
export function bytesOf({ tensor }: Stream, elements: number): number {
  return Math.ceil((dtypeBits[tensor.dtype] * elements) / 8);
}

function sourceOf({ origin }: Stream, { sources }: EngineContext): Source {
  const source = origin === 'head' ? sources.head : sources.base;
  if (!source) throw new Error('a sweep reads a base that the context does not have');
  return source;
}

/** Streams may lie in one storage (a state that is saved twice): the first that covers it counts. */
function checksumOf(
  { tensor, origin }: Stream,
  context: EngineContext,
  covered: Set<string>,
): Reading['checksum'] {
  const stored = coveredChecksum(tensor, context.checksums[origin]);
  if (!stored) return null;
  const key = checksumKey(origin, stored);
  if (covered.has(key)) return null;
  covered.add(key);
  return { key, kind: crcKindOf(stored), value: 0, bytes: 0 };
}

/** The head's stream of the same tensor, where the digests of this one of the base are known. */
function twinOf({ operand, stream }: Reading, readings: readonly Reading[]): Reading | null {
  if (!stream.digests || !operand.endsWith('A')) return null;
  const name = `${operand.slice(0, -1)}B`;
  const twin = readings.find((each) => each.operand === name);
  return twin?.stream.tensor.dtype === stream.tensor.dtype ? twin : null;
}

/** Loads the module when a hash is asked for: every thread would wait for it. */
function newSha256(): Hash {
  return process.getBuiltinModule('node:crypto').createHash('sha256');
}
