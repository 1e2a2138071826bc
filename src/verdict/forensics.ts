/**
 * What a pattern of damage usually comes from: memory, storage, a link, a compute unit, software. A
 * lead for whoever looks for the cause, never a verdict: the same pattern can have other causes.
 */
import { type BitPair, type Content, contentOf } from './damage-bits.ts';
import { causes } from './damage-causes.ts';
import {
  type Blocks,
  blocksOf,
  enclosingBlock,
  isAll,
  type Places,
  partOf,
  type Rectangle,
  type Run,
  rectangleOf,
  runOf,
  strideOf,
} from './damage-places.ts';

export interface Damage {
  /** Flat logical (row-major) indices of damaged elements, ascending. */
  readonly indices: readonly number[];
  /** Damaged elements in all: more than `indices` where only some of them were kept. */
  readonly total: number;
  readonly elementBytes: number;
  readonly shape: readonly number[];
  /** Byte of element 0 in its file; null where the bytes do not lie there in logical order. */
  readonly fileOffset: number | null;
  /** For each index, in the same order; null where bits are unknown. */
  readonly bits: readonly BitPair[] | null;
  /** The damaged bytes are also those of another place: the index of its first element. */
  readonly copyOf?: number | null;
}

export interface Lead {
  /** `single-bit`, `zero-page`, `stuck-lane`, …: stable. */
  readonly pattern: string;
  /** A sentence about what usually makes it and where to look. */
  readonly lead: string;
  /** What was measured, each a clause. */
  readonly facts: readonly string[];
}

/** More indices say nothing new, and bits of all of them would cost time. */
const indicesMost = 65_536;

interface Scene {
  readonly places: Places;
  readonly content: Content | null;
  readonly run: Run | null;
  readonly isCopied: boolean;
}

interface Seen {
  readonly pattern: string;
  readonly facts: readonly string[];
  /** For runs on borders of blocks: whose borders. */
  readonly blocks?: Blocks;
}

function sceneOf(damage: Damage): Scene {
  const { elementBytes, shape, fileOffset, total } = damage;
  const indices = damage.indices.slice(0, indicesMost);
  const isWhole = indices.length >= total;
  const elements = shape.reduce((product, size) => product * size, 1);
  const places = { indices, total, isWhole, elements, elementBytes, shape, fileOffset };
  const run = runOf(places);
  const isRun = run !== null && run.end - run.first === indices.length;
  const bits = damage.bits?.slice(0, indicesMost) ?? null;
  const content = bits?.length === indices.length ? contentOf(bits, { elementBytes, isRun }) : null;
  return { places, content, run, isCopied: typeof damage.copyOf === 'number' };
}

function bitText(bits: readonly number[]): string {
  return `bit ${bits.join(', ')}`;
}

function areAdjacent(bits: readonly number[]): boolean {
  return bits.every((bit, i) => i === 0 || bit === (bits[i - 1] as number) + 1);
}

/** One element. */
function loneElement({ content }: Scene): Seen {
  if (content?.kind === 'flips') {
    return { pattern: 'single-bit', facts: [`${bitText(content.bits)} of one element differs`] };
  }
  if (content?.kind !== 'mask') return { pattern: 'one-element', facts: ['one element'] };
  const { bits } = content;
  const first = bits[0] as number;
  const last = bits.at(-1) as number;
  const facts = [`${bits.length} bits of one element differ: ${bits.join(', ')}`];
  if (areAdjacent(bits)) return { pattern: 'bit-burst', facts };
  const isByte = Math.floor(first / 8) === Math.floor(last / 8);
  return { pattern: isByte ? 'one-byte' : 'one-element', facts };
}

/** Several elements whose bits say more than their places. */
function byBits(scene: Scene): Seen | null {
  const { content, places } = scene;
  switch (content?.kind) {
    case 'swapped':
      return { pattern: 'swapped-bytes', facts: ['the bytes of each element are reversed'] };
    case 'shifted':
      return { pattern: 'shifted-bytes', facts: [`bytes lie ${Math.abs(content.bytes)} too far`] };
    case 'moved':
      return { pattern: 'moved-values', facts: ['the same values stand in other places'] };
    case 'cut':
      return {
        pattern: 'cut-mantissa',
        facts: [`the last ${content.trailing} bits of each element are 0`],
      };
    case 'mask':
      return { pattern: 'same-bits', facts: [`${bitText(content.bits)} of every element differ`] };
    case 'flips':
      return flips(content, places);
    default:
      return null;
  }
}

function flips(content: Content & { kind: 'flips' }, places: Places): Seen {
  const { bits, set } = content;
  const count = places.indices.length;
  if (bits.length > 1) {
    return { pattern: 'scattered-flips', facts: [`one bit in each of ${count} elements`] };
  }
  const now = set === null ? 'differs' : `is always ${set ? 1 : 0}`;
  const facts = [`${bitText(bits)} ${now} in ${count} elements`];
  if (set === null) return { pattern: 'same-bits', facts };
  const stride = strideOf(places);
  if (!stride) return { pattern: 'stuck-bit', facts };
  return { pattern: 'stuck-lane', facts: [...facts, strideText(stride)] };
}

