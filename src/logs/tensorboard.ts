/**
 * TensorBoard event files of one run as a training log. What numbers its lines is whoever called the
 * writer: a loop that counts from 0 or from 1, before or after its scheduler's step.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import { ProtobufFault } from '../formats/protobuf.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { badEvents, eventRecords } from './event-records.ts';
import { type EventScalar, eventScalars } from './event-scalars.ts';
import { isMetricName, isMonitorName, lineOf } from './metric-names.ts';
import type { TrainerLog } from './trainer-state.ts';
import { anyOffset, type LogLine, loggerOffsets } from './training-log.ts';

/** Files together; what is in them beside scalars is read for its checksums alone. */
const eventBytesMost = 1024 * 1024 * 1024;

/** Scalars of known names: some millions of steps. */
const scalarsMost = 20_000_000;

/** Lightning's logger alone writes it. */
const lightningTag = 'hp_metric';

export function isEventFile(name: string): boolean {
  return /(^|\/|\.)tfevents\.[^/]*$/.test(name);
}

interface Point {
  readonly wallTime: number;
  readonly value: number;
}

type Series = Map<string, Map<number, Point>>;

class EventFiles {
  readonly #source: Source;
  readonly #all: Series = new Map();
  #scalars = 0;
  #isLightning = false;

  constructor(source: Source) {
    this.#source = source;
  }

  /** The lines of all files that were added. */
  log(): TrainerLog {
    const bySteps = new Map<number, Map<string, number>>();
    for (const [tag, points] of this.#all) {
      for (const [step, { value }] of points) {
        const line = bySteps.get(step) ?? new Map<string, number>();
        bySteps.set(step, line.set(tag, value));
      }
    }
    const lines = new Map<number, LogLine>();
    for (const [step, values] of bySteps) lines.set(step, lineOf(values));
    const updateOffsets = this.#isLightning ? loggerOffsets : anyOffset;
    return { lines, lrIsOfStep: false, updateOffsets };
  }

  async add(file: SourceFile): Promise<void> {
    const own: Series = new Map();
    for await (const { data, offset } of eventRecords(this.#source, file)) {
      for (const scalar of this.#scalarsOf(file, { data, offset })) {
        if (scalar.tag === lightningTag || isMonitorName(scalar.tag)) this.#isLightning = true;
        if (isMetricName(scalar.tag)) this.#keep(own, scalar);
      }
    }
    for (const [tag, points] of own) this.#continue(tag, points);
  }

  #scalarsOf(file: SourceFile, { data, offset }: { data: Uint8Array; offset: number }) {
    try {
      return eventScalars(data);
    } catch (error) {
      if (!(error instanceof ProtobufFault)) throw error;
      throw badEvents(this.#source, file, { offset, why: error.message });
    }
  }

  /** The later wall time wins; of equal ones what was written later. */
  #keep(series: Series, { tag, step, wallTime, value }: EventScalar): void {
    const points = series.get(tag) ?? new Map<number, Point>();
    series.set(tag, points);
    const known = points.get(step);
    if (known && known.wallTime > wallTime) return;
    points.set(step, { wallTime, value });
    this.#scalars += 1;
    if (this.#scalars > scalarsMost) {
      const what = `The event files have more than ${scalarsMost} values`;
      throw new LaikaError({ code: 'limit-exceeded', what, where: this.#source.path });
    }
  }

  /** A run that was resumed at a step took none of the later steps that were written before. */
  #continue(tag: string, points: ReadonlyMap<number, Point>): void {
    let first = Infinity;
    let began = Infinity;
    for (const [step, { wallTime }] of points) {
      first = Math.min(first, step);
      began = Math.min(began, wallTime);
    }
    const known = this.#all.get(tag) ?? new Map<number, Point>();
    this.#all.set(tag, known);
    for (const [step, { wallTime }] of known) {
      if (step >= first && wallTime < began) known.delete(step);
    }
    for (const [step, point] of points) {
      const other = known.get(step);
      if (!other || other.wallTime <= point.wallTime) known.set(step, point);
    }
  }
}

/**
 * Files of one folder, oldest first (their names begin with their time).
 * @throws LaikaError `log-invalid` with the byte, `limit-exceeded`; as `Source.read`.
 */
export async function readEventFiles(
  source: Source,
  files: readonly SourceFile[],
): Promise<TrainerLog> {
  const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  if (bytes > eventBytesMost) {
    const what = `The event files have more than ${eventBytesMost} bytes`;
    throw new LaikaError({ code: 'limit-exceeded', what, where: source.path });
  }
  const all = new EventFiles(source);
  for (const file of files) await all.add(file);
  return all.log();
}
