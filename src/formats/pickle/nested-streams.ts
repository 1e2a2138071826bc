/** Streams inside pickles: loading the pickle loads them, so they are read for what they ask. */
import type { PickleCall } from './call-ledger.ts';
import { isLegacyStream, readLegacyPickles } from './legacy-pickles.ts';
import type { PickleReading } from './read-pickle.ts';

/** Streams inside each other: torch's own are one deep. */
const depthMost = 3;

/** What is told of one pickle's streams. */
const callsMost = 100;

/** What the streams inside a pickle ask for, at the offsets of the calls that would load them. */
export function nestedCalls(reading: PickleReading, where: string, depth = 1): PickleCall[] {
  const calls: PickleCall[] = [];
  for (const [stream, offset] of reading.nested) {
    for (const call of callsIn(stream, where, depth)) calls.push({ ...call, offset });
    if (calls.length >= callsMost) break;
  }
  return calls;
}

function callsIn(stream: Uint8Array, where: string, depth: number): PickleCall[] {
  const code = (message: string): PickleCall[] => [{ kind: 'code', offset: 0, message }];
  if (depth > depthMost) return code(`holds streams that are more than ${depthMost} deep`);
  if (!isLegacyStream(stream)) return code('loads a stream that is no storage of torch');
  return readLegacyPickles(stream, where).readings.flatMap(({ reading }) => {
    return [...reading.calls, ...nestedCalls(reading, where, depth + 1)];
  });
}
