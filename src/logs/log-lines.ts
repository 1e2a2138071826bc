/** Lines of a text file in order, a piece of the file at a time. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { logPlace } from './log-place.ts';

const pieceBytes = 1024 * 1024;

/** A longer line is no line of a log. */
const lineBytesMost = 16 * 1024 * 1024;

export interface TextLine {
  readonly bytes: Uint8Array;
  /** From 1. */
  readonly number: number;
  /** False for a last line without its end: its writer may still be at it. */
  readonly isEnded: boolean;
}

/**
 * Lines as the file stood when it was listed; what is appended meanwhile is left for the next time.
 * @throws LaikaError `log-invalid` (a line above 16 MiB); as `Source.read`.
 */
export async function* linesOf(source: Source, file: SourceFile): AsyncGenerator<TextLine> {
  let rest: Uint8Array = new Uint8Array(0);
  let number = 0;
  for (let offset = 0; offset < file.sizeBytes; offset += pieceBytes) {
    const piece = new Uint8Array(Math.min(pieceBytes, file.sizeBytes - offset));
    await source.read(file.name, offset, piece);
    let start = 0;
    for (let end = piece.indexOf(10); end >= 0; end = piece.indexOf(10, start)) {
      number += 1;
      const tail = piece.subarray(start, end);
      const bytes = rest.length > 0 ? Buffer.concat([rest, tail]) : tail;
      yield { bytes, number, isEnded: true };
      rest = new Uint8Array(0);
      start = end + 1;
    }
    rest = Buffer.concat([rest, piece.subarray(start)]);
    if (rest.length > lineBytesMost) throw tooLong(source, file, number + 1);
  }
  if (rest.length > 0) yield { bytes: rest, number: number + 1, isEnded: false };
}

function tooLong(source: Source, file: SourceFile, number: number): LaikaError {
  return new LaikaError({
    code: 'log-invalid',
    what: 'The training log has a line that is too long',
    where: `${logPlace(source, file)}: line ${number}`,
    why: `more than ${lineBytesMost} bytes`,
  });
}
