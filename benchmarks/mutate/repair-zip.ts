/** Gives the stored members of a zip the CRC-32 of the bytes that they hold now. */
import { crc32 } from 'node:zlib';

const central = 0x02014b50;
const local = 0x04034b50;

/** A copy with right checksums, as far as its directory can be followed; else the bytes as they are. */
export function repairZip(bytes: Uint8Array): Uint8Array {
  if (bytes[0] !== 0x50 || bytes[1] !== 0x4b) return bytes;
  const zip = Buffer.from(bytes);
  const marker = Buffer.from([0x50, 0x4b, 1, 2]);
  for (let at = zip.indexOf(marker); at >= 0; at = zip.indexOf(marker, at + 4)) {
    if (at + 46 > zip.length || zip.readUInt32LE(at) !== central) continue;
    repairMember(zip, at);
  }
  return zip;
}

function repairMember(zip: Buffer, at: number): void {
  const size = zip.readUInt32LE(at + 20);
  const header = zip.readUInt32LE(at + 42);
  const isStored = zip.readUInt16LE(at + 10) === 0;
  if (!isStored || header + 30 > zip.length || zip.readUInt32LE(header) !== local) return;
  const start = header + 30 + zip.readUInt16LE(header + 26) + zip.readUInt16LE(header + 28);
  if (start + size > zip.length) return;
  const checksum = crc32(zip.subarray(start, start + size));
  zip.writeUInt32LE(checksum, at + 16);
  if (zip.readUInt32LE(header + 14) !== 0) zip.writeUInt32LE(checksum, header + 14);
  const end = start + size;
  const hasDescriptor = end + 8 <= zip.length && zip.readUInt32LE(end) === 0x08074b50;
  if (hasDescriptor) zip.writeUInt32LE(checksum, end + 4);
}
