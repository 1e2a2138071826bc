/** Where the elements of one chunk are: in a file, in a compressed part of one, or in the metadata. */
import { gunzipSync, inflateSync } from 'node:zlib';
import type { Codec, EncodedFile } from '../../checkpoint/checkpoint.ts';
import { dtypeBits } from '../../checkpoint/dtype.ts';
import type { Box } from '../../checkpoint/tensor.ts';
import { toLogicalBytes } from '../../sources/element-bytes.ts';
import type { Source } from '../../sources/source.ts';
import { unzstdWhole, zstdContentSize, zstdWindow, zstdWindowMost } from '../../sources/zstd.ts';
import { placeInChunk, stridesOf } from '../chunk-grid.ts';
import type { StoredValue } from '../ocdbt/tree-node.ts';
import { type ArrayLayout, LayoutFault } from './array-layout.ts';
import { bytesOf, lengthOf, sliceOf } from './array-store.ts';

/** A chunk as it is stored: of its layout's shape, or of the shape of chunks in a shard. */
export interface Chunk {
  /** For people, and part of the name of what it decodes to: `params.w/0.0`. */
  readonly key: string;
  readonly layout: ArrayLayout;
  readonly chunkShape: readonly number[];
  /** Elements of the array that it holds. */
  readonly sizes: readonly number[];
  readonly value: StoredValue;
}

export interface PlacedChunk {
  readonly placement: Box['placement'];
  readonly encoded: EncodedFile | null;
}

/** Bytes that tell what a zstd frame asks for. */
const frameHeadBytes = 18;

function chunkBytes({ layout, chunkShape }: Chunk): number {
  const elements = chunkShape.reduce((product, size) => product * size, 1);
  return (elements * dtypeBits[layout.dtype]) / 8;
}

/**
 * Checks what can be told without decoding.
 * @throws LayoutFault where the stored bytes cannot be the chunk; LaikaError as `Source.read`.
 */
export async function placeChunk(source: Source, chunk: Chunk): Promise<PlacedChunk> {
  const { layout, value, key } = chunk;
  const sizeBytes = chunkBytes(chunk);
  if (value.kind === 'inline') {
    const whole = await decodeInline(value.bytes, layout.codec, sizeBytes);
    return { placement: { kind: 'inline', bytes: cut(whole, chunk) }, encoded: null };
  }
  if (layout.codec === 'stored') {
    expectSize(value.length, sizeBytes);
    return { placement: placed(chunk, value.file, value.offset), encoded: null };
  }
  if (layout.codec === 'zstd') await checkFrame(source, value, sizeBytes);
  const { file, offset, length: storedBytes } = value;
  // A chunk with a file of its own repeats nothing of it.
  const name = `${file}!${file.endsWith(key) ? layout.codec : key}`;
  const encoded = { name, file, offset, storedBytes, codec: layout.codec, sizeBytes };
  return { placement: placed(chunk, name, 0), encoded };
}

function expectSize(found: number, sizeBytes: number): void {
  if (found === sizeBytes) return;
  const rule = found < sizeBytes ? 'file-truncated' : 'shape-mismatch';
  throw new LayoutFault(rule, 'damage', `a chunk has ${found} bytes; its shape makes ${sizeBytes}`);
}

async function checkFrame(source: Source, value: StoredValue, sizeBytes: number): Promise<void> {
  const head = sliceOf(value, 0, Math.min(frameHeadBytes, lengthOf(value)));
  checkHead(await bytesOf(source, head), sizeBytes);
}

function checkHead(head: Uint8Array, sizeBytes: number): void {
  const window = zstdWindow(head);
  if (window === null) {
    throw new LayoutFault('header-invalid', 'damage', 'no zstd frame begins where a chunk does');
  }
  const content = zstdContentSize(head);
  if (content === null || content === sizeBytes) return;
  const message = `a chunk says it decodes to ${content} bytes; its shape makes ${sizeBytes}`;
  const isBomb = content > sizeBytes && Math.max(content, window) > zstdWindowMost;
  if (isBomb) throw new LayoutFault('compression-bomb', 'security', message);
  throw new LayoutFault('shape-mismatch', 'damage', message);
}

function placed(chunk: Chunk, file: string, offset: number): Box['placement'] {
  const { layout, chunkShape, sizes } = chunk;
  const { order, bigEndian, dtype } = layout;
  const at = { file, offset, ...rankOf(file) };
  return placeInChunk({ chunkShape, sizes, order, bigEndian, dtype }, at);
}

/** Each process writes into a folder of its own. */
export function rankOf(file: string): { readonly rank?: number } {
  const found = /(?:^|\/)ocdbt\.process_([0-9]{1,9})\//.exec(file);
  return found ? { rank: Number(found[1]) } : {};
}

async function decodeInline(
  stored: Uint8Array,
  codec: Codec,
  sizeBytes: number,
): Promise<Uint8Array> {
  if (codec === 'zstd') checkHead(stored, sizeBytes);
  const decoded = await decode(stored, codec, sizeBytes);
  expectSize(decoded.length, sizeBytes);
  return decoded;
}

async function decode(stored: Uint8Array, codec: Codec, most: number): Promise<Uint8Array> {
  try {
    if (codec === 'zstd') return (await unzstdWhole(stored, most)) ?? new Uint8Array(0);
    const maxOutputLength = Math.max(1, most);
    if (codec === 'gzip') return gunzipSync(stored, { maxOutputLength });
    if (codec === 'zlib') return inflateSync(stored, { maxOutputLength });
  } catch (error) {
    const message = `a chunk cannot be decoded: ${(error as Error).message}`;
    throw new LayoutFault('header-invalid', 'damage', message);
  }
  return stored;
}

/** The box's elements in logical order; small, for they came with the metadata. */
function cut(whole: Uint8Array, { layout, chunkShape, sizes }: Chunk): Uint8Array {
  const size = dtypeBits[layout.dtype] / 8;
  const elements = sizes.reduce((product, each) => product * each, 1);
  const strides = stridesOf(chunkShape, layout.order);
  const bytes = new Uint8Array(elements * size);
  const place = sizes.map(() => 0);
  for (let i = 0; i < elements; i += 1) {
    const from = place.reduce((sum, at, d) => sum + at * (strides[d] as number), 0) * size;
    bytes.set(whole.subarray(from, from + size), i * size);
    for (let d = sizes.length - 1; d >= 0; d -= 1) {
      place[d] = (place[d] as number) + 1;
      if ((place[d] as number) < (sizes[d] as number)) break;
      place[d] = 0;
    }
  }
  toLogicalBytes(bytes, { dtype: layout.dtype, bigEndian: layout.bigEndian, lazy: null });
  return bytes;
}
