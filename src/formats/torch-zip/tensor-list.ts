/** Lists the tensors of one pickle: name, type, shape, and where the bytes lie. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Box, Placement } from '../../checkpoint/tensor.ts';
import { tilingFault } from '../box-tiling.ts';
import { joinBoxes } from '../join-boxes.ts';
import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { maxPickleBytes } from '../pickle/limits.ts';
import type { PickleValue } from '../pickle/values.ts';
import { ProblemList } from '../problem-list.ts';
import type { ZipMember } from '../zip/zip-archive.ts';
import type { ElementType } from './element-types.ts';
import { inlineView } from './inline-view.ts';
import { maxTensors } from './limits.ts';
import { type AbsentSpec, readTensor, type TensorSpec, type ViewSpec } from './rebuild.ts';
import type { ShardSpec } from './shard-spec.ts';
import type { Storage, StorageBytes, StorageResolver } from './storage-id.ts';
import { checkView, readShape, type View } from './views.ts';

/** A tensor whose bytes must be inflated before they can be placed. */
export interface CompressedTensor {
  readonly draft: TensorDraft;
  readonly member: ZipMember;
  readonly form: StoredView;
}

/** How a view lies in its storage. */
export interface StoredView {
  readonly view: View;
  readonly type: ElementType;
  readonly bigEndian: boolean;
  readonly lazy: 'conjugate' | 'negative' | null;
}

/** The storage that a tensor looks at: views of one storage are parts of one vector. */
export interface StoragePlace {
  readonly key: string;
  /** Elements of the tensor's own type that go before its first. */
  readonly first: number;
  /** Elements of that type in the whole storage. */
  readonly available: number;
}

interface Listing {
  readonly shape: readonly number[];
  readonly elements: number;
  readonly type: ElementType;
  readonly placement: Placement;
  /** What tells that two tensors are one: null where nothing does. */
  readonly identity: string | null;
  readonly compressed: Pick<CompressedTensor, 'member' | 'form'> | null;
  readonly place: StoragePlace | null;
  /** Of a tensor that is shared by ranks: what lies in this file. */
  readonly parts?: readonly TensorPart[];
}

/** A part of a tensor that ranks share. */
export type TensorPart = Omit<Box, 'rank'>;

/** Bytes, where nothing says what they are. */
const unknownType: ElementType = { dtype: 'u8', bytes: 1, unread: null };

export class TensorLister {
  readonly drafts: TensorDraft[] = [];
  readonly compressed: CompressedTensor[] = [];
  /** Tensors by the path that they have in the file. */
  readonly byPath = new Map<string, TensorDraft>();
  /** Where each view lies in its storage; tensors without bytes on disk are not there. */
  readonly places = new Map<TensorDraft, StoragePlace>();
  /** What lies in this file of tensors that ranks share. */
  readonly parts = new Map<TensorDraft, readonly TensorPart[]>();
  readonly tied: (readonly [string, string])[] = [];
  readonly problems = new ProblemList();
  readonly #file: string;
  readonly #storages: StorageResolver;
  readonly #bigEndian: boolean;
  readonly #names = new Set<string>();
  #memoryLeft = maxPickleBytes;
  readonly #identities = new Map<string, string>();

  constructor(file: string, storages: StorageResolver, bigEndian: boolean) {
    this.#file = file;
    this.#storages = storages;
    this.#bigEndian = bigEndian;
  }

  /**
   * Lists the value if it is a tensor, and says whether it is one.
   * @throws LaikaError `limit-exceeded`.
   */
  add(path: string, value: PickleValue): boolean {
    const spec = readTensor(value);
    if (!spec) return false;
    const name = this.#uniqueName(path === '' ? 'tensor' : path);
    const listing = this.#list(name, spec);
    if (listing) this.#take(path, name, listing);
    return true;
  }

