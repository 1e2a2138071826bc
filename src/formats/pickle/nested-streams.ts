/** Streams inside pickles: loading the pickle loads them, so they are read for what they ask. */
import type { PickleCall } from './call-ledger.ts';
import { isLegacyStream, readLegacyPickles } from './legacy-pickles.ts';
import { maxNestedMemoryBytes, maxPickleBytes } from './limits.ts';
import type { PickleReading } from './read-pickle.ts';

/** Streams inside each other: torch's own are one deep. */
const depthMost = 3;

/** What is told of one pickle's streams. */
const callsMost = 100;

/** What the streams inside a pickle ask for, at the offsets of the calls that would load them. */
export function nestedCalls(reading: PickleReading, where: string): PickleCall[] {
  return new NestedReader(where).callsOf(reading, 1);
}

class NestedReader {
  readonly #where: string;
  /** A few bytes can make a long stream again and again: all of them together have a limit. */
  #left = maxPickleBytes;

  constructor(where: string) {
    this.#where = where;
  }

  callsOf(reading: PickleReading, depth: number): PickleCall[] {
    const calls: PickleCall[] = [];
    for (const [stream, offset] of reading.nested) {
      for (const call of this.#callsIn(stream, depth)) calls.push({ ...call, offset });
      if (calls.length >= callsMost) break;
    }
    return calls;
  }

  #callsIn(stream: Uint8Array, depth: number): PickleCall[] {
    const code = (message: string): PickleCall[] => [{ kind: 'code', offset: 0, message }];
    if (depth > depthMost) return code(`holds streams that are more than ${depthMost} deep`);
    this.#left -= stream.length;
    if (this.#left < 0) return code('holds more streams than it could hold tensors');
    if (!isLegacyStream(stream)) return code('loads a stream that is no storage of torch');
    const memory = maxNestedMemoryBytes;
    const { readings } = readLegacyPickles(stream, this.#where, { memory });
    return readings.flatMap(({ reading }) => {
      return [...reading.calls, ...this.callsOf(reading, depth + 1)];
    });
  }
}
