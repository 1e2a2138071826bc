/** A Flax state as one MessagePack map of maps: its arrays by path; their bytes are jumped over. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Piece, unowned } from '../../checkpoint/tensor.ts';
import type { Source, SourceFile } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import { type ArrayHeader, readArrayHeader } from './array-header.ts';
import {
  type ContainerToken,
  type ExtensionToken,
  MsgpackFault,
  MsgpackReader,
} from './msgpack-reader.ts';

/** Containers inside containers; states of models are about ten deep. */
const depthMost = 128;

const nameBytesMost = 4096;

const pathMost = 16 * 1024;

const tensorsMost = 1_000_000;

/** Values of any kind. */
const valuesMost = 20_000_000;

/** Memory of all names and paths together, in bytes: a long path above many values would fill any. */
const namesMemoryMost = 2 ** 28;

/** Flax cuts arrays above 2^30 bytes into a map of this name, a shape and chunks. */
const chunkedName = '__msgpack_chunked_array__';

export interface FlaxTree {
  readonly tensors: readonly TensorDraft[];
  /** Plain whole numbers by path. */
  readonly plain: ReadonlyMap<string, number>;
  readonly problems: readonly Problem[];
  /** False: the file ends too early. */
  readonly isWhole: boolean;
}

interface Frame {
  readonly kind: 'map' | 'array';
  readonly path: string;
  readonly name: string;
  readonly count: number;
  /** Items that were read. */
  done: number;
  readonly names: Set<string>;
  /** Tensors that were listed before it. */
  readonly firstTensor: number;
  /** Whole numbers among its values, in order. */
  readonly numbers: number[];
  isChunked: boolean;
  chunkShape: readonly number[] | null;
}

/**
 * Lists the arrays of a file. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded` (nesting, names, values); as `Source.read`.
 */
export async function readFlaxTree(source: Source, file: SourceFile): Promise<FlaxTree> {
  return new TreeReader(source, file).read();
}

class TreeReader {
  readonly #file: SourceFile;
  readonly #reader: MsgpackReader;
  readonly #stack: Frame[] = [];
  readonly #tensors: TensorDraft[] = [];
  readonly #plain = new Map<string, number>();
  readonly #problems = new ProblemList();
  #values = 0;
  #namesMemory = 0;

  constructor(source: Source, file: SourceFile) {
    this.#file = file;
    const { name, sizeBytes } = file;
    this.#reader = new MsgpackReader(source, { file: name, begin: 0, end: sizeBytes });
  }

  async read(): Promise<FlaxTree> {
    const isWhole = await this.#readAll();
    const problems = this.#problems.toArray();
    return { tensors: this.#tensors, plain: this.#plain, problems, isWhole };
  }

  async #readAll(): Promise<boolean> {
    try {
      const root = await this.#reader.next();
      if (root.kind !== 'map') throw new MsgpackFault(0, 'the state is no map');
      this.#push(root, { name: '', path: '' });
      for (let frame = this.#stack.at(-1); frame; frame = this.#stack.at(-1)) {
        if (frame.done < frame.count) await this.#item(frame);
        else this.#close(frame);
      }
    } catch (error) {
      if (!(error instanceof MsgpackFault)) throw error;
      const rule = error.isCut ? 'file-truncated' : 'header-invalid';
      this.#add({ rule, kind: 'damage', offset: error.offset, message: error.message });
      return !error.isCut;
    }
    const { left, position } = this.#reader;
    if (left > 0) {
      const message = `${left} bytes follow the state`;
      this.#add({ rule: 'trailing-bytes', kind: 'damage', offset: position, message });
    }
    return true;
  }