  #take(path: string, name: string, listing: Listing): void {
    if (this.drafts.length >= maxTensors) throw tooMany(this.#file);
    const { shape, elements, type, placement, identity, compressed } = listing;
    const aliasOf = identity === null ? null : (this.#identities.get(identity) ?? null);
    if (aliasOf !== null) this.tied.push([name, aliasOf]);
    else if (identity !== null) this.#identities.set(identity, name);
    const draft: TensorDraft = {
      name,
      role: 'other',
      parameter: null,
      mapping: null,
      aliasOf,
      file: this.#file,
      dtype: type.dtype,
      shape,
      elements,
      placement,
    };
    this.drafts.push(draft);
    if (!this.byPath.has(path)) this.byPath.set(path, draft);
    if (compressed) this.compressed.push({ draft, ...compressed });
    if (listing.place) this.places.set(draft, listing.place);
    if (listing.parts) this.parts.set(draft, listing.parts);
  }

  /** Keys with dots can spell the path of another tensor: names are told apart, none is dropped. */
  #uniqueName(path: string): string {
    let name = path;
    for (let n = 2; this.#names.has(name); n += 1) name = `${path}#${n}`;
    this.#names.add(name);
    return name;
  }

  #problem(tensor: string, problem: Omit<Problem, 'file' | 'tensor'>): null {
    this.problems.add({ ...problem, file: this.#file, tensor });
    return null;
  }

  #list(name: string, spec: TensorSpec): Listing | null {
    if (spec.kind === 'broken') {
      return this.#problem(name, { rule: 'header-invalid', kind: 'damage', message: spec.reason });
    }
    if (spec.kind === 'shard') return this.#shard(name, spec);
    return spec.kind === 'absent' ? this.#absent(name, spec) : this.#view(name, spec);
  }

  /** The whole tensor, with the parts that lie in this file. */
  #shard(name: string, spec: ShardSpec): Listing | null {
    const sized = readShape(spec.size, `${this.#file}: ${name}`);
    const type = spec.type ?? unknownType;
    for (const other of spec.others) {
      const described = readTensor(other);
      if (described?.kind === 'view') this.#storages.resolve(described.storage);
    }
    const parts: TensorPart[] = [];
    for (const part of spec.parts) {
      const local = readTensor(part.local);
      const listing = local && local.kind !== 'shard' ? this.#list(name, local) : null;
      if (!listing) return null;
      const { placement } = listing;
      if (!sameShape(listing.shape, part.sizes)) {
        const message = `its share is [${listing.shape}], and [${part.sizes}] belongs there`;
        return this.#problem(name, { rule: 'shape-mismatch', kind: 'damage', message });
      }
      if (placement.kind === 'absent' || placement.kind === 'boxes') continue;
      parts.push({ origin: part.origin, sizes: part.sizes, placement });
    }
    if (!sized) {
      const message = 'its shape is none';
      return this.#problem(name, { rule: 'header-invalid', kind: 'damage', message });
    }
    const isWhole = tilingFault(sized.shape, parts) === null;
    const listing = this.#unread(sized, type, 'one rank’s share of a tensor');
    const placement = isWhole
      ? joinBoxes({ shape: sized.shape, dtype: type.dtype }, parts)
      : listing.placement;
    return { ...listing, placement, parts };
  }

