/** What a reading of a pickle found, as problems of the file that holds it. */
import type { Problem } from '../../checkpoint/problem.ts';
import { nestedCalls } from './nested-streams.ts';
import type { PickleReading } from './read-pickle.ts';

export interface PicklePlace {
  readonly file: string;
  /** First byte of the pickle in the file; null where it was inflated first. */
  readonly offset: number | null;
  readonly sizeBytes: number;
}

/** Faults are damage, calls are security, unknown classes are worth a line. */
export function pickleProblems(reading: PickleReading, place: PicklePlace): Problem[] {
  const { file } = place;
  const at = (offset: number) => (place.offset === null ? {} : { offset: place.offset + offset });
  const calls = [...reading.calls, ...nestedCalls(reading, file)];
  const problems: Problem[] = calls.map(({ kind, offset, message }) => ({
    rule: kind === 'code' ? 'code-in-pickle' : 'unknown-class-in-pickle',
    kind: kind === 'code' ? 'security' : 'info',
    file,
    ...at(offset),
    message: `the pickle ${message}`,
  }));
  if (reading.fault !== null) {
    const message = `the pickle is broken at its byte ${reading.endOffset}: ${reading.fault}`;
    problems.push({
      rule: 'header-invalid',
      kind: 'damage',
      file,
      ...at(reading.endOffset),
      message,
    });
  } else if (reading.endOffset < place.sizeBytes) {
    const rest = place.sizeBytes - reading.endOffset;
    const message = `${rest} bytes follow the end of the pickle: another pickle can hide there`;
    problems.push({
      rule: 'code-in-pickle',
      kind: 'security',
      file,
      ...at(reading.endOffset),
      message,
    });
  }
  return problems;
}
