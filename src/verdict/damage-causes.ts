/** What usually makes a pattern of damage, as a sentence that says no more than "usually". */

const memory =
  'compare the ECC and page-retirement counters of the machine and its GPUs, and test their memory';
const storage = 'look for errors in the kernel’s log, the file system and the disk’s own report';
const software = 'look for what was released, updated or configured anew before this save';

const elements: Readonly<Record<string, string>> = {
  'single-bit': `Usually a bit flip in memory or in a register: ${memory}.`,
  'bit-burst': `Usually one event in memory that struck neighbouring cells: ${memory}.`,
  'one-byte': `Usually a memory chip or a link that carries a byte of its own: ${memory}.`,
  'one-element':
    'Usually a wrong result of a compute unit or a value written over by software: run the step ' +
    'again elsewhere and compare.',
  'scattered-flips': `Usually memory that keeps losing bits: ${memory}.`,
  'stuck-bit': `Usually a data line or a memory chip with a bit that is stuck: ${memory}.`,
  'stuck-lane':
    'Usually a stuck bit in one lane of a vector unit, a memory channel or a link: move the job ' +
    'off this device, then test it.',
  'same-bits':
    'Usually software that changed a sign or a scale, or a fault in one circuit that all values ' +
    `pass: ${software}.`,
  'swapped-bytes': `Usually software that wrote one byte order and read the other: ${software}.`,
  'shifted-bytes':
    'Usually software that read or wrote at a wrong offset, seldom a transfer that lost bytes: ' +
    `${software}.`,
  'moved-values':
    'Usually software that swapped rows or shards, or wrote a matrix the other way round: ' +
    `${software}.`,
  'cut-mantissa': `Usually software that passed the values through a narrower type: ${software}.`,
  lane: 'Usually one lane of a vector unit, one memory channel or one link: test this device.',
  column: `Usually one output of a matrix product, or software that wrote one column: ${software}.`,
  rows: `Usually software that updated or gathered the wrong rows: ${software}.`,
  tile: 'Usually one tile of a matrix product: a faulty compute unit, or a kernel’s wrong index.',
};

/** What a place suggests when its content says nothing. */
const places: Readonly<Record<string, string>> = {
  line: `Usually one burst of a memory channel or one line of a cache: ${memory}.`,
  sector: `Usually a sector of a disk: ${storage}.`,
  page: `Usually a page that was written over, or a transfer that went wrong: ${memory}.`,
  part: 'Usually one rank’s part of the tensor: compare this rank with the others.',
  tensor: `Usually software that saved, loaded or scaled the wrong tensor: ${software}.`,
  rows: `Usually software that updated or gathered the wrong rows: ${software}.`,
  stretch: `Usually a copy with a wrong length or offset: ${software}.`,
};

/** What a content suggests, before the place is asked. */
const contents: Readonly<Record<string, string>> = {
  zero: 'bytes that were never written, or a buffer that was never filled',
  stale: 'a write that was lost, or a part that was left out of the last update',
  copied: 'a read or write that went to the wrong place',
  constant: 'memory that was filled with a pattern or never initialised',
};

/** Blocks of the file speak for storage, blocks of the tensor for what happened before the save. */
function byBorder(borders: 'tensor' | 'file' | 'both' | undefined): string {
  if (borders === 'file') {
    return `its borders are the file’s and not the tensor’s, which points to storage: ${storage}`;
  }
  if (borders === 'tensor') {
    return `its borders are the tensor’s, which points to memory or a transfer: ${memory}`;
  }
  return `memory, a transfer or storage: ${storage}, then ${memory}`;
}

/** The sentence for a pattern of `describeDamage`; `borders` where it fills whole blocks. */
export function causes(pattern: string, borders?: 'tensor' | 'file' | 'both'): string {
  const known = elements[pattern];
  if (known !== undefined && borders === undefined) return known;
  const dash = pattern.indexOf('-');
  const content = contents[pattern.slice(0, Math.max(0, dash))];
  const place = pattern.slice(dash + 1);
  if (content === undefined) {
    const usual = places[place] as string;
    return borders === 'file' ? `Usually storage: ${byBorder(borders)}.` : usual;
  }
  if (borders !== undefined) return `Usually ${content}; ${byBorder(borders)}.`;
  if (place === 'part') return `Usually ${content}: compare this rank with the others.`;
  return `Usually ${content}: ${software}.`;
}
