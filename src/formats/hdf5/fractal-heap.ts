/** A fractal heap: where newer files keep the links and attributes of objects that have many. */
import {
  expectChecksum,
  type Hdf5Bytes,
  Hdf5Fault,
  u64,
  uint,
  undefinedAddress,
} from './hdf5-bytes.ts';
import { readTree2, widthOf } from './tree-2.ts';

const headerBytes = 146;

/** Objects that are too large for blocks: address, length and number. */
const hugeTreeType = 1;

/** One object: a link, or an attribute with a model's configuration. */
const objectMost = 2 ** 26;

const entriesMost = 2 ** 20;

/** Each level of blocks doubles what it holds. */
const levelsMost = 64;

interface Table {
  /** Blocks in a row; those of the first two rows have `start` bytes, then twice as many a row. */
  readonly width: number;
  readonly start: number;
  readonly directRows: number;
  readonly root: number;
  /** Rows of the root; 0 where it is a block of objects itself. */
  readonly rows: number;
}

interface Direct {
  readonly address: number;
  readonly sizeBytes: number;
  /** Of the wanted object in the block. */
  readonly offset: number;
}

export class FractalHeap {
  readonly #bytes: Hdf5Bytes;
  readonly #address: number;
  readonly #head: Buffer;
  readonly #table: Table;
  readonly #blocks = new Map<number, Promise<Buffer>>();
  #huge: Promise<ReadonlyMap<number, Buffer>> | null = null;

  private constructor(bytes: Hdf5Bytes, address: number, head: Buffer) {
    this.#bytes = bytes;
    this.#address = address;
    this.#head = head;
    const [start, largest] = [u64(head, 112), u64(head, 120)];
    const [width, rows] = [head.readUInt16LE(110), head.readUInt16LE(140)];
    const isSound = isPower(start) && isPower(largest) && largest >= start && width > 0;
    if (!isSound || rows > levelsMost || rows * width > entriesMost) {
      throw this.#fault('the table of a heap makes no sense');
    }
    const directRows = Math.log2(largest) - Math.log2(start) + 2;
    this.#table = { width, start, directRows, root: u64(head, 132), rows };
  }

  /** @throws Hdf5Fault; as `Source.read`. */
  static async open(bytes: Hdf5Bytes, address: number): Promise<FractalHeap> {
    const head = await bytes.marked(address, headerBytes, 'FRHP');
    if (head.readUInt16LE(7) !== 0) {
      throw new Hdf5Fault('header-invalid', address, 'a heap is compressed, which is not read');
    }
    expectChecksum(head, head.readUInt32LE(headerBytes - 4), { address, mark: 'FRHP' });
    return new FractalHeap(bytes, address, head);
  }

  /** Bytes of the name that other structures give to an object. */
  get idBytes(): number {
    return this.#head.readUInt16LE(5);
  }

