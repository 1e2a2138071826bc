/** One checkpoint, or a pair, from its path to its result document. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Problem } from '../checkpoint/problem.ts';
import type { Detail, Engine } from '../engines/engine.ts';
import { openCheckpoint } from '../formats/open-checkpoint.ts';
import { withNames } from '../formats/parameter-names.ts';
import type { Ledgers } from '../records/ledger.ts';
import { measureMovements } from '../scan/movements.ts';
import type { ScanOptions } from '../scan/options.ts';
import type { Opened } from '../scan/scan.ts';
import { emptyRunMemory, type RunMemory } from '../suspicions/run-memory.ts';
import { decide } from './decide.ts';
import { checkpointPart, coverageOf, header, listedTensors, tensorPart } from './document.ts';
import { problemFinding, scanFindings } from './findings.ts';
import { judgeWithKept, type Kept } from './kept.ts';
import { withLeads } from './leads.ts';
import type { Finding, Result } from './result.ts';
import { isDamaged, type Scanned, scanWithBase } from './scan-with-base.ts';
import { judgeStatistics } from './statistics.ts';

export interface JudgeRequest {
  readonly head: string;
  /** Null: judged by itself. */
  readonly base: string | null;
  readonly options: ScanOptions;
  readonly engine: Engine;
  /** The command that shows a finding again. */
  readonly next: string;
  /** What is known against the head beside its own files. */
  readonly problems?: readonly Problem[];
  /** List every tensor with its statistics. */
  readonly listTensors?: boolean;
  /** What is remembered of the run; absent: only the rules that need no more than the pair. */
  readonly memory?: RunMemory;
  /**
   * The checkpoint of the memory's own step, where it is still there and is not the base: updates are
   * compared over like distances, which the base of the laws may not have.
   */
  readonly reference?: string | null;
  /** Takes the memory that the next checkpoint of the run is to be judged with. */
  readonly onMemory?: (memory: RunMemory) => void;
  /** Where what was read of trusted checkpoints is kept, and found when one of them is the base. */
  readonly ledgers?: Ledgers;
}

/** Findings listed one by one; what is past this is counted in the last one. */
const findingsListed = 1000;

/** Refuses a verdict about files that changed while they were read. */
async function assertUnchanged({ checkpoint, source }: Opened): Promise<void> {
  for (const file of checkpoint.files) {
    const now = await source.stat(file.name);
    if (now?.identity === file.identity) continue;
    throw new LaikaError({
      code: 'changed-while-reading',
      what: now ? 'a file changed while it was read' : 'a file disappeared while it was read',
      where: `${checkpoint.path}: ${file.name}`,
      why: 'the checkpoint is being written, rotated or overwritten',
      next: 'check it again when the trainer has finished writing',
    });
  }
}

/** Where a law speaks of a tensor, a suspicion about the same one adds nothing. */
function withoutEchoes(proven: readonly Finding[], suspected: readonly Finding[]): Finding[] {
  const named = new Set(proven.map(({ parameter, tensor }) => parameter ?? tensor));
  const everywhere = proven.some(({ kind }) => kind === 'lineage' || kind === 'declaration');
  const fresh = suspected.filter(({ parameter, tensor }) => !named.has(parameter ?? tensor));
  return [...proven, ...(everywhere ? [] : fresh)];
}

/** Worst first; what names an element before what names a tensor, and that before sums of the model. */
function bySeverity(a: Finding, b: Finding): number {
  const order = ['critical', 'error', 'warning', 'info'];
  const rank = (finding: Finding) => {
    const place =
      finding.bits?.flip !== undefined ? 0 : finding.element ? 1 : finding.tensor ? 2 : 3;
    return 4 * order.indexOf(finding.severity) + place;
  };
  return rank(a) - rank(b) || b.count - a.count;
}

function capped(findings: readonly Finding[]): Finding[] {
  const sorted = [...findings].sort(bySeverity);
  const last = sorted[findingsListed];
  if (!last) return sorted;
  const rest = sorted.length - findingsListed;
  const message = `${rest} more findings like this one are not listed`;
  return [...sorted.slice(0, findingsListed), { ...last, count: rest, message }];
}

