/** Initializers of one model as tensors: in the model's own bytes, decoded from it, or in files beside it. */
import type { FileState, StoredChecksum } from '../../checkpoint/checkpoint.ts';
import { type DType, dtypeBits } from '../../checkpoint/dtype.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Placement, type Tensor, unowned } from '../../checkpoint/tensor.ts';
import { escapeReason } from '../../sources/safe-join.ts';
import { fileStateOf, type Source, type SourceFile } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import { roleByName } from '../tensor-role.ts';
import type { Initializer } from './graph-walk.ts';
import {
  type ExternalData,
  piecesOf,
  readTensorProto,
  type TensorProto,
  varintsIn,
} from './tensor-proto.ts';
import { WireFault, type WireWalker } from './wire-walker.ts';

/** Bytes of the largest tensor that a double still counts. */
const bytesMost = 2n ** 53n;

/** Values that are stored as varints are decoded and kept: one tensor, and all of them. */
const inlineMost = 2 ** 26;
const inlineTotalMost = 2 ** 28;

type Fault = Pick<Problem, 'rule' | 'kind' | 'message'>;

function damage(rule: Problem['rule'], message: string): Fault {
  return { rule, kind: 'damage', message };
}

/** A claim that was found sound. */
interface Claim {
  readonly proto: TensorProto;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly bytes: number;
}

export class OnnxTensors {
  readonly #source: Source;
  readonly #file: SourceFile;
  readonly #walker: WireWalker;
  readonly problems = new ProblemList();
  readonly checksums: StoredChecksum[] = [];
  /** Files beside the model; null where there is none. */
  readonly #others = new Map<string, SourceFile | null>();
  readonly #tensors = new Map<string, Tensor>();
  /** Graph that each name was met in. */
  readonly #graphs = new Map<string, number>();
  #inlineBytes = 0;

  constructor(source: Source, file: SourceFile, walker: WireWalker) {
    this.#source = source;
    this.#file = file;
    this.#walker = walker;
  }

  get tensors(): Tensor[] {
    return [...this.#tensors.values()];
  }

  get otherFiles(): FileState[] {
    return [...this.#others.values()].flatMap((file) => {
      return file ? [fileStateOf(file)] : [];
    });
  }

  get isMissingFiles(): boolean {
    return [...this.#others.values()].includes(null);
  }

  /** @throws WireFault; as `Source.read`. */
  async add({ span, graph }: Initializer): Promise<void> {
    const proto = await readTensorProto(this.#walker, span);
    const claim = this.#claimOf(proto);
    if (!claim) return;
    const name = this.#nameOf(proto, graph);
    if (name === null) return;
    const { dtype, shape, elements } = claim;
    const placement = await this.#placementOf(claim);
    if ('rule' in placement) {
      this.#report(proto, placement);
      return;
    }
    const role = roleByName(name, dtype);
    const file = this.#file.name;
    this.#tensors.set(name, { name, role, ...unowned, file, dtype, shape, elements, placement });
  }

  #report({ name: tensor, at: offset }: TensorProto, fault: Fault): void {
    this.problems.add({ ...fault, file: this.#file.name, offset, tensor });
  }

  /** Graphs inside a model may use a name again; one graph may not. */
  #nameOf(proto: TensorProto, graph: number): string | null {
    const before = this.#graphs.get(proto.name);
    if (before === undefined) {
      this.#graphs.set(proto.name, graph);
      return proto.name;
    }
    const other = `${proto.name}@${graph}`;
    if (before !== graph && !this.#tensors.has(other)) return other;
    const message = 'its graph holds this name twice: readers disagree about which one counts';
    this.#report(proto, { rule: 'duplicate-name', kind: 'security', message });
    return null;
  }

  #claimOf(proto: TensorProto): Claim | null {
    const { dims, dtype, type } = proto;
    if (dims.some((size) => size < 0n)) {
      this.#report(
        proto,
        damage('shape-mismatch', `its shape (${dims.join(', ')}) has a negative size`),
      );
      return null;
    }
    const elements = dims.reduce((product, size) => product * size, 1n);
    if (dims.some((size) => size > bytesMost) || elements > bytesMost) {
      this.#report(
        proto,
        damage('shape-mismatch', `its shape (${dims.join(', ')}) is larger than any file`),
      );
      return null;
    }
    if (dtype === null) {
      const message = `its element type ${type} is not known; it was not read`;
      this.#report(proto, { rule: 'dtype-unsupported', kind: 'info', message });
      return null;
    }
    const bits = elements * BigInt(dtypeBits[dtype]);
    if (bits % 8n !== 0n) {
      const message = `${elements} elements of ${dtype} do not fill whole bytes; it was not read`;
      this.#report(proto, { rule: 'dtype-unsupported', kind: 'info', message });
      return null;
    }
    const shape = dims.map(Number);
    return { proto, dtype, shape, elements: Number(elements), bytes: Number(bits / 8n) };
  }