  /** The object of this name. @throws Hdf5Fault; as `Source.read`. */
  async object(id: Buffer): Promise<Buffer> {
    const kind = ((id[0] ?? 0) >> 4) & 3;
    if (kind === 2) return this.#tiny(id);
    if (kind === 1) return this.#hugeObject(id);
    if (kind !== 0) throw this.#fault('an object of a heap is of no known kind');
    const offsetBytes = this.#offsetBytes();
    const lengthBytes = Math.min(
      Math.ceil(Math.log2(u64(this.#head, 120)) / 8),
      widthOf(this.#head.readUInt32LE(10)),
    );
    if (1 + offsetBytes + lengthBytes > id.length)
      throw this.#fault('the name of an object is cut');
    const offset = uint(id, 1, offsetBytes);
    const length = uint(id, 1 + offsetBytes, lengthBytes);
    const direct = await this.#locate(offset);
    const block = await this.#direct(direct);
    if (!(direct.offset + length <= block.length)) {
      throw this.#fault('an object lies outside its block');
    }
    this.#bytes.charge(direct.address, length);
    return block.subarray(direct.offset, direct.offset + length);
  }

  #fault(message: string): Hdf5Fault {
    return new Hdf5Fault('header-invalid', this.#address, message);
  }

  #offsetBytes(): number {
    return Math.ceil(this.#head.readUInt16LE(128) / 8);
  }

  #tiny(id: Buffer): Buffer {
    // Names of more than 18 bytes have room for a longer length.
    const isLong = this.idBytes > 18;
    const start = isLong ? 2 : 1;
    const length = 1 + (isLong ? uint(id, 1, 1) + (((id[0] ?? 0) & 15) << 8) : (id[0] ?? 0) & 15);
    return id.subarray(start, start + length);
  }

  async #hugeObject(id: Buffer): Promise<Buffer> {
    // Where a name has room for address and length, nothing else has them.
    const isDirect = this.idBytes - 1 >= 16;
    const place = isDirect ? id.subarray(1) : await this.#hugePlace(id);
    const length = u64(place, 8);
    if (!(length <= objectMost)) throw this.#fault(`an object of ${length} bytes in a heap`);
    return this.#bytes.at(u64(place, 0), length);
  }

  async #hugePlace(id: Buffer): Promise<Buffer> {
    this.#huge ??= this.#readHuge();
    const place = (await this.#huge).get(uint(id, 1, Math.min(8, this.idBytes - 1)));
    if (!place) throw this.#fault('an object is missing in its heap');
    return place;
  }

  async #readHuge(): Promise<ReadonlyMap<number, Buffer>> {
    if (this.#head.readBigUInt64LE(22) === undefinedAddress) return new Map();
    const records = await readTree2(this.#bytes, u64(this.#head, 22), hugeTreeType);
    if (records.some(({ length }) => length < 24)) throw this.#fault('a record of a heap is cut');
    return new Map(records.map((record) => [u64(record, 16), record]));
  }

  /** Goes down the blocks that hold addresses of blocks. */
  async #locate(wanted: number): Promise<Direct> {
    const { width, start, directRows, root } = this.#table;
    let { rows } = this.#table;
    if (rows === 0) return { address: root, sizeBytes: start, offset: wanted };
    let [address, offset] = [root, wanted];
    for (let level = 0; level < levelsMost; level += 1) {
      const { row, column, sizeBytes, rest } = placeIn(offset, { width, start });
      if (row >= rows) break;
      const block = await this.#indirect(address, rows);
      const at = row * width + column;
      if (block.readBigUInt64LE(8 * at) === undefinedAddress) break;
      address = u64(block, 8 * at);
      offset = rest;
      if (row < directRows) return { address, sizeBytes, offset };
      rows = Math.log2(sizeBytes) - Math.log2(width * start) + 1;
      if (!(Number.isInteger(rows) && rows > 0)) break;
    }
    throw this.#fault('an object lies outside its heap');
  }

  /** Addresses alone. */
  #indirect(address: number, rows: number): Promise<Buffer> {
    const head = 13 + this.#offsetBytes();
    const length = head + 8 * rows * this.#table.width + 4;
    return this.#kept(address, async () => {
      return (await this.#bytes.checked(address, length, 'FHIB')).subarray(head, -4);
    });
  }

  #direct({ address, sizeBytes }: Direct): Promise<Buffer> {
    return this.#kept(address, async () => {
      const block = await this.#bytes.marked(address, sizeBytes, 'FHDB');
      const sumAt = 13 + this.#offsetBytes();
      if (((this.#head[9] ?? 0) & 2) === 0) return block;
      const stored = block.readUInt32LE(sumAt);
      // The sum is made with zeros in its own place, over the whole block.
      const summed = Buffer.concat([block, Buffer.alloc(4)]);
      summed.writeUInt32LE(0, sumAt);
      expectChecksum(summed, stored, { address, mark: 'FHDB' });
      return block;
    });
  }

  #kept(address: number, read: () => Promise<Buffer>): Promise<Buffer> {
    const known = this.#blocks.get(address);
    const block = known ?? read();
    if (!known) this.#blocks.set(address, block);
    return block;
  }
}

function isPower(value: number): boolean {
  return value >= 32 && value <= 2 ** 32 && Number.isInteger(Math.log2(value));
}

/** Row and column of the block that holds byte `offset`, and what is left of the offset in it. */
function placeIn(offset: number, { width, start }: { width: number; start: number }) {
  let [row, rowStart, sizeBytes] = [0, 0, start];
  while (offset >= rowStart + width * sizeBytes && row < levelsMost) {
    rowStart += width * sizeBytes;
    row += 1;
    if (row > 1) sizeBytes *= 2;
  }
  const column = Math.floor((offset - rowStart) / sizeBytes);
  return { row, column, sizeBytes, rest: (offset - rowStart) % sizeBytes };
}
