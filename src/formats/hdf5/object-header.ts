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
  fillValue: 0x05,
  link: 0x06,
  externalFiles: 0x07,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const;

const prefixBytes = 16;

/** Attributes make headers large; each is below 64 KiB. */
const headerBytesMost = 2 ** 26;

const continuationsMost = 4096;

interface Part {
  readonly address: number;
  readonly length: number;
}

/** How one version stores a header: its first part, and how the messages of a part are found. */
interface Style {
  readonly first: Part;
  readonly read: (part: Part, isFirst: boolean) => Promise<Buffer>;
  /** Bytes before a message's body. */
  readonly headBytes: number;
  readonly isNewer: boolean;
}

/** Reads the header at `address`, its continuations too. @throws Hdf5Fault; as `Source.read`. */
export async function readObjectHeader(bytes: Hdf5Bytes, address: number): Promise<Message[]> {
  const prefix = await bytes.at(address, 8);
  const isNewer = prefix.toString('latin1', 0, 4) === 'OHDR';
  const style = await (isNewer ? newerStyle(bytes, address) : olderStyle(bytes, address));
  const messages: Message[] = [];
  const parts: Part[] = [style.first];
  const seen = new Set<number>();
  let total = 0;
  for (const part of parts) {
    total += part.length;
    if (seen.has(part.address) || parts.length > continuationsMost || !(total <= headerBytesMost)) {
      throw new Hdf5Fault('header-invalid', address, 'an object header has no end');
    }
    seen.add(part.address);
    const block = await style.read(part, part === style.first);
    for (const message of messagesIn(block, part.address, style)) {
      if (message.type !== messageTypes.continuation) messages.push(message);
      else if (message.body.length >= 16) {
        parts.push({ address: u64(message.body, 0), length: u64(message.body, 8) });
      }
    }
  }
  return messages;
}

async function olderStyle(bytes: Hdf5Bytes, address: number): Promise<Style> {
  const prefix = await bytes.at(address, prefixBytes);
  if (prefix[0] !== 1) {
    throw new Hdf5Fault('header-invalid', address, `no object header lies at ${address}`);
  }
  const first = { address: address + prefixBytes, length: prefix.readUInt32LE(8) };
  const read = (part: Part) => bytes.at(part.address, part.length);
  return { first, read, headBytes: 8, isNewer: false };
}

/** Every part begins with a mark and ends with a checksum. */
async function newerStyle(bytes: Hdf5Bytes, address: number): Promise<Style> {
  const prefix = await bytes.at(address, 6);
  const flags = prefix[5] as number;
  if (prefix[4] !== 2) {
    const message = `an object header of version ${prefix[4]} does not exist`;
    throw new Hdf5Fault('header-invalid', address, message);
  }
  // Four times, then two limits of attributes, both optional.
  const sizeAt = 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
  const width = 1 << (flags & 3);
  const size = await bytes.at(address + sizeAt, width);
  const length = width === 8 ? u64(size, 0) : size.readUIntLE(0, width);
  const start = sizeAt + width;
  const first = { address, length: start + length + 4 };
  const read = async (part: Part, isFirst: boolean) => {
    if (!(part.length <= headerBytesMost)) {
      throw new Hdf5Fault('header-invalid', address, 'an object header has no end');
    }
    const whole = await bytes.checked(part.address, part.length, isFirst ? 'OHDR' : 'OCHK');
    return whole.subarray(isFirst ? start : 4, -4);
  };
  return { first, read, headBytes: flags & 4 ? 6 : 4, isNewer: true };
}

function* messagesIn(
  block: Buffer,
  address: number,
  { headBytes, isNewer }: Style,
): Generator<Message> {
  let at = 0;
  while (at + headBytes <= block.length) {
    const type = isNewer ? (block[at] as number) : block.readUInt16LE(at);
    const size = block.readUInt16LE(at + (isNewer ? 1 : 2));
    const flags = block[at + (isNewer ? 3 : 4)] as number;
    const start = at + headBytes;
    if (start + size > block.length) {
      throw new Hdf5Fault('header-invalid', address + at, 'a message is longer than its header');
    }
    yield { type, isShared: (flags & 2) !== 0, body: block.subarray(start, start + size) };
    at = start + size;
  }
}
