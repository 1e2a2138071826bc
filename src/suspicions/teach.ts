/** What a validation leaves behind in the run's memory. */
import type { Distance } from './distance.ts';
import type { SuspicionFinding } from './finding.ts';
import {
  bestKept,
  historyLength,
  infosKept,
  type Lesson,
  missesForgotten,
  type OpenSuspicion,
  pushed,
  type RunMemory,
  type TensorMemory,
  type Window,
  type Windows,
} from './run-memory.ts';
import type { LineScores } from './score-lines.ts';
import type { Subject } from './subject.ts';
import type { Group, Line, Statistic } from './suspicion.ts';
import { statisticalRules } from './suspicions.ts';
import type { Weighed } from './weigh.ts';

/** Validations without a finding that end an open warning. */
const cleanToClose = 2;

const lines = statisticalRules.flatMap((rule) => rule.lines);

function statisticsOf(group: Group, kind?: Line['kind']): readonly Statistic[] {
  const wanted = lines.filter((line) => line.group === group && (!kind || line.kind === kind));
  const ceilings = wanted.flatMap(({ ceiling }) => ceiling ?? []);
  return [...new Set([...wanted.map(({ statistic }) => statistic), ...ceilings])];
}

const groups = ['weight', 'first', 'second', 'buffer'] as const;
const kept = new Map(groups.map((group) => [group, statisticsOf(group)]));
const keptResiduals = new Map(groups.map((group) => [group, statisticsOf(group, 'residual')]));

/** Residuals are settled like the statistics they come from: see `deriveStatistics`. */
function settle(value: number): number {
  return Math.round(value * 1e8) / 1e8;
}

function residualsOf(
  name: string,
  group: Group,
  scored: readonly LineScores[],
): Lesson['residuals'] {
  const residuals: Partial<Record<Statistic, number>> = {};
  for (const { line, residuals: all } of scored) {
    const residual = line.group === group ? all.get(name) : undefined;
    if (residual !== undefined) residuals[line.statistic] = settle(residual);
  }
  return residuals;
}

/** What a tensor would teach. */
export function lessonOf(subject: Subject, scored: readonly LineScores[]): Lesson {
  const { name, group, statistics, now } = subject;
  return { values: statistics, residuals: residualsOf(name, group, scored), exact: now };
}

function pushAll(
  windows: Windows | undefined,
  values: Lesson['values'],
  names: readonly Statistic[],
): Windows {
  const next: Partial<Record<Statistic, Window>> = {};
  for (const name of names) {
    next[name] = pushed<number | null>(windows?.[name], values[name] ?? null, historyLength);
  }
  return next;
}

/** A tensor's memory after it was taught. */
export function taught(memory: TensorMemory, lesson: Lesson): TensorMemory {
  const names = (map: typeof kept) => map.get(memory.group) ?? [];
  return {
    ...memory,
    values: pushAll(memory.values, lesson.values, names(kept)),
    residuals: pushAll(memory.residuals, lesson.residuals, names(keptResiduals)),
    exact: lesson.exact,
  };
}

/** Values over another distance than the new usual one. */
function withoutUpdates(windows: Windows): Windows {
  return Object.fromEntries(Object.entries(windows).filter(([name]) => !name.startsWith('delta')));
}

function forgetUpdates(memory: TensorMemory): TensorMemory {
  const { values, residuals } = memory;
  return { ...memory, values: withoutUpdates(values), residuals: withoutUpdates(residuals) };
}

function freshMemory({ group, record, rows, before }: Subject): TensorMemory {
  return {
    group,
    dtype: record.dtype,
    elements: record.elements,
    rows,
    values: {},
    residuals: {},
    moving: [],
    exact: before,
    missed: 0,
  };
}

/** A judged validation. */
export interface Lecture {
  readonly subjects: readonly Subject[];
  readonly weighed: Weighed;
  readonly findings: readonly SuspicionFinding[];
  readonly distance: Distance;
  readonly step: number | null;
  /** Groups that moved as a whole. */
  readonly events: number;
}

