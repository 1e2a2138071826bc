/**
 * Judges one checkpoint against what is remembered of its run. Pure: the same input gives the same
 * output.
 */
import { coverSuspicions } from './coverage.ts';
import { measureDistance } from './distance.ts';
import type { SuspicionCoverage, SuspicionFinding } from './finding.ts';
import { gatherFindings, splitEvents } from './gather-findings.ts';
import type { RunMemory } from './run-memory.ts';
import { type Subject, subjectOf } from './subject.ts';
import { teach } from './teach.ts';
import type { JudgedTensor, Validation } from './validation.ts';
import { weighLines } from './weigh.ts';
import { weighExact } from './weigh-exact.ts';

/** What a validation said, and what it leaves behind. */
export interface Judgement {
  /** Heaviest first; one a tensor, and events of the run. */
  readonly findings: readonly SuspicionFinding[];
  /** The memory to judge the next checkpoint with. */
  readonly memory: RunMemory;
  /** Calibrated tests that ran; at least 1. */
  readonly tests: number;
  /** Octaves taken off because the whole run moved. */
  readonly storm: number;
  /**
   * The highest net bits of any calibrated test, told or not; null where none ran. For the timeline
   * of a run.
   */
  readonly highestNet: number | null;
  /** Updates were judged: the base is at a distance like those before. */
  readonly comparable: boolean;
  readonly coverage: readonly SuspicionCoverage[];
}

function subjectsOf(
  tensors: readonly JudgedTensor[],
  memory: RunMemory,
  comparable: boolean,
): Subject[] {
  const byName = new Map(tensors.map((tensor) => [tensor.name, tensor]));
  const subjects: Subject[] = [];
  for (const tensor of byName.values()) {
    const { group, record } = tensor;
    if (group === null || record.elements === 0) continue;
    subjects.push(subjectOf({ ...tensor, group }, memory, comparable));
  }
  return subjects;
}

/**
 * Judges a checkpoint whose tensors were summarised, and compared with the base where there is one.
 * The memory must be that of the same run; a validation must be handed in once.
 */
export function judgeValidation(memory: RunMemory, validation: Validation): Judgement {
  const distance = measureDistance(memory, validation);
  const { step, beta1, tensors } = validation;
  const subjects = subjectsOf(tensors, memory, distance.comparable);
  const weighed = weighLines(subjects, memory);
  const exact = weighExact(subjects, { beta1, steps: distance.steps });
  const { rest, events } = splitEvents([...weighed.evidence, ...exact], subjects);
  const findings = [...gatherFindings(rest, memory, step), ...events];
  const lecture = { subjects, weighed, findings, distance, step, events: events.length };
  return {
    findings,
    memory: teach(memory, lecture),
    tests: weighed.tests,
    storm: weighed.storm,
    highestNet: weighed.highestNet,
    comparable: distance.comparable,
    coverage: coverSuspicions(subjects, weighed.lines, distance),
  };
}
