/** Texts that are attached to objects of an HDF5 file: names, configurations, lists of names. */
import { readDataspace, readDatatype } from './datatype.ts';
import { FractalHeap } from './fractal-heap.ts';
import { type Hdf5Bytes, u64, undefinedAddress } from './hdf5-bytes.ts';
import { type Message, messageTypes } from './object-header.ts';
import { readTree2 } from './tree-2.ts';

/** A configuration of the largest models takes some megabytes. */
const textMost = 2 ** 26;

/** Names in one list. */
const textsMost = 100_000;

interface Attribute {
  readonly name: string;
  readonly datatype: Buffer;
  readonly dataspace: Buffer;
  readonly data: Buffer;
}

function padded(length: number, version: number): number {
  return version === 1 ? Math.ceil(length / 8) * 8 : length;
}

/** Null: of a version that is not read, with shared parts, or broken. */
function readAttribute(body: Buffer): Attribute | null {
  const version = body[0] ?? 0;
  if (version < 1 || version > 3 || body.length < 9) return null;
  if (version > 1 && ((body[1] as number) & 3) !== 0) return null;
  const [nameLength, typeLength, spaceLength] = [2, 4, 6].map((at) => body.readUInt16LE(at));
  const nameAt = version === 3 ? 9 : 8;
  const typeAt = nameAt + padded(nameLength as number, version);
  const spaceAt = typeAt + padded(typeLength as number, version);
  const dataAt = spaceAt + padded(spaceLength as number, version);
  if (dataAt > body.length) return null;
  const name = body.toString('utf8', nameAt, nameAt + (nameLength as number)).replace(/\0.*$/s, '');
  return {
    name,
    datatype: body.subarray(typeAt, typeAt + (typeLength as number)),
    dataspace: body.subarray(spaceAt, spaceAt + (spaceLength as number)),
    data: body.subarray(dataAt),
  };
}

function textOf(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end);
}

/** An object of a collection of the global heap; null where there is none. */
async function heapText(bytes: Hdf5Bytes, reference: Buffer): Promise<string | null> {
  const length = reference.readUInt32LE(0);
  const address = u64(reference, 4);
  const wanted = reference.readUInt32LE(12);
  if (length === 0) return '';
  const head = await bytes.marked(address, 16, 'GCOL');
  const size = u64(head, 8);
  if (!(size <= textMost)) return null;
  const heap = await bytes.at(address, size);
  for (let at = 16; at + 16 <= heap.length; ) {
    const index = heap.readUInt16LE(at);
    const objectSize = u64(heap, at + 8);
    if (index === 0 || !(at + 16 + objectSize <= heap.length)) return null;
    if (index === wanted)
      return textOf(heap.subarray(at + 16, at + 16 + Math.min(length, objectSize)));
    at += 16 + Math.ceil(objectSize / 8) * 8;
  }
  return null;
}

/**
 * Attributes that are texts, or lists of them, by name; all others are left out.
 * @throws Hdf5Fault; as `Source.read`.
 */
export async function readTexts(
  bytes: Hdf5Bytes,
  messages: readonly Message[],
): Promise<Map<string, readonly string[]>> {
  const texts = new Map<string, readonly string[]>();
  for (const body of await attributeBodies(bytes, messages)) {
    const attribute = readAttribute(body);
    const values = attribute && (await valuesOf(bytes, attribute));
    if (attribute && values) texts.set(attribute.name, values);
  }
  return texts;
}

/** Records of names: the object in the heap comes first. */
const namesType = 8;

/** Bytes of an object's name in the heap of attributes. */
const idBytes = 8;

/** In the header; and in a heap, where there are many of them or large ones. */
async function attributeBodies(
  bytes: Hdf5Bytes,
  messages: readonly Message[],
): Promise<readonly Buffer[]> {
  const own = messages.filter(({ type, isShared }) => {
    return type === messageTypes.attribute && !isShared;
  });
  const bodies = own.map(({ body }) => body);
  const info = messages.find(({ type }) => type === messageTypes.attributeInfo)?.body;
  // Flag 1: a maximum comes before the address of the heap.
  const heapAt = ((info?.[1] ?? 0) & 1) !== 0 ? 4 : 2;
  if (!info || info.length < heapAt + 16) return bodies;
  if (info.readBigUInt64LE(heapAt) === undefinedAddress) return bodies;
  const heap = await FractalHeap.open(bytes, u64(info, heapAt));
  for (const record of await readTree2(bytes, u64(info, heapAt + 8), namesType)) {
    const isShared = ((record[idBytes] ?? 0) & 2) !== 0;
    if (!isShared) bodies.push(await heap.object(record.subarray(0, idBytes)));
  }
  return bodies;
}

async function valuesOf(bytes: Hdf5Bytes, attribute: Attribute): Promise<string[] | null> {
  const type = readDatatype(attribute.datatype);
  const shape = readDataspace(attribute.dataspace);
  if (type?.kind !== 'text' || !shape) return null;
  const count = Number(shape.reduce((product, size) => product * size, 1n));
  const each = type.isVariable ? 16 : type.sizeBytes;
  if (!(count <= textsMost && count * each <= attribute.data.length)) return null;
  const values: string[] = [];
  for (let i = 0; i < count; i += 1) {
    const part = attribute.data.subarray(i * each, (i + 1) * each);
    const text = type.isVariable ? await heapText(bytes, part) : textOf(part);
    if (text === null) return null;
    values.push(text);
  }
  return values;
}
