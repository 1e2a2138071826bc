/**
 * TFRecord framing: length, its masked CRC-32C, data, its masked CRC-32C. Nothing is found again
 * behind a wrong checksum: where the next record begins is known from this one alone.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import { maskedCrc32c } from '../records/crc32c.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { logPlace } from './log-place.ts';

const headBytes = 12;
const tailBytes = 4;
const pieceBytes = 1024 * 1024;

/** An image or a graph is some megabytes. */
const recordBytesMost = 64 * 1024 * 1024;

export interface EventRecord {
  readonly data: Uint8Array;
  /** Of the record, for messages. */
  readonly offset: number;
}

/** What is wrong with an event file, and at which byte. */
export function badEvents(source: Source, file: SourceFile, at: { offset: number; why: string }) {
  return new LaikaError({
    code: 'log-invalid',
    what: 'The TensorBoard event file is damaged',
    where: `${logPlace(source, file)}: byte ${at.offset}`,
    why: at.why,
    next: 'name another log of the same run, such as its metrics.jsonl',
  });
}

/** Bytes of a file from front to back, read a piece at a time. */
class Window {
  readonly #source: Source;
  readonly #file: SourceFile;
  #bytes = new Uint8Array(0);
  #start = 0;

  constructor(source: Source, file: SourceFile) {
    this.#source = source;
    this.#file = file;
  }

  /** `offset` may not go back; the bytes are valid until the next call. */
  async at(offset: number, length: number): Promise<Uint8Array> {
    if (offset + length > this.#start + this.#bytes.length) {
      const kept = this.#bytes.subarray(offset - this.#start);
      const most = this.#file.sizeBytes - offset;
      const next = new Uint8Array(Math.min(most, Math.max(length, pieceBytes)));
      next.set(kept);
      const into = next.subarray(kept.length);
      await this.#source.read(this.#file.name, offset + kept.length, into);
      this.#bytes = next;
      this.#start = offset;
    }
    const from = offset - this.#start;
    return this.#bytes.subarray(from, from + length);
  }
}

/**
 * Whole records in order; a cut last one is left out, as its writer may still be at it. The data is
 * valid until the next record.
 * @throws LaikaError `log-invalid` (a wrong checksum), `limit-exceeded` (a record above 64 MiB); as
 * `Source.read`.
 */
export async function* eventRecords(source: Source, file: SourceFile): AsyncGenerator<EventRecord> {
  const window = new Window(source, file);
  let offset = 0;
  while (offset + headBytes <= file.sizeBytes) {
    const head = await window.at(offset, headBytes);
    const view = new DataView(head.buffer, head.byteOffset, headBytes);
    if (maskedCrc32c(head.subarray(0, 8)) !== view.getUint32(8, true)) {
      throw badEvents(source, file, { offset, why: 'a length does not match its checksum' });
    }
    const length = view.getBigUint64(0, true);
    if (length > BigInt(recordBytesMost)) {
      throw new LaikaError({
        code: 'limit-exceeded',
        what: `A record of the event file has more than ${recordBytesMost} bytes`,
        where: `${logPlace(source, file)}: byte ${offset}`,
        why: `it says ${length}`,
      });
    }
    const dataBytes = Number(length);
    const end = offset + headBytes + dataBytes + tailBytes;
    if (end > file.sizeBytes) return;
    const rest = await window.at(offset + headBytes, dataBytes + tailBytes);
    const data = rest.subarray(0, dataBytes);
    const stored = new DataView(rest.buffer, rest.byteOffset + dataBytes, tailBytes);
    if (maskedCrc32c(data) !== stored.getUint32(0, true)) {
      throw badEvents(source, file, { offset, why: 'a record does not match its checksum' });
    }
    yield { data, offset };
    offset = end;
  }
}
