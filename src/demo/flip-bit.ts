/** Flips one bit of one float32 element of a safetensors file that we recorded ourselves. */
import { readFileSync } from 'node:fs';

export interface Fault {
  readonly tensor: string;
  readonly element: number;
  readonly bit: number;
}

export interface Planted extends Fault {
  readonly before: number;
  readonly after: number;
}

/** The file's bytes with the bit flipped, and the value before and after. */
export function flipBit(path: string, fault: Fault): { bytes: Uint8Array; planted: Planted } {
  const bytes = readFileSync(path);
  const header = Number(bytes.readBigUInt64LE(0));
  const entries = JSON.parse(bytes.toString('utf8', 8, 8 + header));
  const at = 8 + header + entries[fault.tensor].data_offsets[0] + 4 * fault.element;
  const before = bytes.readFloatLE(at);
  bytes.writeUInt32LE((bytes.readUInt32LE(at) ^ (1 << fault.bit)) >>> 0, at);
  return { bytes, planted: { ...fault, before, after: bytes.readFloatLE(at) } };
}
