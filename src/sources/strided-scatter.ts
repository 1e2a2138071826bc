/** Copies elements from where they were read to their places: a transposition in memory, by tiles. */
import assert from 'node:assert/strict';
import type { Axis } from './strided-plan.ts';

export interface Buffers {
  readonly from: Uint8Array;
  readonly into: Uint8Array;
  readonly elementBytes: number;
}

/** Elements of a tile along the target: two lines of four-byte elements. */
const tile = 32;

const once: Axis = { size: 1, from: 0, to: 0 };

/** The element at index 0 of every axis is the first of `from` and lies at element `target` of `into`. */
export function scatter(axes: readonly Axis[], target: number, buffers: Buffers): void {
  const { elementBytes } = buffers;
  // Never through Float64Array: an engine may canonicalise NaNs that pass through it.
  const words = elementBytes % 4 === 0 ? elementBytes / 4 : 1;
  const from = wordsOf(buffers.from, elementBytes);
  const into = wordsOf(buffers.into, elementBytes);
  const { along, across, rest } = arrange(axes);
  const index = rest.map(() => 0);
  do {
    let source = 0;
    let place = target;
    for (const [i, axis] of rest.entries()) {
      source += (index[i] as number) * axis.from;
      place += (index[i] as number) * axis.to;
    }
    for (let start = 0; start < along.size; start += tile) {
      const size = Math.min(tile, along.size - start);
      copyTile(from, into, {
        source: source + start * along.from,
        target: place + start * along.to,
        along: { ...along, size },
        across,
        words,
      });
    }
  } while (advance(index, rest));
}

/** `along` is contiguous in the target, `across` in the source; the rest is walked. */
function arrange(axes: readonly Axis[]): { along: Axis; across: Axis; rest: readonly Axis[] } {
  const used = axes.filter((axis) => axis.size > 1);
  const along = used.reduce((best, axis) => (axis.to < best.to ? axis : best), used[0] ?? once);
  const others = used.filter((axis) => axis !== along);
  const across = others.reduce(
    (best, axis) => (axis.from < best.from ? axis : best),
    others[0] ?? once,
  );
  return { along, across, rest: others.filter((axis) => axis !== across) };
}

function advance(index: number[], axes: readonly Axis[]): boolean {
  for (let i = index.length - 1; i >= 0; i--) {
    index[i] = (index[i] as number) + 1;
    if ((index[i] as number) < (axes[i] as Axis).size) return true;
    index[i] = 0;
  }
  return false;
}

type Words = Uint8Array | Uint16Array | Uint32Array;

function wordsOf(bytes: Uint8Array, elementBytes: number): Words {
  const { buffer, byteOffset, byteLength } = bytes;
  if (elementBytes % 4 === 0) return new Uint32Array(buffer, byteOffset, byteLength >> 2);
  if (elementBytes === 2) return new Uint16Array(buffer, byteOffset, byteLength >> 1);
  assert(elementBytes === 1, `no elements of ${elementBytes} bytes exist`);
  return bytes;
}

interface Tile {
  readonly source: number;
  readonly target: number;
  readonly along: Axis;
  readonly across: Axis;
  /** Words of one element. */
  readonly words: number;
}

function copyTile(from: Words, into: Words, { source, target, along, across, words }: Tile): void {
  const [sourceStep, targetStep] = [along.from * words, along.to * words];
  for (let line = 0; line < across.size; line++) {
    let read = (source + line * across.from) * words;
    let write = (target + line * across.to) * words;
    for (let i = 0; i < along.size; i++) {
      for (let word = 0; word < words; word++) into[write + word] = from[read + word] as number;
      read += sourceStep;
      write += targetStep;
    }
  }
}
