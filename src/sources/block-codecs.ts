/**
 * Quantised blocks as GGML stores them, decoded to float32 as its own arithmetic does: a product or a
 * sum of two float32 values is rounded once. Scales are float16.
 */
import type { BlockCodec } from '../checkpoint/checkpoint.ts';

export interface BlockLayout {
  /** Elements and stored bytes of one block. */
  readonly elements: number;
  readonly bytes: number;
  /** Fills `into` with the elements of the block that begins at byte `at`. */
  readonly decode: (block: DataView, at: number, into: Float32Array) => void;
}

const round = Math.fround;

/** Value of a float16's bits. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  return sign * (1024 + fraction) * 2 ** (exponent - 25);
}

function scale(block: DataView, at: number): number {
  return half(block.getUint16(at, true));
}

/** The low nibbles are the first half of a block, the high ones the second. */
function nibble(block: DataView, at: number, i: number, halfBlock: number): number {
  const byte = block.getUint8(at + (i % halfBlock));
  return i < halfBlock ? byte & 15 : byte >> 4;
}

const q4_0: BlockLayout = {
  elements: 32,
  bytes: 18,
  decode(block, at, into) {
    const d = scale(block, at);
    for (let i = 0; i < 32; i++) into[i] = round(d * (nibble(block, at + 2, i, 16) - 8));
  },
};

const q4_1: BlockLayout = {
  elements: 32,
  bytes: 20,
  decode(block, at, into) {
    const d = scale(block, at);
    const m = scale(block, at + 2);
    for (let i = 0; i < 32; i++) into[i] = round(round(d * nibble(block, at + 4, i, 16)) + m);
  },
};

/** The fifth bits of all elements lie together in one word. */
function fifth(block: DataView, at: number, i: number): number {
  return ((block.getUint32(at, true) >>> i) & 1) << 4;
}

const q5_0: BlockLayout = {
  elements: 32,
  bytes: 22,
  decode(block, at, into) {
    const d = scale(block, at);
    for (let i = 0; i < 32; i++) {
      const q = nibble(block, at + 6, i, 16) | fifth(block, at + 2, i);
      into[i] = round(d * (q - 16));
    }
  },
};

const q5_1: BlockLayout = {
  elements: 32,
  bytes: 24,
  decode(block, at, into) {
    const d = scale(block, at);
    const m = scale(block, at + 2);
    for (let i = 0; i < 32; i++) {
      const q = nibble(block, at + 8, i, 16) | fifth(block, at + 4, i);
      into[i] = round(round(d * q) + m);
    }
  },
};

const q8_0: BlockLayout = {
  elements: 32,
  bytes: 34,
  decode(block, at, into) {
    const d = scale(block, at);
    for (let i = 0; i < 32; i++) into[i] = round(d * block.getInt8(at + 2 + i));
  },
};

/** Two bits of element `i` of 256: bytes serve four runs of 32 elements, 128 elements apart. */
function pair(block: DataView, at: number, i: number): number {
  const byte = block.getUint8(at + 32 * (i >> 7) + (i & 31));
  return (byte >> (2 * ((i >> 5) & 3))) & 3;
}

const q2_k: BlockLayout = {
  elements: 256,
  bytes: 84,
  decode(block, at, into) {
    const d = scale(block, at + 80);
    const m = scale(block, at + 82);
    for (let i = 0; i < 256; i++) {
      const scales = block.getUint8(at + (i >> 4));
      const low = round(m * (scales >> 4));
      into[i] = round(round(round(d * (scales & 15)) * pair(block, at + 16, i)) - low);
    }
  },
};

/** Sixteen scales of six bits: low nibbles in the first eight bytes, high pairs in the last four. */
function scale6(block: DataView, at: number, i: number): number {
  const low = block.getUint8(at + (i & 7));
  const high = block.getUint8(at + 8 + (i & 3));
  return ((i < 8 ? low & 15 : low >> 4) | (((high >> (2 * (i >> 2))) & 3) << 4)) - 32;
}

const q3_k: BlockLayout = {
  elements: 256,
  bytes: 110,
  decode(block, at, into) {
    const d = scale(block, at + 108);
    for (let i = 0; i < 256; i++) {
      const factor = round(d * scale6(block, at + 96, i >> 4));
      const isHigh = (block.getUint8(at + (i & 31)) >> (i >> 5)) & 1;
      into[i] = round(factor * (pair(block, at + 32, i) - (isHigh ? 0 : 4)));
    }
  },
};

/** Eight scales and eight minima of six bits in twelve bytes; the last four of each are split. */
function scaleAndMinimum(block: DataView, at: number, i: number): [number, number] {
  const byte = (n: number) => block.getUint8(at + n);
  if (i < 4) return [byte(i) & 63, byte(i + 4) & 63];
  const low = byte(i + 4);
  return [(low & 15) | ((byte(i - 4) >> 6) << 4), (low >> 4) | ((byte(i) >> 6) << 4)];
}

/** Four bits of element `i`: each run of 64 has its first half in low nibbles, its second in high. */
function nibbleOf64(block: DataView, at: number, i: number): number {
  const byte = block.getUint8(at + 32 * (i >> 6) + (i & 31));
  return i & 32 ? byte >> 4 : byte & 15;
}

const q4_k: BlockLayout = {
  elements: 256,
  bytes: 144,
  decode(block, at, into) {
    const d = scale(block, at);
    const minimum = scale(block, at + 2);
    for (let i = 0; i < 256; i++) {
      const [factor, m] = scaleAndMinimum(block, at + 4, i >> 5);
      const q = nibbleOf64(block, at + 16, i);
      into[i] = round(round(round(d * factor) * q) - round(minimum * m));
    }
  },
};

const q5_k: BlockLayout = {
  elements: 256,
  bytes: 176,
  decode(block, at, into) {
    const d = scale(block, at);
    const minimum = scale(block, at + 2);
    for (let i = 0; i < 256; i++) {
      const [factor, m] = scaleAndMinimum(block, at + 4, i >> 5);
      const high = ((block.getUint8(at + 16 + (i & 31)) >> (i >> 5)) & 1) << 4;
      const q = nibbleOf64(block, at + 48, i) | high;
      into[i] = round(round(round(d * factor) * q) - round(minimum * m));
    }
  },
};

const q6_k: BlockLayout = {
  elements: 256,
  bytes: 210,
  decode(block, at, into) {
    const d = scale(block, at + 208);
    for (let i = 0; i < 256; i++) {
      const byte = block.getUint8(at + 64 * (i >> 7) + (i & 63));
      const low = i & 64 ? byte >> 4 : byte & 15;
      const factor = round(d * block.getInt8(at + 192 + (i >> 4)));
      into[i] = round(factor * ((low | (pair(block, at + 128, i) << 4)) - 32));
    }
  },
};

/** The sixteen values that four bits of IQ4_NL stand for. */
const nonLinear = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113];

const iq4_nl: BlockLayout = {
  elements: 32,
  bytes: 18,
  decode(block, at, into) {
    const d = scale(block, at);
    for (let i = 0; i < 32; i++) {
      into[i] = round(d * (nonLinear[nibble(block, at + 2, i, 16)] as number));
    }
  },
};

/** Every quantised type whose values are read. */
export const blockLayouts: Readonly<Record<BlockCodec, BlockLayout>> = {
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  iq4_nl,
};

/** Whether `codec` names quantised blocks that are read. */
export function isBlockCodec(codec: string): codec is BlockCodec {
  return Object.hasOwn(blockLayouts, codec);
}
