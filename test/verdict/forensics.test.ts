import { describe, expect, it } from 'vitest';
import { causes } from '../../src/verdict/damage-causes.ts';
import { type Damage, describeDamage } from '../../src/verdict/forensics.ts';
import { damageOf, plant, seeded, staleOf, weights, words } from './planted-damage.ts';

const tensor = weights(64, 96, 7);
const elements = 64 * 96;
const page = 4096;

function seen(damage: Damage) {
  const found = describeDamage(damage);
  expect(found?.lead).toMatch(/^Usually .*\.$/);
  return found;
}

function flipped(at: readonly (readonly [number, number])[]): Damage {
  return damageOf(
    plant(tensor, (bytes) => {
      for (const [index, bit] of at) {
        words(
          bytes,
          (i) => i === index,
          (word) => word ^ (1 << bit),
        );
      }
    }),
  );
}

describe('damage of one element', () => {
  it.each([0, 22, 30, 31])('is a single bit: %i', (bit) => {
    expect(seen(flipped([[17, bit]]))).toMatchObject({
      pattern: 'single-bit',
      lead: expect.stringContaining('memory'),
      facts: [`bit ${bit} of one element differs`],
    });
  });

  it('is a burst of neighbouring bits, bits of one byte, or neither', () => {
    const bits = (...all: number[]) => seen(flipped(all.map((bit) => [3000, bit])))?.pattern;
    expect(bits(13, 14, 15)).toBe('bit-burst');
    expect(bits(8, 11, 15)).toBe('one-byte');
    expect(bits(1, 11, 15)).toBe('one-element');
  });

  it('is one element where no bits are known, and nothing where none is damaged', () => {
    expect(seen({ ...flipped([[17, 3]]), bits: null })?.pattern).toBe('one-element');
    expect(describeDamage(flipped([]))).toBeNull();
  });
});

describe('damage of a bit in many elements', () => {
  const stuck = (bit: number, value: 0 | 1, lanes: number, lane: number) =>
    damageOf(
      plant(tensor, (bytes) => {
        words(
          bytes,
          (i) => i % lanes === lane,
          (word) => (value ? word | (1 << bit) : word & ~(1 << bit)),
        );
      }),
    );

  it.each([
    [12, 1, 32, 5],
    [20, 0, 32, 31],
    [3, 1, 16, 0],
    [9, 0, 8, 7],
  ] as const)('is a stuck lane: bit %i at %i, every %i, lane %i', (bit, value, lanes, lane) => {
    expect(seen(stuck(bit, value, lanes, lane))).toMatchObject({
      pattern: 'stuck-lane',
      facts: [
        expect.stringContaining(`bit ${bit} is always ${value}`),
        `every index is ${lane} modulo ${lanes}`,
      ],
    });
  });

  it('is a stuck bit where every lane has it', () => {
    expect(seen(stuck(14, 1, 1, 0))?.pattern).toBe('stuck-bit');
  });

  it('is scattered where single bits differ here and there', () => {
    const next = seeded(5);
    const at = Array.from({ length: 12 }, () => [next() % elements, next() % 32] as const);
    expect(seen(flipped(at))?.pattern).toBe('scattered-flips');
  });

  it('is a changed sign of all', () => {
    const negated = plant(tensor, (bytes) => {
      words(
        bytes,
        () => true,
        (word) => word ^ 0x80000000,
      );
    });
    expect(seen(damageOf(negated))?.pattern).toBe('same-bits');
  });

  it('is a lane too where only the places are known', () => {
    const { indices } = stuck(12, 1, 32, 5);
    const damage = { ...damageOf(tensor), indices, total: indices.length, bits: null };
    expect(seen(damage)).toMatchObject({
      pattern: 'lane',
      facts: [`${indices.length} elements`, 'every index is 5 modulo 32'],
    });
    // Five places that happen to be even are no lane.
    expect(describeDamage({ ...damage, indices: [8, 90, 422, 1000, 4004], total: 5 })).toBeNull();
  });
});

