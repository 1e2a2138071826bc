/** Whether the tensors of a safetensors file tile its data section: no hole, no overlap, no rest. */
import type { Problem } from '../checkpoint/problem.ts';

export interface Claim {
  readonly name: string;
  /** Bytes of the data section, begin ≤ end. */
  readonly begin: number;
  readonly end: number;
}

export interface Tiling {
  readonly file: string;
  /** Byte of the file at which the data section begins. */
  readonly dataOffset: number;
  /** Bytes that follow it. */
  readonly dataLength: number;
}

/** Tensors that end after the data do, and problems of the whole, in the order of the bytes. */
export interface TilingResult {
  readonly cut: ReadonlySet<string>;
  readonly isTruncated: boolean;
  readonly problems: readonly Problem[];
}

/** `isWhole`: every entry's claim is known; without it a hole may be somebody's. */
export function checkTiling(
  claims: readonly Claim[],
  tiling: Tiling,
  isWhole: boolean,
): TilingResult {
  // An empty tensor sorts before the one that begins where it lies.
  const sorted = [...claims].sort((a, b) => a.begin - b.begin || a.end - b.end);
  const outside = cutClaims(sorted, tiling);
  const problems = [...outside.problems];
  let end = 0;
  let last: Claim | null = null;
  for (const claim of sorted) {
    if (claim.begin === claim.end) continue;
    if (claim.begin < end && last) problems.push(overlap(last, claim, tiling));
    if (isWhole && claim.begin > end) problems.push(hole(end, claim, tiling));
    if (claim.end > end) {
      end = claim.end;
      last = claim;
    }
  }
  if (isWhole && end < tiling.dataLength) problems.push(trailing(end, tiling));
  return { ...outside, problems };
}

function cutClaims(sorted: readonly Claim[], tiling: Tiling): TilingResult {
  const { file, dataOffset, dataLength } = tiling;
  const cut = sorted.filter((claim) => claim.end > dataLength);
  const names = new Set(cut.map((claim) => claim.name));
  const first = cut[0];
  if (!first) return { cut: names, isTruncated: false, problems: [] };
  // Tensors that tile their section end where their sizes end; whoever is past that points nowhere.
  const total = sorted.reduce((sum, claim) => sum + claim.end - claim.begin, 0);
  const wild = cut.filter((claim) => claim.end > total);
  const problems: Problem[] = wild.map((claim) => ({
    rule: 'tensor-out-of-bounds',
    kind: 'damage',
    file,
    tensor: claim.name,
    offset: dataOffset + claim.begin,
    message:
      `it claims bytes ${claim.begin} to ${claim.end} of the data, ` +
      `of which there are ${dataLength}`,
  }));
  if (wild.length === cut.length) return { cut: names, isTruncated: false, problems };
  const end = cut.reduce((most, claim) => Math.max(most, claim.end), 0);
  problems.push({
    rule: 'file-truncated',
    kind: 'damage',
    file,
    tensor: first.name,
    offset: dataOffset + dataLength,
    message:
      `the file ends ${end - dataLength} bytes before its data does; ` +
      `${cut.length} of ${sorted.length} tensors are cut or missing`,
  });
  return { cut: names, isTruncated: true, problems };
}

function overlap(first: Claim, second: Claim, { file, dataOffset }: Tiling): Problem {
  const shared = Math.min(first.end, second.end) - second.begin;
  return {
    rule: 'tensor-overlap',
    kind: 'damage',
    file,
    tensor: second.name,
    offset: dataOffset + second.begin,
    message: `${shared} bytes from ${second.begin} of the data belong to ${JSON.stringify(first.name)} too`,
  };
}

function hole(end: number, next: Claim, { file, dataOffset }: Tiling): Problem {
  return {
    rule: 'bytes-unclaimed',
    kind: 'damage',
    file,
    tensor: next.name,
    offset: dataOffset + end,
    message: `${next.begin - end} bytes before this tensor belong to nobody`,
  };
}

function trailing(end: number, { file, dataOffset, dataLength }: Tiling): Problem {
  return {
    rule: 'trailing-bytes',
    kind: 'damage',
    file,
    offset: dataOffset + end,
    message: `${dataLength - end} bytes follow the last tensor`,
  };
}