function namesOf(findings: readonly SuspicionFinding[], severity?: 'warning'): Set<string> {
  const chosen = findings.filter((each) => !severity || each.severity === severity);
  return new Set(chosen.map(({ tensor }) => tensor).filter((tensor) => tensor !== null));
}

function teachTensors(
  memory: RunMemory,
  { subjects, weighed, distance }: Lecture,
  shunned: ReadonlySet<string>,
): Map<string, TensorMemory> {
  const next = new Map<string, TensorMemory>();
  for (const [name, known] of memory.tensors) {
    if (known.missed + 1 < missesForgotten) next.set(name, { ...known, missed: known.missed + 1 });
  }
  for (const subject of subjects) {
    const known = {
      ...(subject.memory ?? freshMemory(subject)),
      moving: subject.moving,
      missed: 0,
    };
    const learns = !shunned.has(subject.name);
    const after = learns ? taught(known, lessonOf(subject, weighed.lines)) : known;
    next.set(subject.name, distance.restart ? forgetUpdates(after) : after);
  }
  return next;
}

function teachOpen(
  memory: RunMemory,
  { subjects, weighed, findings, step }: Lecture,
  remembered: ReadonlyMap<string, TensorMemory>,
): Map<string, OpenSuspicion> {
  const next = new Map([...memory.open].filter(([name]) => remembered.has(name)));
  const told = namesOf(findings);
  const warnings = new Map(
    findings.filter(({ severity }) => severity === 'warning').map((each) => [each.tensor, each]),
  );
  for (const subject of subjects) {
    const open = memory.open.get(subject.name);
    const warning = warnings.get(subject.name);
    if (warning) {
      const rules = [warning.rule, ...warning.others.map(({ rule }) => rule)];
      next.set(subject.name, {
        rules: [...new Set([...(open?.rules ?? []), ...rules])],
        since: open ? open.since : step,
        clean: 0,
        lesson: lessonOf(subject, weighed.lines),
      });
    } else if (open) {
      const clean = told.has(subject.name) || subject.distrusted ? 0 : open.clean + 1;
      if (clean >= cleanToClose) next.delete(subject.name);
      else next.set(subject.name, { ...open, clean });
    }
  }
  return next;
}

function teachBest(memory: RunMemory, { weighed }: Lecture): Map<string, readonly number[]> {
  const next = new Map(memory.best);
  for (const [line, score] of weighed.largest) {
    next.set(line, pushed(next.get(line), settle(score), bestKept));
  }
  return next;
}

function infosOf(findings: readonly SuspicionFinding[]): (readonly [string, string])[] {
  const all = findings.flatMap(({ tensor, rule, severity, others }) =>
    tensor === null ? [] : [{ tensor, rule, severity }, ...others],
  );
  const infos = all.filter(({ severity }) => severity === 'info');
  return infos.map(({ rule, tensor }) => [rule, tensor] as const);
}

/**
 * The memory after a validation. A warned or distrusted tensor teaches nothing; the bases learn
 * only from validations in which nothing was warned, nothing distrusted, and no group moved as a
 * whole.
 */
export function teach(memory: RunMemory, lecture: Lecture): RunMemory {
  const { subjects, findings, distance, step, events } = lecture;
  const distrusted = subjects.filter((each) => each.distrusted).map(({ name }) => name);
  const shunned = new Set([...namesOf(findings, 'warning'), ...distrusted]);
  const tensors = teachTensors(memory, lecture, shunned);
  return {
    validations: memory.validations + 1,
    step: distance.comparable || distance.restart ? step : memory.step,
    strides: distance.strides,
    unlike: distance.unlike,
    best: shunned.size === 0 && events === 0 ? teachBest(memory, lecture) : memory.best,
    tensors,
    open: teachOpen(memory, lecture, tensors),
    accepted: memory.accepted,
    infos: pushed(memory.infos, infosOf(findings), infosKept),
  };
}
