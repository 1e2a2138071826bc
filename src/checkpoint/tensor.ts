/** A tensor: what it is called, what it is for, and where its bytes lie. Plain data: it crosses threads. */
import type { DType } from './dtype.ts';

/** What a tensor is for. `other` is said where nothing better is known; it is never a guess. */
export type Role =
  | 'parameter'
  | 'buffer'
  | 'gradient'
  | 'first-moment'
  | 'second-moment'
  | 'max-second-moment'
  | 'momentum'
  | 'master'
  | 'average'
  | 'step'
  /** Of blocks of quantized numbers. */
  | 'scale'
  | 'other';

/** What in the files says which parameter a piece of state belongs to. */
export type Mapping =
  | 'param_names'
  | 'fqn'
  | 'order'
  | 'definition-order'
  | 'storage'
  | 'names-file';

/** `elements` consecutive logical elements, packed, little-endian, from byte `offset` of `file`. */
export interface Piece {
  readonly file: string;
  readonly offset: number;
  readonly elements: number;
  /** The rank that wrote it, where the layout says. */
  readonly rank?: number;
}

/** Where the elements of a tensor are; logical order is row-major. */
export type Placement =
  /** Pieces tile the tensor in logical order. */
  | { readonly kind: 'dense'; readonly pieces: readonly Piece[] }
  /** A view: element (i, j, …) lies at `offset` bytes + Σ index × stride elements. Checked to stay inside `extent`. */
  | {
      readonly kind: 'strided';
      readonly file: string;
      /** First byte of the element (0, 0, …). */
      readonly offset: number;
      /** In elements, one a dimension, none negative. */
      readonly strides: readonly number[];
      /** Bytes from `offset` that the view may touch. */
      readonly extentBytes: number;
      /** Stored big-endian: each real component is reversed. */
      readonly bigEndian?: boolean;
      /** A lazily applied operation that PyTorch saved as a flag: the values are those after it. */
      readonly lazy?: 'conjugate' | 'negative';
    }
  /** Shards of ranks, or chunks of an array: boxes that tile the tensor. */
  | { readonly kind: 'boxes'; readonly boxes: readonly Box[] }
  /** The bytes came with the metadata (inflated, or written inside a pickle). */
  | { readonly kind: 'inline'; readonly bytes: Uint8Array }
  /** All zero by definition: state of a parameter that had not taken a step yet. */
  | { readonly kind: 'zeros' }
  /** Listed, but not readable as plain elements; `reason` says why (`meta tensor`, `sparse`, `quantised`). */
  | { readonly kind: 'absent'; readonly reason: string };

/** A part of a tensor with edges along its dimensions. */
export interface Box {
  /** Coordinates of its first element in the tensor. */
  readonly origin: readonly number[];
  readonly sizes: readonly number[];
  /** Of the box's own elements; logical order is row-major inside the box. */
  readonly placement: Exclude<Placement, { kind: 'boxes' | 'absent' }>;
  /** The rank that wrote it, where the layout says. */
  readonly rank?: number;
}

export interface Tensor {
  /** Path in the file, joined by dots; unique in its checkpoint. */
  readonly name: string;
  /** Its path in the file, where several files hold tensors of one path: `name` tells them apart. */
  readonly nameInFile?: string;
  /** Name of the whole that it is a part of: a vector with holes is judged in the parts between. */
  readonly partOf?: string;
  readonly role: Role;
  /** Name of the tensor it belongs to, in the same checkpoint; null where that cannot be known. */
  readonly parameter: string | null;
  readonly mapping: Mapping | null;
  /** Name of the tensor that it shares its storage with, in whole. */
  readonly aliasOf: string | null;
  /** File it was listed in, relative to the checkpoint. */
  readonly file: string;
  /** What its elements are when they are read. */
  readonly dtype: DType;
  /** What the file stores instead, where that is decoded first: `q4_0`. */
  readonly storedDtype?: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly placement: Placement;
}

/** Of a tensor whose entry says neither whose it is nor that another one has its bytes. */
export const unowned = { parameter: null, mapping: null, aliasOf: null } as const;
