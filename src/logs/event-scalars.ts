/** Scalars of one TensorBoard event. Fields by their numbers in event.proto and summary.proto. */
import { type WireField, wireFields } from '../formats/protobuf.ts';

export interface EventScalar {
  readonly tag: string;
  readonly step: number;
  /** Seconds since 1970, as its writer's clock said; 0 where it is missing. */
  readonly wallTime: number;
  readonly value: number;
}

const event = { wallTime: 1, step: 2, summary: 5 } as const;
const summaryValue = 1;
const value = { tag: 1, simple: 2, tensor: 8 } as const;
const tensor = { dtype: 1, content: 4, floats: 5, doubles: 6 } as const;
const tensorFloat = 1n;
const tensorDouble = 2n;

/** A tag is a name; longer ones belong to nobody's metric. */
const tagBytesMost = 1024;

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** One number of 4 or 8 bytes; null for any other length. */
function real(bytes: Uint8Array): number | null {
  if (bytes.length === 4) return viewOf(bytes).getFloat32(0, true);
  return bytes.length === 8 ? viewOf(bytes).getFloat64(0, true) : null;
}

/** The value of a float or double tensor with exactly one element; null for any other. */
function scalarTensor(bytes: Uint8Array): number | null {
  let dtype = 0n;
  const found: Uint8Array[] = [];
  for (const field of wireFields(bytes)) {
    if (field.kind === 'varint') {
      if (field.number === tensor.dtype) dtype = field.value;
    } else if (isNumbers(field)) found.push(field.bytes);
  }
  const [only] = found;
  const width = dtype === tensorFloat ? 4 : dtype === tensorDouble ? 8 : 0;
  return found.length === 1 && only?.length === width ? real(only) : null;
}

function isNumbers({ number }: WireField): boolean {
  return number === tensor.content || number === tensor.floats || number === tensor.doubles;
}

function readValue(bytes: Uint8Array): { tag: string; value: number } | null {
  let tag: string | null = null;
  let found: number | null = null;
  for (const field of wireFields(bytes)) {
    if (field.kind === 'varint') continue;
    if (field.number === value.tag && field.bytes.length <= tagBytesMost) {
      tag = Buffer.from(field.bytes).toString('utf8');
    }
    if (field.number === value.simple && field.kind === 'fixed32') found = real(field.bytes);
    if (field.number === value.tensor && field.kind === 'bytes') found = scalarTensor(field.bytes);
  }
  return tag === null || found === null ? null : { tag, value: found };
}

/**
 * Scalars of an event at a whole step from 0 up: none for graphs, histograms and images.
 * @throws ProtobufFault where the record is no event.
 */
export function eventScalars(record: Uint8Array): readonly EventScalar[] {
  let wallTime = 0;
  let step = 0;
  const values: { tag: string; value: number }[] = [];
  for (const field of wireFields(record)) {
    if (field.number === event.wallTime && field.kind === 'fixed64') {
      wallTime = real(field.bytes) as number;
    }
    if (field.number === event.step && field.kind === 'varint') {
      step = Number(BigInt.asIntN(64, field.value));
    }
    if (field.number !== event.summary || field.kind !== 'bytes') continue;
    for (const part of wireFields(field.bytes)) {
      if (part.number !== summaryValue || part.kind !== 'bytes') continue;
      const read = readValue(part.bytes);
      if (read) values.push(read);
    }
  }
  if (!Number.isSafeInteger(step) || step < 0) return [];
  return values.map((each) => ({ ...each, step, wallTime }));
}
