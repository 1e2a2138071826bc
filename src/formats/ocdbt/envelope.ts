/** What surrounds every manifest and node: magic, length, compression, and a CRC-32C of all of it. */
import { crc32c } from '../../records/crc32c.ts';
import { unzstdWhole } from '../../sources/zstd.ts';
import { NodeCursor } from './node-cursor.ts';
import { malformed, NodeFault } from './node-fault.ts';

export const magics = { manifest: 0x0cdb3a2a, node: 0x0cdb20de } as const;

/** Magic and length before the body, the checksum behind it. */
const leastBytes = 4 + 8 + 1 + 1 + 4;

/** A node holds at most as much; writers stop at 100 MB. */
const bodyMost = 256 * 1024 * 1024;

/** The body of a node. @throws NodeFault where the envelope is not one. */
export async function openEnvelope(bytes: Buffer, magic: number): Promise<NodeCursor> {
  if (bytes.length < leastBytes) {
    throw new NodeFault('file-truncated', `a node of ${bytes.length} bytes is none`);
  }
  if (bytes.readUInt32BE(0) !== magic) throw malformed('it does not begin as its kind does');
  const length = bytes.readBigUInt64LE(4);
  if (length !== BigInt(bytes.length)) {
    const rule = length > BigInt(bytes.length) ? 'file-truncated' : 'header-invalid';
    throw new NodeFault(rule, `it says it has ${length} bytes, and it has ${bytes.length}`);
  }
  const stored = bytes.readUInt32LE(bytes.length - 4);
  const found = crc32c(bytes.subarray(0, -4));
  if (found !== stored) {
    const shown = (value: number) => value.toString(16).padStart(8, '0');
    const message = `its CRC-32C is ${shown(found)}; ${shown(stored)} was stored with it`;
    throw new NodeFault('checksum-mismatch', message);
  }
  const head = new NodeCursor(bytes.subarray(12, -4));
  const version = head.varint();
  if (version !== 0) throw malformed(`version ${version} of the format is not known`);
  const compression = head.varint();
  if (compression > 1) throw malformed(`compression ${compression} is not known`);
  const body = head.take(head.left);
  return new NodeCursor(compression === 0 ? body : await inflate(body));
}

async function inflate(body: Uint8Array): Promise<Uint8Array> {
  try {
    const inflated = await unzstdWhole(body, bodyMost);
    if (inflated) return inflated;
  } catch (error) {
    throw malformed(`its body cannot be decoded: ${(error as Error).message}`);
  }
  const message = `its body inflates past ${bodyMost} bytes`;
  throw new NodeFault('compression-bomb', message, 'security');
}
