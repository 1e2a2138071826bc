/** Messages of one object of an HDF5 file: what it is, and where its parts lie. */
import { type Hdf5Bytes, Hdf5Fault, u64 } from './hdf5-bytes.ts';

export interface Message {
  readonly type: number;
  /** It lies elsewhere, among shared ones, and is not followed. */
  readonly isShared: boolean;
  readonly body: Buffer;
}

export const messageTypes = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
} as const;

const prefixBytes = 16;

/** Attributes make headers large; each is below 64 KiB. */
const headerBytesMost = 2 ** 26;

const continuationsMost = 4096;

interface Part {
  readonly address: number;
  readonly length: number;
}

/** Reads the header at `address`, its continuations too. @throws Hdf5Fault; as `Source.read`. */
export async function readObjectHeader(bytes: Hdf5Bytes, address: number): Promise<Message[]> {
  const prefix = await bytes.at(address, prefixBytes);
  if (prefix.toString('latin1', 0, 4) === 'OHDR') {
    throw new Hdf5Fault(
      'header-invalid',
      address,
      'an object header of version 2 in an older file',
    );
  }
  if (prefix[0] !== 1) {
    throw new Hdf5Fault('header-invalid', address, `no object header lies at ${address}`);
  }
  const messages: Message[] = [];
  const parts: Part[] = [{ address: address + prefixBytes, length: prefix.readUInt32LE(8) }];
  const seen = new Set<number>();
  let total = 0;
  for (const part of parts) {
    total += part.length;
    if (seen.has(part.address) || parts.length > continuationsMost || !(total <= headerBytesMost)) {
      throw new Hdf5Fault('header-invalid', address, 'an object header has no end');
    }
    seen.add(part.address);
    for (const message of messagesIn(await bytes.at(part.address, part.length), part.address)) {
      if (message.type !== messageTypes.continuation) messages.push(message);
      else if (message.body.length >= 16) {
        parts.push({ address: u64(message.body, 0), length: u64(message.body, 8) });
      }
    }
  }
  return messages;
}

function* messagesIn(block: Buffer, address: number): Generator<Message> {
  let at = 0;
  while (at + 8 <= block.length) {
    const type = block.readUInt16LE(at);
    const size = block.readUInt16LE(at + 2);
    const isShared = ((block[at + 4] as number) & 2) !== 0;
    const start = at + 8;
    if (start + size > block.length) {
      throw new Hdf5Fault('header-invalid', address + at, 'a message is longer than its header');
    }
    yield { type, isShared, body: block.subarray(start, start + size) };
    at = start + size;
  }
}
