/** Arrays of an HDF5 file as tensors of the file that it lies in. */
import type { EncodedFile } from '../../checkpoint/checkpoint.ts';
import type { DType } from '../../checkpoint/dtype.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import { type Placement, unowned } from '../../checkpoint/tensor.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { ProblemList } from '../problem-list.ts';
import { placeChunks } from './chunked-array.ts';
import type { Hdf5Place } from './hdf5-bytes.ts';
import type { Hdf5Array } from './hdf5-file.ts';

const bytesMost = 2n ** 53n;

export interface Hdf5Tensors {
  readonly tensors: readonly TensorDraft[];
  /** Chunks that are decoded as they are read. */
  readonly encoded: readonly EncodedFile[];
  readonly problems: readonly Problem[];
  readonly isWhole: boolean;
}

interface Claim {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

/** `listedIn` is the real file, which the user knows. Every claim is compared with the file. */
export function tensorsOf(
  arrays: readonly Hdf5Array[],
  place: Hdf5Place,
  listedIn: string,
): Hdf5Tensors {
  const lister = new Lister(place, listedIn);
  for (const array of arrays) lister.add(array);
  return lister.done();
}

class Lister {
  readonly #place: Hdf5Place;
  readonly #file: string;
  readonly #problems = new ProblemList();
  readonly #tensors = new Map<string, TensorDraft>();
  readonly #claims: Claim[] = [];
  readonly #encoded: EncodedFile[] = [];
  #isWhole = true;

  constructor(place: Hdf5Place, file: string) {
    this.#place = place;
    this.#file = file;
  }

  done(): Hdf5Tensors {
    this.#compareNeighbours();
    return {
      tensors: [...this.#tensors.values()],
      encoded: this.#encoded,
      problems: this.#problems.toArray(),
      isWhole: this.#isWhole,
    };
  }

  add(array: Hdf5Array): void {
    const { path: name, type, shape } = array;
    // Texts are no tensors to anybody.
    if (type.kind === 'text') return;
    const dtype = dtypeOf(array);
    const elements = shape.reduce((product, size) => product * size, 1n);
    if (elements > bytesMost || shape.some((size) => size > bytesMost)) {
      this.#fault(
        array,
        'shape-mismatch',
        `its shape (${shape.join(', ')}) is larger than any file`,
      );
      return;
    }
    if (!dtype) {
      this.#report(array, {
        rule: 'dtype-unsupported',
        kind: 'info',
        message: 'its element type is not read',
      });
      return;
    }
    if (this.#tensors.has(name)) {
      const message = 'two arrays have this name: readers disagree about which one counts';
      this.#report(array, { rule: 'duplicate-name', kind: 'security', message });
      return;
    }
    const placement = this.#placement(array, dtype, Number(elements));
    if (!placement) return;
    const common = {
      file: this.#file,
      dtype,
      shape: shape.map(Number),
      elements: Number(elements),
    };
    this.#tensors.set(name, { name, role: 'other', ...unowned, ...common, placement });
  }

  #report(array: Hdf5Array, found: Pick<Problem, 'rule' | 'kind' | 'message'>): void {
    const offset = this.#place.offset + array.header;
    this.#problems.add({ ...found, file: this.#file, offset, tensor: array.path });
  }

  #fault(array: Hdf5Array, rule: Problem['rule'], message: string): null {
    this.#report(array, { rule, kind: 'damage', message });
    return null;
  }

  /** Null: too little can be believed to list it. */
  #placement(array: Hdf5Array, dtype: DType, elements: number): Placement | null {
    const { data, type } = array;
    const bytes = elements * type.sizeBytes;
    if (data.kind === 'unread') return { kind: 'absent', reason: data.reason };
    if (elements === 0) return { kind: 'dense', pieces: [] };
    if (data.kind === 'unwritten') {
      this.#fault(array, 'tensor-missing', 'its bytes were never written');
      return { kind: 'absent', reason: 'never written' };
    }
    if (data.kind === 'chunks') return this.#chunks(array, dtype, data);
    const length = data.kind === 'compact' ? data.bytes.length : data.length;
    if (length !== bytes) {
      const shape = array.shape.join(', ');
      const message = `its shape (${shape}) takes ${bytes} bytes; it has ${length}`;
      return this.#fault(array, 'shape-mismatch', message);
    }
    if (data.kind === 'compact') {
      if (type.bigEndian) return { kind: 'absent', reason: 'big-endian inside its header' };
      return { kind: 'inline', bytes: Uint8Array.from(data.bytes) };
    }
    return this.#contiguous(array, { begin: data.address, end: data.address + bytes, elements });
  }

  #chunks(
    array: Hdf5Array,
    dtype: DType,
    data: Extract<Hdf5Array['data'], { kind: 'chunks' }>,
  ): Placement {
    // A member that was compressed as a whole is decoded once, not once more for each chunk.
    if (this.#place.file !== this.#file) {
      return { kind: 'absent', reason: 'in chunks of a compressed member' };
    }
    const found = placeChunks({ array, dtype, data }, this.#place);
    for (const fault of found.faults) this.#report(array, fault);
    if (found.faults.some(({ rule }) => rule === 'tensor-out-of-bounds')) this.#isWhole = false;
    // One by one: there may be more of them than a call takes arguments.
    for (const each of found.encoded) this.#encoded.push(each);
    for (const { begin, end } of found.claims) this.#claims.push({ name: array.path, begin, end });
    return found.placement;
  }

  #contiguous(
    array: Hdf5Array,
    { begin, end, elements }: { begin: number; end: number; elements: number },
  ): Placement | null {
    const { file, offset: start, sizeBytes } = this.#place;
    if (!(end <= sizeBytes)) {
      this.#isWhole = false;
      const message = `it claims bytes ${begin} to ${end} of a file of ${sizeBytes}`;
      this.#fault(array, 'tensor-out-of-bounds', message);
      return { kind: 'absent', reason: 'its bytes are past the end of the file' };
    }
    this.#claims.push({ name: array.path, begin, end });
    const offset = start + begin;
    if (!array.type.bigEndian || array.type.sizeBytes === 1) {
      return { kind: 'dense', pieces: [{ file, offset, elements }] };
    }
    const sizes = array.shape.map(Number);
    const strides = sizes.map((_, i) => sizes.slice(i + 1).reduce((product, n) => product * n, 1));
    return { kind: 'strided', file, offset, strides, extentBytes: end - begin, bigEndian: true };
  }

  #compareNeighbours(): void {
    const sorted = this.#claims.sort((a, b) => a.begin - b.begin || a.end - b.end);
    let last: Claim | null = null;
    for (const claim of sorted) {
      if (last && claim.begin < last.end) {
        const message = `it shares bytes with ${JSON.stringify(last.name)}`;
        const offset = this.#place.offset + claim.begin;
        const { name: tensor } = claim;
        this.#problems.add({
          rule: 'tensor-overlap',
          kind: 'damage',
          file: this.#file,
          offset,
          tensor,
          message,
        });
      }
      if (!last || claim.end > last.end) last = claim;
    }
  }
}

/** HDF5 has no name for bfloat16: Keras writes bytes without a meaning, or whole numbers, and says so. */
function dtypeOf({ type, texts }: Hdf5Array): DType | null {
  const isMarked = texts.get('dtype')?.[0] === 'bfloat16' && type.sizeBytes === 2;
  return isMarked && (type.dtype === 'u16' || type.kind === 'opaque') ? 'bf16' : type.dtype;
}
