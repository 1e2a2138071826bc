/** Scores of every rule line on every tensor, before evidence is counted. */
import { finiteOf, historyLength, leastHistory, leastLevel, levelLength } from './run-memory.ts';
import { largestOf, medianOf } from './sample-statistics.ts';
import { isTested, type Subject } from './subject.ts';
import type { Line } from './suspicion.ts';

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

/** Now − the largest of the history. */
function scoreExcess(line: Line, members: readonly Subject[]): LineScores {
  const scores: Score[] = [];
  for (const subject of members) {
    const value = subject.statistics[line.statistic];
    const past = finiteOf(subject.memory?.values[line.statistic], historyLength);
    if (value === undefined || past.length < leastHistory) continue;
    const reference = largestOf(past);
    scores.push({ subject, score: value - reference, value, reference, history: past.length });
  }
  return { line, scores, residuals: new Map(), centre: 0 };
}

/**
 * Distance from the tensor's own level with the group's move taken out, − the largest of the
 * history.
 */
function scoreResidual(line: Line, members: readonly Subject[]): LineScores {
  const shifts = new Map<Subject, { value: number; level: number }>();
  for (const subject of members) {
    const value = subject.statistics[line.statistic];
    const past = finiteOf(subject.memory?.values[line.statistic], levelLength);
    if (value === undefined || past.length < leastLevel) continue;
    shifts.set(subject, { value, level: medianOf(past) });
  }
  const moves = [...shifts.values()].map(({ value, level }) => value - level);
  const centre = moves.length >= leastForCentre ? medianOf(moves) : 0;
  const residuals = new Map<string, number>();
  const scores: Score[] = [];
  for (const [subject, { value, level }] of shifts) {
    const residual = Math.abs(value - level - centre);
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
