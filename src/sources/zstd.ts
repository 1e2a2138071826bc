/** Decodes zstd (RFC 8878) as it streams, and looks at what a frame asks for before it gets it. */
import { Decompress } from 'fzstd';

/** Largest back-reference window that is allocated; frames of one segment ask for their whole size. */
export const zstdWindowMost = 256 * 1024 * 1024;

const frameMagic = 0xfd2fb528;

/**
 * Bytes of window that the first frame asks for; null where no frame starts or its header is cut.
 * Frames of zstd's skippable kind ask for none.
 */
export function zstdWindow(head: Uint8Array): number | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 6) return null;
  const magic = view.getUint32(0, true);
  if (magic >>> 4 === 0x184d2a5) return 0;
  if (magic !== frameMagic) return null;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  if (!isSingle) {
    const window = view.getUint8(5);
    return 2 ** (10 + (window >> 3)) * (1 + (window & 7) / 8);
  }
  return zstdContentSize(head);
}

/** A block of three bytes may decode to 128 KiB: few are handed over at once. */
const pushBytes = 1024;

/** Decoded chunks in order. Throws where the bytes are no zstd, or the window passes its limit. */
export async function* unzstd(stored: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let ready: Uint8Array[] = [];
  const decoder = new Decompress((chunk) => ready.push(chunk));
  let seen = false;
  for await (const page of stored) {
    if (!seen) checkWindow(page);
    seen = true;
    for (let at = 0; at < page.length; at += pushBytes) {
      // The decoder keeps what it is given until a block is whole, and the page is used again.
      decoder.push(page.slice(at, at + pushBytes));
      yield* ready;
      ready = [];
    }
  }
  decoder.push(new Uint8Array(0), true);
  yield* ready;
}

function checkWindow(page: Uint8Array): void {
  const window = zstdWindow(page);
  if (window === null) throw new Error('no zstd frame starts there');
  if (window > zstdWindowMost) throw new Error(`its window of ${window} bytes passes the limit`);
}

/**
 * Decodes bytes that lie in memory; null where they decode to more than `most` bytes.
 * Throws as `unzstd`.
 */
export async function unzstdWhole(stored: Uint8Array, most: number): Promise<Uint8Array | null> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of unzstd(once(stored))) {
    length += chunk.length;
    if (length > most) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Bytes that the first frame says it decodes to; null where it does not say, or no frame starts. */
export function zstdContentSize(head: Uint8Array): number | null {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  if (head.length < 6 || view.getUint32(0, true) !== frameMagic) return null;
  const descriptor = view.getUint8(4);
  const isSingle = (descriptor & 0x20) !== 0;
  const width = [isSingle ? 1 : 0, 2, 4, 8][descriptor >> 6] as number;
  const at = 5 + (isSingle ? 0 : 1) + ([0, 1, 2, 4][descriptor & 3] as number);
  if (width === 0 || head.length < at + width) return null;
  if (width === 1) return view.getUint8(at);
  if (width === 2) return view.getUint16(at, true) + 256;
  return width === 4 ? view.getUint32(at, true) : Number(view.getBigUint64(at, true));
}