describe('damage of a block', () => {
  const filled = (start: number, end: number, byte: (i: number) => number) =>
    plant(tensor, (bytes) => {
      for (let i = start; i < end; i++) bytes[i] = byte(i - start);
    });
  const noise = () => {
    const next = seeded(11);
    return () => next() >>> 24;
  };

  it.each([
    ['page', 2 * page, 3 * page],
    ['page', page, 3 * page],
    ['sector', 512 * 9, 512 * 10],
    ['line', 64 * 33, 64 * 34],
  ])('is a %s of zeros from byte %i to %i', (name, start, end) => {
    expect(seen(damageOf(filled(start, end, () => 0)))?.pattern).toBe(`zero-${name}`);
  });

  it('holds garbage, one value, another place’s bytes or the older ones', () => {
    expect(seen(damageOf(filled(page, 2 * page, noise())))?.pattern).toBe('page');
    const pattern = [0xef, 0xbe, 0xad, 0xde];
    const constant = filled(page, 2 * page, (i) => pattern[i % 4] as number);
    expect(seen(damageOf(constant))?.pattern).toBe('constant-page');
    const copied = plant(tensor, (bytes) => bytes.copyWithin(page, 3 * page, 4 * page));
    expect(seen(damageOf(copied, { copyOf: 3 * 1024 }))?.pattern).toBe('copied-page');
    expect(seen(staleOf(tensor, 1024, 2048))?.pattern).toBe('stale-page');
  });

  it('speaks for storage where its borders are the file’s alone, else for memory', () => {
    const inFile = damageOf(filled(2 * page - 200, 3 * page - 200, () => 0));
    expect(seen({ ...inFile, fileOffset: page + 200 })).toMatchObject({
      pattern: 'zero-page',
      lead: expect.stringContaining('points to storage'),
    });
    const inTensor = damageOf(filled(2 * page, 3 * page, () => 0));
    expect(seen({ ...inTensor, fileOffset: 1000 })?.lead).toContain('points to memory');
    expect(seen({ ...inTensor, fileOffset: page })?.lead).toContain(
      'memory, a transfer or storage',
    );
  });

  it('is seen through the holes that a law leaves in it', () => {
    const whole = damageOf(filled(page, 2 * page, noise()));
    const indices = whole.indices.filter((i) => i % 9 !== 3);
    expect(seen({ ...whole, indices, total: indices.length, bits: null })?.pattern).toBe('page');
    // What was not listed may lie anywhere.
    expect(describeDamage({ ...whole, total: 5000, bits: null })).toBeNull();
  });

  it('is told from elements that share one block by the space they fill', () => {
    const damage = { ...damageOf(tensor), bits: null };
    expect(seen({ ...damage, indices: [1024, 1039], total: 2 })?.pattern).toBe('within-line');
    expect(seen({ ...damage, indices: [1024, 1500, 2000], total: 3 })?.pattern).toBe('within-page');
  });
});

describe('damage of a part', () => {
  it.each([
    [8, 3],
    [2, 1],
    [5, 0],
  ])('is one rank’s where it is one of %i equal parts: %i', (parts, part) => {
    const first = Math.floor((elements * part) / parts);
    const damage = staleOf(tensor, first, Math.floor((elements * (part + 1)) / parts));
    expect(seen(damage)).toMatchObject({
      pattern: 'stale-part',
      lead: expect.stringContaining('rank'),
    });
  });

  it('is the whole tensor', () => {
    expect(seen(staleOf(tensor, 0, elements))?.pattern).toBe('stale-tensor');
    const zero = plant(tensor, (bytes) => bytes.fill(0));
    expect(seen(damageOf(zero))?.pattern).toBe('zero-tensor');
  });

  const tile = (rows: number, columns: number, to: (word: number, i: number) => number) =>
    damageOf(
      plant(tensor, (bytes) => {
        words(
          bytes,
          (i) => {
            const [row, column] = [Math.floor(i / 96), i % 96];
            return row >= 10 && row < 10 + rows && column >= 20 && column < 20 + columns;
          },
          to,
        );
      }),
    );

  it('is a tile of a matrix, a column, or rows', () => {
    const next = seeded(3);
    const garbage = (word: number) => word ^ (next() | 0x101);
    expect(seen(tile(16, 16, garbage))).toMatchObject({
      pattern: 'tile',
      facts: ['16 × 16 elements from row 10, column 20 on'],
    });
    expect(seen(tile(16, 16, () => 0))?.pattern).toBe('zero-tile');
    expect(seen(tile(30, 1, garbage))?.pattern).toBe('column');
    const rows = plant(tensor, (bytes) => {
      words(
        bytes,
        (i) => Math.floor(i / 96) === 13,
        (word) => word ^ (next() | 0x101),
      );
    });
    expect(seen(damageOf(rows))?.pattern).toBe('rows');
  });
});