  #absent(name: string, spec: AbsentSpec): Listing | null {
    const sized = readShape(spec.size, `${this.#file}: ${name}`);
    if (!sized) {
      const message = 'its shape is none';
      return this.#problem(name, { rule: 'header-invalid', kind: 'damage', message });
    }
    return this.#unread(sized, spec.type ?? unknownType, spec.reason);
  }

  #unread(
    sized: { shape: readonly number[]; elements: number },
    type: ElementType,
    reason: string,
  ): Listing {
    const placement: Placement = { kind: 'absent', reason };
    const { shape, elements } = sized;
    return { shape, elements, type, placement, identity: null, compressed: null, place: null };
  }

  #view(name: string, spec: ViewSpec): Listing | null {
    const storage = this.#storages.resolve(spec.storage);
    if ('broken' in storage) return this.#problem(name, storage.broken);
    const type = spec.type ?? storage.type;
    const where = `${this.#file}: ${name}`;
    if (storage.absent === 'meta tensor') {
      const sized = readShape(spec.size, where);
      return sized ? this.#unread(sized, type, storage.absent) : null;
    }
    const available = Math.floor((storage.elements * storage.type.bytes) / type.bytes);
    const { offset, size, stride } = spec;
    const view = checkView({ offset, size, stride, available, elementBytes: type.bytes, where });
    if (typeof view === 'string') {
      return this.#problem(name, { rule: 'tensor-out-of-bounds', kind: 'damage', message: view });
    }
    const both = spec.conjugate && spec.negative ? 'conjugated and negated lazily' : null;
    const reason = storage.absent ?? spec.unread ?? type.unread ?? both;
    if (reason !== null) return this.#unread(view, type, reason);
    const lazy = spec.conjugate ? 'conjugate' : spec.negative ? 'negative' : null;
    const bigEndian = this.#bigEndian && type.bytes > 1;
    return this.#place(storage, { view, type, bigEndian, lazy });
  }

  #place(storage: Storage, form: StoredView): Listing {
    const { view, type } = form;
    const bytes = storage.bytes as StorageBytes;
    const packed = type.dtype === 'f4e2m1';
    if (packed && !view.contiguous) return this.#unread(view, type, 'packed elements in a view');
    const { shape, elements } = packed ? doubled(view) : view;
    const identity = view.elements === 0 ? null : identityOf(storage, form);
    const available = Math.floor((storage.elements * storage.type.bytes) / type.bytes);
    const first = firstOf(storage, form);
    const place = { key: storage.key, first, available: available + first - view.offset };
    const listing = { shape, elements, type, identity, place, compressed: null };
    if (bytes.kind === 'compressed') {
      const placement: Placement = { kind: 'absent', reason: 'compressed' };
      return { ...listing, placement, compressed: { member: bytes.member, form } };
    }
    if (bytes.kind === 'memory') return { ...listing, placement: this.#keep(bytes.bytes, form) };
    const offset = bytes.offset + view.offset * type.bytes;
    return { ...listing, placement: placementOf(this.#file, offset, { ...form, elements }) };
  }

  /** A view of bytes that are in memory; a repeated dimension could make it any size. */
  #keep(storage: Uint8Array, form: StoredView): Placement {
    const size = form.view.elements * form.type.bytes;
    if (size > this.#memoryLeft) return { kind: 'absent', reason: 'too large to be kept' };
    this.#memoryLeft -= size;
    return inlineView(storage, form);
  }
}

/** Elements of the tensor's type before its first one, views of views included. */
function firstOf(storage: Storage, { view, type }: StoredView): number {
  return Math.floor((storage.first * storage.type.bytes) / type.bytes) + view.offset;
}

function identityOf(storage: Storage, form: StoredView): string {
  const { view, type, lazy } = form;
  const first = firstOf(storage, form);
  return JSON.stringify([storage.key, type.dtype, lazy, first, view.shape, view.strides]);
}

/**
 * torch counts bytes of its packed type, everyone else elements: the last dimension holds two each.
 */
function doubled({ shape, elements }: View): { shape: readonly number[]; elements: number } {
  if (shape.length === 0) return { shape: [2], elements: 2 };
  const last = 2 * (shape.at(-1) as number);
  return { shape: [...shape.slice(0, -1), last], elements: 2 * elements };
}

function placementOf(
  file: string,
  offset: number,
  form: StoredView & { elements: number },
): Placement {
  const { view, type, bigEndian, lazy, elements } = form;
  if (elements === 0) return { kind: 'dense', pieces: [] };
  if (view.contiguous && !bigEndian && lazy === null) {
    return { kind: 'dense', pieces: [{ file, offset, elements }] };
  }
  return {
    kind: 'strided',
    file,
    offset,
    strides: view.strides,
    extentBytes: view.extent * type.bytes,
    ...(bigEndian ? { bigEndian } : {}),
    ...(lazy === null ? {} : { lazy }),
  };
}

function tooMany(file: string): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: `The file lists more than ${maxTensors} tensors`,
    where: file,
  });
}
