/** Reads runs of quantised elements as float32: blocks are of one size, so that any run can be reached. */
import assert from 'node:assert/strict';
import type { EncodedFile } from '../checkpoint/checkpoint.ts';
import { blockLayouts, isBlockCodec } from './block-codecs.ts';
import type { Source } from './source.ts';

/** Stored bytes fetched at once. */
const fetchBytes = 256 * 1024;

/** Fills `into` with decoded bytes from `offset` on. @throws LaikaError as `Source.read`. */
export async function readBlocks(
  source: Source,
  encoded: EncodedFile,
  run: { readonly offset: number; readonly into: Uint8Array },
): Promise<void> {
  assert(isBlockCodec(encoded.codec));
  const { elements, bytes, decode } = blockLayouts[encoded.codec];
  const { offset, into } = run;
  const end = offset + into.length;
  const decodedBytes = 4 * elements;
  const values = new Float32Array(elements);
  const decoded = new Uint8Array(values.buffer);
  const atOnce = Math.floor(fetchBytes / bytes);
  const last = Math.ceil(end / decodedBytes);
  for (let first = Math.floor(offset / decodedBytes); first < last; first += atOnce) {
    const count = Math.min(atOnce, last - first);
    const stored = new Uint8Array(count * bytes);
    await source.read(encoded.file, encoded.offset + first * bytes, stored);
    const view = new DataView(stored.buffer);
    for (let block = 0; block < count; block += 1) {
      decode(view, block * bytes, values);
      const start = (first + block) * decodedBytes;
      const from = Math.max(offset, start);
      const to = Math.min(end, start + decodedBytes);
      into.set(decoded.subarray(from - start, to - start), from - offset);
    }
  }
}