describe('damage that software does', () => {
  it.each([1, 2, 4, 8, 60])('is bytes that lie %i too far', (by) => {
    const late = plant(tensor, (bytes) => {
      const all = bytes.slice();
      for (let i = 0; i < all.length; i++) bytes[i] = all[(i + by) % all.length] as number;
    });
    expect(seen(damageOf(late))).toMatchObject({
      pattern: 'shifted-bytes',
      facts: [`bytes lie ${by} too far`],
    });
    const early = plant(tensor, (bytes) => bytes.copyWithin(by, 0));
    expect(seen(damageOf(early))?.pattern).toBe('shifted-bytes');
  });

  it('is another byte order', () => {
    const swapped = plant(tensor, (bytes) => {
      for (let i = 0; i < bytes.length; i += 4) bytes.subarray(i, i + 4).reverse();
    });
    expect(seen(damageOf(swapped))?.pattern).toBe('swapped-bytes');
  });

  it('is values that stand in other places', () => {
    const source = (to: (row: number, column: number) => number) =>
      plant(tensor, (bytes) => {
        const view = new DataView(bytes.slice().buffer);
        words(
          bytes,
          () => true,
          (_, i) => view.getUint32(4 * to(Math.floor(i / 96), i % 96), true),
        );
      });
    const transposed = source(
      (row, column) => ((row * 96 + column) % 64) * 96 + Math.floor((row * 96 + column) / 64),
    );
    expect(seen(damageOf(transposed))?.pattern).toBe('moved-values');
    const rows = source((row, column) => (row === 5 ? 40 : row === 40 ? 5 : row) * 96 + column);
    expect(seen(damageOf(rows))?.pattern).toBe('moved-values');
    const shards = source(
      (row, column) => (((row + (row < 32 ? 16 : 0)) % 32) + (row < 32 ? 0 : 32)) * 96 + column,
    );
    expect(seen(damageOf(shards))?.pattern).toBe('moved-values');
    const scaled = plant(tensor, (bytes) => {
      words(
        bytes,
        () => true,
        (word) => word + 0x0080_0001,
      );
    });
    expect(seen(damageOf(scaled))?.pattern).toBe('tensor');
    expect(seen({ ...damageOf(scaled), indices: [0, 1, 2], bits: null })?.pattern).toBe('tensor');
  });

  it.each([8, 13, 16])('is a mantissa without its last %i bits, cut or rounded', (trailing) => {
    const step = 2 ** trailing;
    const cut = (round: (x: number) => number) =>
      plant(tensor, (bytes) => {
        words(
          bytes,
          () => true,
          (word) => round(word / step) * step,
        );
      });
    for (const round of [Math.floor, Math.round]) {
      expect(seen(damageOf(cut(round)))).toMatchObject({
        pattern: 'cut-mantissa',
        facts: [`the last ${trailing} bits of each element are 0`],
      });
    }
  });
});

describe('a pattern', () => {
  it('is none in scattered elements of unknown bits', () => {
    const next = seeded(9);
    const indices = [...new Set(Array.from({ length: 40 }, () => next() % elements))];
    indices.sort((a, b) => a - b);
    const damage = { ...damageOf(tensor), indices, total: indices.length, bits: null };
    expect(describeDamage(damage)).toBeNull();
  });

  it('says what it does not have all of', () => {
    const lane = Array.from({ length: 60 }, (_, i) => 32 * i + 4);
    const damage = { ...damageOf(tensor), indices: lane, total: 100, bits: null };
    expect(seen(damage)?.facts).toContain('60 of 100 seen');
  });

  it('has a sentence for every block, part and content', () => {
    for (const place of ['page', 'sector', 'line', 'part', 'tensor', 'rows', 'stretch']) {
      for (const content of ['', 'zero-', 'stale-', 'copied-', 'constant-']) {
        for (const borders of [undefined, 'tensor', 'file', 'both'] as const) {
          expect(causes(`${content}${place}`, borders)).toMatch(/^Usually [^.]*\.$/);
        }
      }
    }
  });
});
