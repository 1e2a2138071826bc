/** Scores of every rule line on every tensor, before evidence is counted. */
import { finiteOf, historyLength, leastHistory, leastLevel, levelLength } from './run-memory.ts';
import { largestOf, medianOf } from './sample-statistics.ts';
import { isTested, type Subject } from './subject.ts';
import type { Line, Statistic } from './suspicion.ts';

/** A group needs so many tensors with a level before its common move is taken out. */
const leastForCentre = 4;

/** A group needs so many scores before the third largest of them is taken off. */
const leastForAlone = 5;

/** Octaves that the whole run may move before scores are lowered. */
const stormFree = 1;

/** Lines whose common move of a group says that the whole run moved. */
const stormLines: ReadonlySet<string> = new Set([
  'weight.deltaMedian',
  'weight.deltaRms',
  'first.rms',
  'second.rms',
]);

/** What one line says of one tensor; the storm is not taken off yet. */
export interface Score {
  readonly subject: Subject;
  readonly score: number;
  readonly value: number;
  readonly reference: number;
  /** Values of the history that the score is an excess over: 4 to 12. */
  readonly history: number;
}

/** What one line says of all its tensors. */
export interface LineScores {
  readonly line: Line;
  readonly scores: readonly Score[];
  /** Of a residual line: name → distance from what was expected, of tensors that have a level. */
  readonly residuals: ReadonlyMap<string, number>;
  /** Octaves that the group moved as a whole; 0 where too few tensors say. */
  readonly centre: number;
}

/** Octaves by which the line's ceiling passes its own history; +∞ without a ceiling, null untold. */
function ceilingOf({ ceiling }: Line, subject: Subject): number | null {
  if (ceiling === undefined) return Infinity;
  const value = subject.statistics[ceiling];
  const past = finiteOf(subject.memory?.values[ceiling], historyLength);
  return value === undefined || past.length < leastHistory ? null : value - largestOf(past);
}

/** Now − the largest of the history. */
function scoreExcess(line: Line, members: readonly Subject[]): LineScores {
  const scores: Score[] = [];
  for (const subject of members) {
    const value = subject.statistics[line.statistic];
    const past = finiteOf(subject.memory?.values[line.statistic], historyLength);
    if (value === undefined || past.length < leastHistory) continue;
    const reference = largestOf(past);
    const most = ceilingOf(line, subject);
    if (most === null) continue;
    const score = Math.min(value - reference, most);
    scores.push({ subject, score, value, reference, history: past.length });
  }
  return { line, scores, residuals: new Map(), centre: 0 };
}

/** How far each tensor left its own level, and how far the group did. */
interface Shifts {
  readonly of: ReadonlyMap<Subject, { readonly value: number; readonly level: number }>;
  readonly centre: number;
}

function shiftsOf(statistic: Statistic, members: readonly Subject[]): Shifts {
  const shifts = new Map<Subject, { value: number; level: number }>();
  for (const subject of members) {
    const value = subject.statistics[statistic];
    const past = finiteOf(subject.memory?.values[statistic], levelLength);
    if (value === undefined || past.length < leastLevel) continue;
    shifts.set(subject, { value, level: medianOf(past) });
  }
  const moves = [...shifts.values()].map(({ value, level }) => value - level);
  return { of: shifts, centre: moves.length >= leastForCentre ? medianOf(moves) : 0 };
}

/** Signed; null where the tensor has no level. */
function residualOf({ of, centre }: Shifts, subject: Subject): number | null {
  const shift = of.get(subject);
  return shift ? shift.value - shift.level - centre : null;
}

/** No larger than what `other` did in the same direction. */
function agreed(residual: number, other: number | null): number {
  if (other === null || residual * other <= 0) return 0;
  return Math.min(Math.abs(residual), Math.abs(other));
}

/**
 * Distance from the tensor's own level with the group's move taken out, − the largest of the
 * history.
 */
function scoreResidual(line: Line, members: readonly Subject[]): LineScores {
  const shifts = shiftsOf(line.statistic, members);
  const ceilings = line.ceiling === undefined ? null : shiftsOf(line.ceiling, members);
  const { centre } = shifts;
  const residuals = new Map<string, number>();
  const scores: Score[] = [];
  for (const [subject, { value, level }] of shifts.of) {
    const signed = value - level - centre;
    const residual = ceilings ? agreed(signed, residualOf(ceilings, subject)) : Math.abs(signed);
    residuals.set(subject.name, residual);
    const past = finiteOf(subject.memory?.residuals[line.statistic], historyLength);
    if (past.length < leastHistory) continue;
    const score = residual - largestOf(past);
    scores.push({ subject, score, value, reference: level + centre, history: past.length });
  }
  return { line, scores, residuals, centre };
}

/** Corruption hits one or two tensors of a group, training events hit many. */
function standAlone(scores: readonly Score[]): Score[] {
  if (scores.length < leastForAlone) return [];
  const third = scores.map(({ score }) => score).sort((a, b) => b - a)[2] as number;
  const common = Math.max(0, third);
  return scores.map((each) => ({ ...each, score: each.score - common }));
}

/** The scores of one line; the storm is not taken off yet. */
export function scoreLine(line: Line, subjects: readonly Subject[]): LineScores {
  const members = subjects.filter((each) => each.group === line.group && isTested(each));
  const scored = (line.kind === 'excess' ? scoreExcess : scoreResidual)(line, members);
  return line.alone ? { ...scored, scores: standAlone(scored.scores) } : scored;
}

/** Octaves by which the whole run just moved more than it may: a bad batch, a drop of the rate. */
export function stormOf(lines: readonly LineScores[]): number {
  const moves = lines
    .filter(({ line }) => stormLines.has(line.id))
    .map(({ centre }) => Math.abs(centre));
  return Math.max(0, ...moves.map((move) => move - stormFree));
}
