/**
 * Many small reads of one file as few larger ones: an archive of 100,000 members has as many
 * headers.
 */
import type { Source } from '../sources/source.ts';

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** Bytes between two ranges that are cheaper read than skipped. */
const joinGap = 16 * 1024;

/** One read is not longer than this unless one range is. */
const joinLimit = 1024 * 1024;

/**
 * Calls `visit` for each range in order with its bytes, which are only valid during the call.
 * `ranges` are sorted by offset and lie inside the file.
 */
export async function readRanges<R extends ByteRange>(
  from: { source: Source; file: string },
  ranges: readonly R[],
  visit: (range: R, bytes: Uint8Array) => void,
): Promise<void> {
  let first = 0;
  while (first < ranges.length) {
    const start = (ranges[first] as R).offset;
    let end = start + (ranges[first] as R).length;
    let next = first + 1;
    for (; next < ranges.length; next += 1) {
      const range = ranges[next] as R;
      const reach = Math.max(end, range.offset + range.length);
      if (range.offset - end > joinGap || reach - start > joinLimit) break;
      end = reach;
    }
    const window = new Uint8Array(end - start);
    await from.source.read(from.file, start, window);
    for (; first < next; first += 1) {
      const range = ranges[first] as R;
      const at = range.offset - start;
      visit(range, window.subarray(at, at + range.length));
    }
  }
}
