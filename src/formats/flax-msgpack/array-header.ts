/** The header of an array inside MessagePack: `[shape, type's name, bytes]` in an extension. */
import { type DType, sizeBytes } from '../../checkpoint/dtype.ts';
import { dtypeOfName } from '../jax/array-types.ts';
import { type ExtensionToken, MsgpackFault, type MsgpackReader } from './msgpack-reader.ts';

/** NumPy stops at 64 dimensions. */
const rankMost = 64;

const typeNameMost = 64;

export interface ArrayHeader {
  readonly shape: readonly number[];
  readonly elements: number;
  /** As the file spells it. */
  readonly typeName: string;
  /** Null: not known here. */
  readonly dtype: DType | null;
  /** Where its bytes lie. */
  readonly offset: number;
  readonly length: number;
  /** Shape and type give exactly the bytes that are stored. */
  readonly agrees: boolean;
}

/**
 * Reads the header and leaves the reader behind the bytes.
 * @throws MsgpackFault where the extension holds anything else.
 */
export async function readArrayHeader(
  reader: MsgpackReader,
  extension: ExtensionToken,
): Promise<ArrayHeader> {
  const fault = (message: string) => new MsgpackFault(extension.offset, `an array ${message}`);
  const outer = await reader.next();
  if (outer.kind !== 'array' || outer.count !== 3) throw fault('is no list of three');
  const shape = await readShape(reader, fault);
  const name = await reader.next();
  if (name.kind !== 'text' || name.length > typeNameMost) throw fault('has no type');
  const typeName = await reader.text(name.length);
  const bytes = await reader.next();
  const end = extension.offset + extension.length;
  if (bytes.kind !== 'binary') throw fault('has no bytes');
  const { offset, length } = bytes;
  if (offset + length !== end) throw fault('does not end where its extension does');
  reader.skip(length);
  const elements = shape.reduce((product, size) => product * size, 1);
  const dtype = dtypeOfName(typeName);
  const agrees =
    dtype !== null && Number.isSafeInteger(elements) && sizeBytes(dtype, elements) === length;
  return { shape, elements, typeName, dtype, offset, length, agrees };
}

async function readShape(
  reader: MsgpackReader,
  fault: (message: string) => MsgpackFault,
): Promise<number[]> {
  const list = await reader.next();
  if (list.kind !== 'array' || list.count > rankMost) throw fault('has no shape');
  const shape: number[] = [];
  for (let i = 0; i < list.count; i += 1) {
    const size = await reader.next();
    const value = size.kind === 'number' ? Number(size.value) : Number.NaN;
    if (!Number.isSafeInteger(value) || value < 0) throw fault('has a size that is no size');
    shape.push(value);
  }
  return shape;
}