  #add(problem: Omit<Problem, 'file'>): void {
    this.#problems.add({ ...problem, file: this.#file.name });
  }

  #push(token: ContainerToken, at: { name: string; path: string }) {
    if (this.#stack.length >= depthMost) throw this.#limit(`nested deeper than ${depthMost}`);
    const { kind, count } = token;
    const firstTensor = this.#tensors.length;
    const nothing = { done: 0, names: new Set<string>(), numbers: [], isChunked: false };
    this.#stack.push({ kind, count, ...at, ...nothing, firstTensor, chunkShape: null });
  }

  async #item(frame: Frame): Promise<void> {
    this.#values += 1;
    if (this.#values > valuesMost) throw this.#limit(`more than ${valuesMost} values`);
    const name = frame.kind === 'map' ? await this.#name(frame) : String(frame.done);
    frame.done += 1;
    const path = frame.path === '' ? name : `${frame.path}.${name}`;
    if (path.length > pathMost) throw this.#limit(`a path longer than ${pathMost} characters`);
    const token = await this.#reader.next();
    if (token.kind === 'map' || token.kind === 'array') this.#push(token, { name, path });
    else if (token.kind === 'extension') await this.#extension(token, path);
    else if (token.kind === 'text' || token.kind === 'binary') this.#reader.skip(token.length);
    else if (token.kind === 'number') this.#number(frame, path, Number(token.value));
    else if (token.kind === 'constant' && name === chunkedName) {
      frame.isChunked = token.value === true;
    }
  }

  async #name(frame: Frame): Promise<string> {
    const token = await this.#reader.next();
    const at = this.#reader.position;
    if (token.kind !== 'text') throw new MsgpackFault(at, 'a name in a map is no text');
    if (token.length > nameBytesMost) throw this.#limit(`a name of ${token.length} bytes`);
    const name = await this.#reader.text(token.length);
    this.#keepName(name);
    if (frame.names.has(name)) {
      const message = `the map at ${JSON.stringify(frame.path)} holds ${JSON.stringify(name)} twice`;
      this.#add({ rule: 'duplicate-name', kind: 'security', offset: token.offset, message });
    }
    frame.names.add(name);
    return name;
  }

  #keepName(name: string): void {
    this.#namesMemory += 64 + name.length;
    if (this.#namesMemory <= namesMemoryMost) return;
    throw this.#limit(`names of more than ${namesMemoryMost} bytes together`);
  }

  #number(frame: Frame, path: string, value: number): void {
    if (!Number.isSafeInteger(value)) return;
    frame.numbers.push(value);
    if (this.#plain.size >= tensorsMost) return;
    this.#keepName(path);
    this.#plain.set(path, value);
  }

  async #extension(token: ExtensionToken, path: string): Promise<void> {
    // 1: an array; 3: a NumPy scalar, written as an array without dimensions; 2: a Python complex.
    if (token.type !== 1 && token.type !== 3) {
      this.#reader.skip(token.length);
      return;
    }
    const header = await readArrayHeader(this.#reader, token);
    const tensor = { tensor: path, offset: token.offset };
    if (!header.dtype) {
      const message = `its type ${JSON.stringify(header.typeName)} is not known`;
      this.#add({ rule: 'dtype-unsupported', kind: 'info', ...tensor, message });
    } else if (header.agrees) {
      if (this.#tensors.length >= tensorsMost) throw this.#limit(`more than ${tensorsMost} arrays`);
      this.#keepName(path);
      this.#tensors.push(this.#tensor(path, header));
    } else {
      const message = `shape [${header.shape}] of ${header.typeName} does not make ${header.length} bytes`;
      this.#add({ rule: 'shape-mismatch', kind: 'damage', ...tensor, message });
    }
  }

  #tensor(name: string, { shape, elements, dtype, offset }: ArrayHeader): TensorDraft {
    const { name: file } = this.#file;
    const pieces: Piece[] = elements === 0 ? [] : [{ file, offset, elements }];
    return {
      name,
      role: 'other',
      ...unowned,
      file,
      dtype: dtype as TensorDraft['dtype'],
      shape,
      elements,
      placement: { kind: 'dense', pieces },
    };
  }

  #close(frame: Frame): void {
    this.#stack.pop();
    const outer = this.#stack.at(-1);
    if (outer && frame.name === 'shape') outer.chunkShape = frame.numbers;
    if (frame.isChunked) this.#join(frame);
  }

  /** The chunks of one array, which were listed one by one, as the array that they are. */
  #join({ path, firstTensor, chunkShape }: Frame): void {
    const chunks = this.#tensors.splice(firstTensor);
    const [first] = chunks;
    const elements = (chunkShape ?? [Number.NaN]).reduce((product, size) => product * size, 1);
    const stored = chunks.reduce((sum, chunk) => sum + chunk.elements, 0);
    const isOne = chunks.every(({ dtype }) => dtype === first?.dtype);
    if (!first || !chunkShape || !isOne || elements !== stored) {
      const message = `its chunks hold ${stored} elements, its shape [${chunkShape ?? ''}] asks for others`;
      this.#add({ rule: 'shape-mismatch', kind: 'damage', tensor: path, message });
      return;
    }
    const pieces = chunks.flatMap(({ placement }) => {
      return placement.kind === 'dense' ? placement.pieces : [];
    });
    const placement = { kind: 'dense', pieces } as const;
    this.#tensors.push({ ...first, name: path, shape: chunkShape, elements, placement });
  }

  #limit(why: string): LaikaError {
    return new LaikaError({
      code: 'limit-exceeded',
      what: 'The state passes a limit',
      where: this.#file.name,
      why,
    });
  }
}
