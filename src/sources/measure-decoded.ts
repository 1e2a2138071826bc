/** How much a compressed part decodes to, where nothing stores it: one pass, nothing kept. */
import type { EncodedFile } from '../checkpoint/checkpoint.ts';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { decodeStream } from './decode-stream.ts';
import type { Source } from './source.ts';

/**
 * Bytes after decoding; null for more than `most`, where it stops.
 * @throws LaikaError `bytes-damaged` where the bytes are no such encoding; as `Source.read`.
 */
export async function measureDecoded(
  source: Source,
  stored: Omit<EncodedFile, 'sizeBytes'>,
  most: number,
): Promise<number | null> {
  let bytes = 0;
  try {
    for await (const chunk of decodeStream(source, { ...stored, sizeBytes: most })) {
      bytes += chunk.length;
      if (bytes > most) return null;
    }
    return bytes;
  } catch (error) {
    if (isLaikaError(error)) throw error;
    throw new LaikaError(
      {
        code: 'bytes-damaged',
        what: `The ${stored.codec} bytes of ${stored.name} cannot be decoded`,
        where: stored.file,
        why: error instanceof Error ? error.message : String(error),
      },
      { cause: error },
    );
  }
}
