/** Event files for tests, framed and encoded by the public definitions of TFRecord and event.proto. */
import { maskedCrc32c } from '../../src/records/crc32c.ts';

export interface Scalar {
  readonly tag: string;
  readonly step: number;
  readonly wallTime: number;
  readonly value: number;
}

function varint(value: bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

function real(width: 4 | 8, value: number): Buffer {
  const bytes = Buffer.alloc(width);
  if (width === 4) bytes.writeFloatLE(value);
  else bytes.writeDoubleLE(value);
  return bytes;
}

/** A field of bytes. */
export function field(number: number, content: Uint8Array): Buffer {
  return Buffer.concat([varint(BigInt(number * 8 + 2)), varint(BigInt(content.length)), content]);
}

/** The value as torch writes it, or as a tensor, as TensorFlow 2 does. */
export function event(scalar: Scalar, as: 'simple' | 'content' | 'floats' = 'simple'): Buffer {
  const value = real(4, scalar.value);
  const float = Buffer.from([8, 1]);
  const body = {
    simple: () => Buffer.concat([Buffer.from([0x15]), value]),
    content: () => field(8, Buffer.concat([float, field(4, value)])),
    floats: () => field(8, Buffer.concat([float, field(5, value)])),
  }[as]();
  return Buffer.concat([
    Buffer.from([9]),
    real(8, scalar.wallTime),
    Buffer.from([16]),
    varint(BigInt(scalar.step)),
    field(5, field(1, Buffer.concat([field(1, Buffer.from(scalar.tag)), body]))),
  ]);
}

/** Records in their frames. */
export function framed(...records: readonly Uint8Array[]): Buffer {
  const word = (crc: number) => Buffer.from(Uint32Array.of(crc).buffer);
  return Buffer.concat(
    records.flatMap((data) => {
      const length = Buffer.from(BigUint64Array.of(BigInt(data.length)).buffer);
      return [length, word(maskedCrc32c(length)), data, word(maskedCrc32c(data))];
    }),
  );
}
