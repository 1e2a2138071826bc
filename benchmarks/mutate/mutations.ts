/**
 * What happens to files: bits flip, ends are cut, pages move, and somebody who knows the format
 * writes numbers that lie. Seeded: the same seed and trial give the same bytes.
 */
import type { Random } from '../fuzz/random.ts';
import type { Files } from './memory-source.ts';
import { repairZip } from './repair-zip.ts';

/** Values at which readers break: borders of integer types, and sizes of the file itself. */
const borders = [
  0n,
  1n,
  0x7fn,
  0x80n,
  0xffn,
  0x7fffn,
  0xffffn,
  0x7fffffffn,
  0x80000000n,
  0xffffffffn,
  0x100000000n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
];

/** The same in text, and what JSON and Python write that a reader may not expect. */
const words = [
  '0',
  '-1',
  '1e400',
  '18446744073709551616',
  '9007199254740993',
  'NaN',
  'null',
  'true',
  '""',
  '[]',
  '{}',
  '"../../x"',
  '"\\u0000"',
  '"\\ud800"',
  "'<f8'",
  '__proto__',
];

type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

function at(random: Random, length: number): number {
  return Math.floor(random.uniform() * length);
}

/** Lengths of all orders of magnitude alike. */
function span(random: Random, most: number): number {
  return Math.min(most, Math.floor(2 ** (random.uniform() * Math.log2(most + 1))));
}

const flipBits: Mutation = (bytes, random) => {
  const copy = new Uint8Array(bytes);
  for (let i = span(random, 8); i >= 0; i--) {
    const place = at(random, copy.length);
    copy[place] = (copy[place] ?? 0) ^ (1 << at(random, 8));
  }
  return copy;
};

const writeBytes: Mutation = (bytes, random) => {
  const copy = new Uint8Array(bytes);
  const place = at(random, copy.length);
  for (let i = span(random, 16); i >= 0; i--) copy[place + i] = random.word();
  return copy;
};

const cut: Mutation = (bytes, random) => bytes.slice(0, at(random, bytes.length + 1));

const cutAtBorder: Mutation = (bytes, random) => {
  const size = random.pick([64, 512, 4096]);
  return bytes.slice(0, Math.floor(at(random, bytes.length + 1) / size) * size);
};

const extend: Mutation = (bytes, random) => {
  const more = new Uint8Array(span(random, 5000));
  if (random.word() & 1) for (const i of more.keys()) more[i] = random.word();
  return Buffer.concat([bytes, more]);
};

const zeroRun: Mutation = (bytes, random) => {
  const copy = new Uint8Array(bytes);
  const place = at(random, copy.length);
  return copy.fill(random.pick([0, 0xff]), place, place + span(random, 4096));
};

const removeRun: Mutation = (bytes, random) => {
  const place = at(random, bytes.length);
  return Buffer.concat([bytes.subarray(0, place), bytes.subarray(place + span(random, 512))]);
};

const repeatRun: Mutation = (bytes, random) => {
  const place = at(random, bytes.length);
  const end = place + span(random, 512);
  return Buffer.concat([bytes.subarray(0, end), bytes.subarray(place)]);
};

const swapPages: Mutation = (bytes, random) => {
  const size = random.pick([16, 64, 512, 4096]);
  const pages = Math.floor(bytes.length / size);
  const copy = new Uint8Array(bytes);
  const [a, b] = [at(random, pages) * size, at(random, pages) * size];
  copy.set(bytes.subarray(b, b + size), a);
  copy.set(bytes.subarray(a, a + size), b);
  return copy;
};

/** An integer that the format may store: a length, an offset, a count. */
const writeInteger: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes);
  const width = random.pick([1, 2, 4, 8]);
  if (copy.length < width) return copy;
  const place = at(random, copy.length - width + 1);
  const near = BigInt(bytes.length) + BigInt(at(random, 17) - 8);
  const value = random.word() & 3 ? random.pick(borders) : near;
  const wrapped = BigInt.asUintN(width * 8, value);
  for (let i = 0; i < width; i++) copy[place + i] = Number((wrapped >> BigInt(8 * i)) & 255n);
  return copy;
};

