/** Places a view: shape and strides against the elements that its storage really has. */
import { LaikaError } from '../../checkpoint/errors.ts';
import { isSequence, type PickleValue } from '../pickle/values.ts';
import { maxRank, maxTensorBytes } from './limits.ts';

/** A view whose every element lies inside its storage. */
export interface View {
  readonly shape: readonly number[];
  readonly elements: number;
  /** In elements. */
  readonly offset: number;
  readonly strides: readonly number[];
  /** Elements from the first to the last that it touches. */
  readonly extent: number;
  /** Row-major without gaps. */
  readonly contiguous: boolean;
}

function integers(value: PickleValue): readonly bigint[] | null {
  if (!isSequence(value)) return null;
  const values: bigint[] = [];
  for (const item of value.items) {
    const integer = integerOf(item);
    if (integer === null) return null;
    values.push(integer);
  }
  return values;
}

/** torch counts in 64 bits; longer integers are a lie that would only cost time. */
function integerOf(value: PickleValue): bigint | null {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value ? value : null;
  return typeof value === 'number' && Number.isSafeInteger(value) ? BigInt(value) : null;
}

function limit(where: string, why: string): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: 'The checkpoint holds a tensor past a limit of what Laika reads',
    where,
    why,
  });
}

/** `limit-exceeded` where a shape has more dimensions than torch itself allows. */
function checkRank(shape: PickleValue, where: string): void {
  if (isSequence(shape) && shape.items.length > maxRank) {
    throw limit(where, `${shape.items.length} dimensions; the limit is ${maxRank}`);
  }
}

/** A shape by itself: its dimensions and their product; null where it is none. */
export function readShape(
  value: PickleValue,
  where: string,
): { shape: number[]; elements: number } | null {
  checkRank(value, where);
  const sizes = integers(value);
  if (!sizes || sizes.some((n) => n < 0n)) return null;
  const elements = sizes.reduce((product, n) => product * n, 1n);
  if (elements > maxTensorBytes) throw limit(where, `${elements} elements`);
  return { shape: sizes.map(Number), elements: Number(elements) };
}

function isContiguous(shape: readonly bigint[], strides: readonly bigint[]): boolean {
  let expected = 1n;
  for (let i = shape.length - 1; i >= 0; i -= 1) {
    const size = shape[i] as bigint;
    // The stride of a dimension of one is never used.
    if (size !== 1n && strides[i] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** What is stored, and what it must fit. */
export interface ViewRequest {
  readonly offset: PickleValue;
  readonly size: PickleValue;
  readonly stride: PickleValue;
  /** Elements of the storage. */
  readonly available: number;
  readonly elementBytes: number;
  /** Tensor and file, for limits. */
  readonly where: string;
}

/**
 * Checks a view. Text says why it cannot be one.
 * @throws LaikaError `limit-exceeded` for more than 64 dimensions or 2^53 bytes.
 */
export function checkView(request: ViewRequest): View | string {
  checkRank(request.size, request.where);
  const ranks = [request.size, request.stride].map((value) => {
    return isSequence(value) ? value.items.length : -1;
  });
  if (ranks[0] !== ranks[1]) return `it has ${ranks[0]} dimensions and ${ranks[1]} strides`;
  const sizes = integers(request.size);
  const strides = integers(request.stride);
  const offset = integerOf(request.offset);
  if (!sizes || !strides || offset === null)
    return 'its shape, strides or offset are no integers of 64 bits';
  if (offset < 0n) return `it begins at element ${offset} of its storage`;
  if (sizes.some((n) => n < 0n)) return 'it has a dimension of negative size';
  if (strides.some((n) => n < 0n)) return 'it has a negative stride';
  const shape = sizes.map(Number);
  if (sizes.some((n) => n === 0n)) {
    return {
      shape,
      elements: 0,
      offset: 0,
      strides: shape.map(() => 0),
      extent: 0,
      contiguous: true,
    };
  }
  const extent = sizes.reduce((sum, n, i) => sum + (n - 1n) * (strides[i] as bigint), 1n);
  if (offset + extent > BigInt(request.available)) {
    return (
      `it reaches element ${offset + extent - 1n} of its storage, ` +
      `which has ${request.available}`
    );
  }
  const elements = sizes.reduce((product, n) => product * n, 1n);
  if (elements * BigInt(request.elementBytes) > maxTensorBytes) {
    throw limit(request.where, `it would be read as ${elements} elements`);
  }
  return {
    shape,
    elements: Number(elements),
    offset: Number(offset),
    // The stride of a dimension of one may be any number; it is never used.
    strides: strides.map((n, i) => (sizes[i] === 1n ? 0 : Number(n))),
    extent: Number(extent),
    contiguous: isContiguous(sizes, strides),
  };
}