function strideText({ every, rest }: { every: number; rest: number }): string {
  return `every index is ${rest} modulo ${every}`;
}

/** What a block holds, as a word before its size. */
function holds({ content, isCopied }: Scene): string {
  if (isCopied) return 'copied-';
  if (content?.kind === 'zero') return 'zero-';
  if (content?.kind === 'stale') return 'stale-';
  return content?.kind === 'constant' ? 'constant-' : '';
}

const blockNames = { 4096: 'page', 512: 'sector', 64: 'line' } as const;

/** Whole rows, where the run begins and ends with one. */
function rowsOf({ shape }: Places, run: Run): { first: number; last: number } | null {
  const columns = shape.length > 1 ? (shape.at(-1) as number) : 0;
  if (!(columns > 1) || run.first % columns !== 0 || run.end % columns !== 0) return null;
  return { first: run.first / columns, last: run.end / columns - 1 };
}

function runSeen(scene: Scene, run: Run): Seen {
  const { places } = scene;
  const bytes = (run.end - run.first) * places.elementBytes;
  const word = holds(scene);
  const facts = [`one stretch of ${bytes} bytes from element ${run.first} on`];
  const rows = rowsOf(places, run);
  if (rows) facts.push(`rows ${rows.first} to ${rows.last}`);
  const part = partOf(places, run);
  if (part) facts.push(`part ${part.part} of ${part.parts} equal parts`);
  const blocks = blocksOf(places, run);
  // Most rows and parts are some lines long: several small blocks say less than a row or a part.
  const isBlock = blocks && (blocks.size === 4096 || blocks.count === 1);
  const isOneRow = rows !== null && rows.first === rows.last;
  if (part && !isOneRow && (bytes > 4096 || !isBlock)) {
    return { pattern: `${word}part`, facts };
  }
  if (rows && !isBlock) return { pattern: `${word}rows`, facts };
  if (!blocks) return { pattern: `${word}stretch`, facts };
  const { size, count, inTensor, inFile } = blocks;
  const owner = inTensor && inFile ? 'tensor and file' : inTensor ? 'tensor' : 'file';
  facts.push(`${count} of ${size} bytes, on borders of the ${owner}`);
  return { pattern: `${word}${blockNames[size]}`, facts, blocks };
}

function rectangleSeen(scene: Scene, found: Rectangle): Seen {
  const { row, column, height, width, columns } = found;
  const place = `${height} × ${width} elements from row ${row}, column ${column} on`;
  const word = holds(scene);
  if (width === columns) return { pattern: `${word}rows`, facts: [place] };
  return { pattern: `${word}${width === 1 ? 'column' : 'tile'}`, facts: [place] };
}

/** Several elements of which only places are known, or whose bits say nothing more. */
function byPlaces(scene: Scene): Seen | null {
  const { places, run } = scene;
  const count = `${places.indices.length} elements`;
  if (isAll(places)) {
    const facts = [`${places.total} of the tensor's ${places.elements} elements`];
    return { pattern: `${holds(scene)}tensor`, facts };
  }
  const rectangle = rectangleOf(places);
  const isWide = rectangle && (!run || rectangle.width < rectangle.columns);
  if (rectangle && isWide) return rectangleSeen(scene, rectangle);
  if (run) return runSeen(scene, run);
  const block = enclosingBlock(places);
  if (block) {
    return { pattern: `within-${blockNames[block]}`, facts: [`${count} in ${block} bytes`] };
  }
  const stride = strideOf(places);
  if (!stride) return null;
  const columns = places.shape.length > 1 ? (places.shape.at(-1) as number) : 0;
  const isColumn = columns > 1 && stride.every % columns === 0;
  return { pattern: isColumn ? 'column' : 'lane', facts: [count, strideText(stride)] };
}

/**
 * The pattern of damaged elements and what usually makes it; null where there is none to see.
 * @example describeDamage({ indices: [7], …, bits: [{ head: 0x4000n, base: 0n }] })
 * gives `single-bit`
 */
export function describeDamage(damage: Damage): Lead | null {
  const scene = sceneOf(damage);
  const { indices, isWhole } = scene.places;
  if (indices.length === 0) return null;
  const isLone = indices.length === 1 && isWhole;
  const seen = isLone ? loneElement(scene) : (byBits(scene) ?? byPlaces(scene));
  if (!seen) return null;
  const borders = seen.blocks && borderOf(seen.blocks);
  const facts = isWhole ? seen.facts : [...seen.facts, `${indices.length} of ${damage.total} seen`];
  return { pattern: seen.pattern, lead: causes(seen.pattern, borders), facts };
}

function borderOf({ inTensor, inFile }: Blocks): 'tensor' | 'file' | 'both' {
  return inTensor && inFile ? 'both' : inTensor ? 'tensor' : 'file';
}
