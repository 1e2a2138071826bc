/**
 * Runs written by test/fixtures/suspicions/make.py: what score.py measured and said, as our
 * records.
 */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import type { DType } from '../../src/checkpoint/dtype.ts';
import { decodeNumber } from '../../src/records/numbers.ts';
import { emptyPairRecord, type PairRecord } from '../../src/records/pair-record.ts';
import { emptySummaryRecord, type SummaryRecord } from '../../src/records/summary.ts';
import type { Evidence, SuspicionFinding } from '../../src/suspicions/finding.ts';
import { type Judgement, judgeValidation } from '../../src/suspicions/judge-validation.ts';
import type { RunMemory } from '../../src/suspicions/run-memory.ts';
import type { Group } from '../../src/suspicions/suspicion.ts';
import type { JudgedTensor, Validation } from '../../src/suspicions/validation.ts';

interface StoredPair {
  readonly changed: number;
  readonly dMax1: number | string;
  readonly dMax1Index: number;
  readonly dSumSquares: number | string;
  readonly dOctaves: readonly (readonly [number, number])[];
  readonly rows: string;
  readonly blocks: string;
}

interface StoredTensor {
  readonly count: number;
  readonly zeros: number;
  readonly denormals: number;
  readonly bad: number;
  readonly max1: number | string;
  readonly max1Index: number;
  readonly max2: number | string;
  readonly sumSquares: number | string;
  readonly octaves: readonly (readonly [number, number])[];
  readonly or: string;
  readonly and: string;
  readonly on: string;
  readonly zeroBlocks: number;
  readonly digest: string;
  readonly varied: boolean;
  readonly pair?: StoredPair;
  readonly ratio?: number | string;
}

export interface OracleFinding {
  readonly rule: string;
  readonly severity: 'warning' | 'info' | 'corrupt';
  readonly tensor: string;
  readonly statistic?: string;
  readonly net_bits?: number;
}

export interface StoredCheckpoint {
  readonly step: number;
  readonly beta1: number;
  readonly tests: number;
  readonly highest: number | null;
  readonly findings: readonly OracleFinding[];
  readonly tensors: Readonly<Record<string, StoredTensor>>;
}

export interface Branch {
  readonly fault: string;
  /** Index of the damaged checkpoint. */
  readonly at: number;
  /** From the damaged one on; `tensors` holds what differs from the healthy run. */
  readonly checkpoints: readonly StoredCheckpoint[];
}

/** What score.py says of a run of which only these tensors exist. */
export interface Part {
  readonly tensors: readonly string[];
  readonly checkpoints: readonly Omit<StoredCheckpoint, 'tensors' | 'beta1'>[];
}

export interface RecordedRun {
  readonly run: string;
  readonly checkpoints: readonly StoredCheckpoint[];
  readonly branches: readonly Branch[];
  readonly parts?: readonly Part[];
  readonly tensors: Readonly<
    Record<string, { role: string; unit: string; dtype: string; shape: readonly number[] }>
  >;
}

export function readRun(name: string): RecordedRun {
  const file = new URL(`../fixtures/suspicions/${name}.json.gz`, import.meta.url);
  return JSON.parse(gunzipSync(readFileSync(file)).toString()) as RecordedRun;
}

function bytes(text: string): ArrayBuffer {
  return new Uint8Array(Buffer.from(text, 'base64')).buffer;
}

function dense(octaves: readonly (readonly [number, number])[]): Float64Array {
  const all = new Float64Array(256);
  for (const [octave, count] of octaves) all[octave] = count;
  return all;
}

function real(value: number | string): number {
  return decodeNumber(value) as number;
}

function summary(stored: StoredTensor, dtype: DType): SummaryRecord {
  const digest = [0, 8].map((at) => Number.parseInt(stored.digest.slice(at, at + 8), 16));
  return {
    ...emptySummaryRecord(dtype),
    elements: stored.count,
    nan: stored.bad,
    zeros: stored.zeros,
    denormals: stored.denormals,
    max1: real(stored.max1),
    max1Index: stored.max1Index,
    max2: real(stored.max2),
    sumSquares: real(stored.sumSquares),
    octaves: dense(stored.octaves),
    laneOr: new Uint32Array(bytes(stored.or)),
    laneAnd: new Uint32Array(bytes(stored.and)),
    laneCount: Float64Array.from(new Uint32Array(bytes(stored.on))),
    zeroBlocks: stored.zeroBlocks,
    digests: Uint32Array.from(digest),
  };
}

