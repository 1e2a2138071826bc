/**
 * The pickles at the start of what torch.save wrote before 1.6: a magic number, a version, sizes of
 * C types, the object, and the keys of its storages, whose bytes follow.
 */
import { type PickleOptions, type PickleReading, readPickle } from './read-pickle.ts';
import type { PickleValue } from './values.ts';

/** The first pickle: protocol 2, the number, the end. */
export const legacyMagic = new Uint8Array([
  0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
]);

const version = 1001;

/** True where the bytes are the beginning of such a stream, or of one that was cut. */
export function isLegacyStream(head: Uint8Array): boolean {
  const length = Math.min(head.length, legacyMagic.length);
  return length > 2 && legacyMagic.subarray(0, length).every((byte, i) => byte === head[i]);
}

export interface LegacyPickles {
  /** As far as they could be read: version, sizes, object, keys. */
  readonly readings: readonly { readonly start: number; readonly reading: PickleReading }[];
  /** The object; undefined where the pickles broke off before its end. */
  readonly root: PickleValue | undefined;
  /** The list of keys as it was stored; undefined where it is not there. */
  readonly keys: PickleValue | undefined;
  /** First byte after the pickles. */
  readonly endOffset: number;
  /** Why they are no stream of torch's, or break off; null where they do not. */
  readonly fault: string | null;
  /** The bytes end inside of them. */
  readonly isCut: boolean;
}

/**
 * Reads the pickles of a stream that begins as one. `where` is named when a limit is passed;
 * `options` as for each of the pickles.
 * @throws LaikaError `limit-exceeded`.
 */
export function readLegacyPickles(
  bytes: Uint8Array,
  where: string,
  options: Omit<PickleOptions, 'start'> = {},
): LegacyPickles {
  const readings: { start: number; reading: PickleReading }[] = [];
  const values: (PickleValue | undefined)[] = [];
  let start = legacyMagic.length;
  const ended = (fault: string | null, isCut = false): LegacyPickles => {
    const [, , root, keys] = values;
    return { readings, root, keys, endOffset: start, fault, isCut };
  };
  if (bytes.length <= start) return ended('it ends inside its header', true);
  for (const part of ['version', 'table of sizes', 'object', 'list of keys']) {
    const reading = readPickle(bytes, where, { ...options, start });
    readings.push({ start, reading });
    if (reading.fault !== null)
      return ended(`its ${part} is broken: ${reading.fault}`, reading.isCut);
    values.push(reading.value);
    start = reading.endOffset;
    if (part === 'version' && reading.value !== version) return ended('its version is not known');
  }
  return ended(null);
}