  async #placementOf(claim: Claim): Promise<Placement | Fault> {
    const { proto, elements, dtype, bytes } = claim;
    if (proto.external) return this.#external(claim, proto.external);
    const file = this.#file.name;
    if (proto.raw) {
      const { offset, length } = proto.raw;
      if (length !== bytes) return this.#wrongSize(claim, `${length} bytes`);
      return { kind: 'dense', pieces: elements === 0 ? [] : [{ file, offset, elements }] };
    }
    if (/^(f32|f64|c64|c128)$/.test(dtype)) {
      const packed = piecesOf(file, proto.pieces, dtype);
      if (!packed || packed.elements !== elements) return this.#wrongSize(claim, 'other values');
      return { kind: 'dense', pieces: packed.pieces };
    }
    return this.#inline(claim);
  }

  #wrongSize({ proto, bytes }: Claim, found: string): Fault {
    const shape = proto.dims.join(', ');
    return damage('shape-mismatch', `its shape (${shape}) takes ${bytes} bytes; it has ${found}`);
  }

  /** Small types are written as numbers, one or more bytes each. */
  async #inline(claim: Claim): Promise<Placement | Fault> {
    const { proto, elements, dtype, bytes } = claim;
    if (dtypeBits[dtype] < 8) return { kind: 'absent', reason: 'elements below a byte' };
    if (bytes > inlineMost || this.#inlineBytes + bytes > inlineTotalMost) {
      return { kind: 'absent', reason: 'written as numbers, and too large to keep' };
    }
    const stored = proto.varints.reduce((sum, { length }) => sum + length, proto.values.length);
    // A number takes a byte at least: a shape that promises more is never allocated.
    if (elements > stored) return this.#wrongSize(claim, `${stored} bytes of numbers at most`);
    const writer = new NumberWriter(dtype, elements);
    for (const value of proto.values) writer.add(value);
    for (const span of proto.varints) {
      for (const value of varintsIn(await this.#walker.bytes(span))) writer.add(value);
    }
    if (writer.count !== elements) return this.#wrongSize(claim, `${writer.count} numbers`);
    this.#inlineBytes += bytes;
    return { kind: 'inline', bytes: writer.bytes };
  }

  async #external(claim: Claim, external: ExternalData): Promise<Placement | Fault> {
    const { elements, bytes } = claim;
    const { location } = external;
    if (location === null) return damage('header-invalid', 'its external data has no location');
    const reason = escapeReason(location);
    if (reason !== null) {
      const message = `its external data ${JSON.stringify(location)} points elsewhere: ${reason}`;
      return { rule: 'path-escape', kind: 'security', message };
    }
    const file = await this.#other(location, external.checksum);
    if (!file)
      return damage('shard-missing', `its external data ${JSON.stringify(location)} is missing`);
    const offset = wholeNumber(external.offset ?? '0');
    const length = wholeNumber(external.length ?? String(bytes));
    if (offset === null || length === null || offset + length > file.sizeBytes) {
      const claimed = `${external.length ?? bytes} bytes from ${external.offset ?? 0}`;
      const message = `it claims ${claimed} of ${JSON.stringify(location)}, which has ${file.sizeBytes}`;
      return damage('tensor-out-of-bounds', message);
    }
    if (length !== bytes) return this.#wrongSize(claim, `${length} bytes`);
    return { kind: 'dense', pieces: elements === 0 ? [] : [{ file: location, offset, elements }] };
  }

  async #other(location: string, checksum: string | null): Promise<SourceFile | null> {
    const known = this.#others.get(location);
    if (known !== undefined) return known;
    const file = await this.#source.stat(location);
    this.#others.set(location, file);
    if (file && checksum !== null && /^[0-9a-f]{40}$/i.test(checksum)) {
      this.checksums.push({
        kind: 'sha1',
        file: location,
        member: location,
        offset: 0,
        length: file.sizeBytes,
        expected: checksum.toLowerCase(),
      });
    }
    return file;
  }
}

function wholeNumber(text: string): number | null {
  const value = /^[0-9]{1,16}$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(value) ? value : null;
}

/** Little-endian elements of one type; values wrap as a cast to it does. */
class NumberWriter {
  readonly bytes: Uint8Array;
  readonly #view: DataView;
  readonly #size: number;
  readonly #most: number;
  count = 0;

  constructor(dtype: DType, elements: number) {
    this.#size = dtypeBits[dtype] / 8;
    this.#most = elements;
    this.bytes = new Uint8Array(elements * this.#size);
    this.#view = new DataView(this.bytes.buffer);
  }

  add(value: bigint): void {
    const at = this.count * this.#size;
    this.count += 1;
    if (this.count > this.#most) return;
    if (this.#size === 8) this.#view.setBigUint64(at, value, true);
    else if (this.#size === 4) this.#view.setUint32(at, Number(BigInt.asUintN(32, value)), true);
    else if (this.#size === 2) this.#view.setUint16(at, Number(BigInt.asUintN(16, value)), true);
    else if (this.#size === 1) this.bytes[at] = Number(BigInt.asUintN(8, value));
    else throw new WireFault(0, 'numbers of this size are not written one by one');
  }
}