/** Opens a checkpoint and names what it leaves open, as far as the request does. */
async function openNamed(path: string, { options: { names } }: JudgeRequest): Promise<Opened> {
  const opened = await openCheckpoint(path);
  if (!names) return opened;
  try {
    return { ...opened, checkpoint: withNames(opened.checkpoint, names.names, names.from) };
  } catch (error) {
    await opened.source.close();
    throw error;
  }
}

/** Replaces the movements by those since the reference, where there is one. */
async function fromReference(
  head: Opened,
  scanned: Scanned,
  request: JudgeRequest,
): Promise<Scanned> {
  const path = request.reference;
  if (path === undefined || path === null || path === request.base || path === request.head)
    return scanned;
  const reference = await openNamed(path, request);
  try {
    if (isDamaged(reference.checkpoint)) return scanned;
    const movements = await measureMovements(head, reference, request.engine);
    return {
      ...scanned,
      outcome: { ...scanned.outcome, movements },
      baseStep: reference.checkpoint.step,
    };
  } finally {
    await reference.source.close();
  }
}

function documentOf(head: Opened, scanned: Scanned, request: JudgeRequest): Result {
  const { outcome, base, baseFindings, baseStep } = scanned;
  const { checkpoint } = head;
  const { next } = request;
  const statistics = judgeStatistics(outcome, {
    tensors: checkpoint.tensors,
    step: checkpoint.step,
    baseStep,
    memory: request.memory ?? emptyRunMemory(),
    next,
  });
  request.onMemory?.(statistics.judgement.memory);
  const findings = capped([
    ...[...checkpoint.problems, ...outcome.problems.head, ...(request.problems ?? [])].map((each) =>
      problemFinding(each, 'head', next),
    ),
    ...baseFindings,
    ...withoutEchoes(scanFindings(outcome, checkpoint.tensors, next), statistics.findings),
  ]);
  const proofs = coverageOf(outcome, checkpoint);
  const coverage = { ...proofs, rules: [...proofs.rules, ...statistics.judgement.coverage] };
  const verdict = decide(findings, coverage);
  const quiet = verdict === 'intact' || verdict === 'unremarkable';
  const trusted = quiet ? checkpoint : (base?.checkpoint ?? null);
  return {
    ...header(),
    checkpoint: checkpointPart(checkpoint),
    ...(base ? { base: checkpointPart(base.checkpoint) } : {}),
    verdict,
    findings,
    coverage,
    ...(request.listTensors
      ? { tensors: listedTensors(checkpoint).map((each) => tensorPart(each, outcome)) }
      : {}),
    ...(trusted ? { trusted: { checkpoint: trusted.path, step: trusted.step } } : {}),
  };
}

interface Ends {
  readonly head: Opened;
  readonly base: Opened | null;
}

/** What is compared with nothing is not computed. */
function detailOf(base: Opened | null, { memory, onMemory }: JudgeRequest, kept: Kept): Detail {
  if (memory || onMemory || kept.writer) return 'history';
  return base ? 'bits' : 'numbers';
}

/** Judges what is open, with what is kept of the base. */
async function judgeOpened(
  { head, base }: Ends,
  request: JudgeRequest,
  kept: Kept,
): Promise<{ readonly result: Result; readonly scanned: Scanned }> {
  const options = {
    ...request.options,
    listed: request.listTensors === true,
    detail: detailOf(base, request, kept),
  };
  const found = await scanWithBase({ head, base }, { ...request, options }, kept);
  const scanned = await fromReference(head, found, request);
  await assertUnchanged(head);
  if (base) await assertUnchanged(base);
  return { result: documentOf(head, scanned, request), scanned };
}

/**
 * Judges `head`, against `base` where one is given.
 * @throws LaikaError for what is no checkpoint, cannot be read, passes a limit or changed meanwhile.
 */
export async function judge(request: JudgeRequest): Promise<Result> {
  const head = await openNamed(request.head, request);
  try {
    const base = request.base === null ? null : await openNamed(request.base, request);
    try {
      const ledgers = request.engine.recalls ? request.ledgers : undefined;
      const { result, scanned } = await judgeWithKept({ head, base }, ledgers, (kept) =>
        judgeOpened({ head, base }, request, kept),
      );
      if (result.verdict !== 'corrupt') return result;
      const ends = { head, base: scanned.base };
      return { ...result, findings: await withLeads(result.findings ?? [], scanned.outcome, ends) };
    } finally {
      await base?.source.close();
    }
  } finally {
    await head.source.close();
  }
}