const still = emptyPairRecord({ elements: 0, rows: 0 });

function pairOf({ pair, ratio }: StoredTensor): PairRecord | null {
  if (!pair) return ratio === undefined ? null : { ...still, ratioMean: real(ratio) };
  return {
    ...still,
    changed: pair.changed,
    deltaMax1: real(pair.dMax1),
    deltaMax1Index: pair.dMax1Index,
    deltaSquares: real(pair.dSumSquares),
    deltaOctaves: dense(pair.dOctaves),
    rowEnergy: new Float64Array(bytes(pair.rows)),
    blockEnergy: new Float64Array(bytes(pair.blocks)),
  };
}

const groups: Readonly<Record<string, Group>> = {
  t: 'weight',
  m: 'first',
  v: 'second',
  b: 'buffer',
};

/** The checkpoint as `judgeValidation` takes it; `healthy` holds what a branch left out. */
export function validationOf(
  run: RecordedRun,
  checkpoint: StoredCheckpoint,
  healthy: StoredCheckpoint = checkpoint,
): Validation {
  const stored = { ...healthy.tensors, ...checkpoint.tensors };
  const tensors = Object.entries(stored).map(([name, tensor]): JudgedTensor => {
    const about = run.tensors[name];
    if (!about) throw new Error(`${name} is not described`);
    return {
      name,
      unit: about.unit,
      group: groups[about.role] ?? null,
      rows: about.shape.length >= 2 ? (about.shape[0] as number) : 0,
      record: summary(tensor, about.dtype.toLowerCase() as DType),
      pair: pairOf(tensor),
      before: null,
      varied: tensor.varied,
    };
  });
  return { step: checkpoint.step, beta1: checkpoint.beta1, tensors };
}

/** Our names of statistics, in score.py's words. */
const words: Readonly<Record<string, string>> = {
  deltaReach: 'dReach',
  deltaRowPeak: 'dRowPeak',
  deltaBlockPeak: 'dBlockPeak',
  deltaRowTop: 'dRowTop',
  deltaBlockTop: 'dBlockTop',
  deltaMedian: 'dMedian',
  deltaRms: 'dRms',
};

export interface Told {
  /** `rule statistic tensor`. */
  readonly key: string;
  readonly net: number | null;
  readonly severity: string;
}

function toldOf({ rule, line, tensor, net, severity }: Evidence): Told {
  const statistic = line === null ? '' : (line.split('.')[1] as string);
  return { key: `${rule} ${words[statistic] ?? statistic} ${tensor}`, net, severity };
}

function byKey(a: Told, b: Told): number {
  return a.key < b.key ? -1 : 1;
}

/** Everything that was said of tensors, in one flat list. */
export function flatten(findings: readonly SuspicionFinding[]): Told[] {
  const all = findings.flatMap((finding) =>
    finding.tensor === null
      ? []
      : [toldOf({ ...finding, tensor: finding.tensor }), ...finding.others.map(toldOf)],
  );
  return all.sort(byKey);
}

/** What score.py said, less what is said elsewhere here (see oracle.test.ts). */
export function flattenOracle(findings: readonly OracleFinding[]): Told[] {
  const vanished = new Set(
    findings.filter(({ rule }) => rule === 'vanished-tensor').map(({ tensor }) => tensor),
  );
  return findings
    .filter(({ rule }) => rule !== 'non-finite')
    .filter(({ rule, tensor }) => rule !== 'vanished-block' || !vanished.has(tensor))
    .map(({ rule, statistic, tensor, net_bits, severity }) => ({
      key: `${rule} ${statistic ?? ''} ${tensor}`,
      net: net_bits ?? null,
      severity,
    }))
    .sort(byKey);
}

/** Judges the healthy run; `memories[i]` is what is known before checkpoint i. */
export function replay(
  run: RecordedRun,
  first: RunMemory,
): { readonly judgements: readonly Judgement[]; readonly memories: readonly RunMemory[] } {
  const memories = [first];
  const judgements = run.checkpoints.map((checkpoint) => {
    const judgement = judgeValidation(memories.at(-1) as RunMemory, validationOf(run, checkpoint));
    memories.push(judgement.memory);
    return judgement;
  });
  return { judgements, memories };
}