/** A stored integer one more, one less, doubled or negated. */
const nudgeInteger: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes);
  if (copy.length < 4) return copy;
  // Small numbers are lengths more often than noise is.
  for (let i = 0; i < 50; i++) {
    const place = at(random, copy.length - 3);
    const value = copy.readUInt32LE(place);
    if (value === 0 || value > 1_000_000) continue;
    copy.writeUInt32LE(random.pick([value + 1, value - 1, value * 2, -value >>> 0]), place);
    return copy;
  }
  return copy;
};

/** A number or string of a text header becomes another one. */
const writeWord: Mutation = (bytes, random) => {
  const text = Buffer.from(bytes).toString('latin1');
  const tokens = [
    ...text.slice(0, 65_536).matchAll(/-?\d+(\.\d+)?|"[^"\n]{0,80}"|'[^'\n]{0,80}'/g),
  ];
  if (tokens.length === 0) return flipBits(bytes, random);
  const token = random.pick(tokens);
  const other = random.word() & 1 ? random.pick(words) : random.pick(tokens)[0];
  const start = token.index;
  return Buffer.from(text.slice(0, start) + other + text.slice(start + token[0].length), 'latin1');
};

/** A printable run (a name, a key, a class) becomes another one of the file, of the same length. */
const swapNames: Mutation = (bytes, random) => {
  const text = Buffer.from(bytes).toString('latin1');
  const names = [...text.slice(0, 262_144).matchAll(/[A-Za-z_][\w./]{3,60}/g)];
  if (names.length < 2) return flipBits(bytes, random);
  const [name, other] = [random.pick(names), random.pick(names)];
  const word = other[0].padEnd(name[0].length, '_').slice(0, name[0].length);
  const end = name.index + name[0].length;
  return Buffer.from(text.slice(0, name.index) + word + text.slice(end), 'latin1');
};

const mutations: readonly Mutation[] = [
  flipBits,
  flipBits,
  writeBytes,
  cut,
  cutAtBorder,
  extend,
  zeroRun,
  removeRun,
  repeatRun,
  swapPages,
  writeInteger,
  writeInteger,
  nudgeInteger,
  nudgeInteger,
  writeWord,
  writeWord,
  swapNames,
];

/** Files of a folder that vanish, are emptied, or stand in for each other. */
function shuffleFiles(files: Map<string, Uint8Array>, random: Random): void {
  const names = [...files.keys()];
  const [name, other] = [random.pick(names), random.pick(names)];
  switch (at(random, 4)) {
    case 0:
      files.delete(name);
      return;
    case 1:
      files.set(name, new Uint8Array(0));
      return;
    case 2:
      files.set(name, files.get(other) as Uint8Array);
      return;
    default:
      files.set(
        `${name}${random.pick(['.tmp', '~', '/x', '-00001-of-00002'])}`,
        files.get(name) as Uint8Array,
      );
  }
}

/** A mutated copy: one to four changes; members of archives get the checksum of what they hold now. */
export function mutate(files: Files, random: Random): Map<string, Uint8Array> {
  const copy = new Map(files);
  const changes = 1 + span(random, 3);
  for (let i = 0; i < changes; i++) {
    if (copy.size > 1 && random.uniform() < 0.1) shuffleFiles(copy, random);
    if (copy.size === 0) break;
    const name = random.pick([...copy.keys()]);
    const bytes = copy.get(name) as Uint8Array;
    const changed = bytes.length === 0 ? bytes : random.pick(mutations)(bytes, random);
    // Damage behind a checksum stops there; who writes on purpose writes the checksum too.
    copy.set(name, random.word() & 1 ? repairZip(changed) : changed);
  }
  return copy;
}
