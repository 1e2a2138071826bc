/** Reads the memory of a run from parsed JSON. What does not read is refused, never guessed. */
import { type DType, dtypeBits } from '../checkpoint/dtype.ts';
import { LaikaError } from '../checkpoint/errors.ts';
import { decodeNumber } from '../records/numbers.ts';
import type { ExactState } from './exact-state.ts';
import type {
  AcceptedSuspicion,
  Lesson,
  OpenSuspicion,
  RunMemory,
  TensorMemory,
  Window,
  Windows,
} from './run-memory.ts';
import type { Group, Statistic } from './suspicion.ts';

/** Changes when a memory of before cannot be read any more. */
export const memorySchema = 'laika.memory/1';

const lanes = 32;

const groups: ReadonlySet<string> = new Set(['weight', 'first', 'second', 'buffer']);

const statistics: readonly Statistic[] = [
  'top',
  'rms',
  'gap',
  'reach',
  'deltaRms',
  'deltaMedian',
  'deltaReach',
  'deltaRowPeak',
  'deltaBlockPeak',
  'deltaRowTop',
  'deltaBlockTop',
  'ratioMean',
];

/** Reads values of one text; every refusal names what was read. */
export class MemoryReader {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  refuse(what: string): never {
    throw new LaikaError({
      code: 'state-invalid',
      what: `the memory of the run does not read: ${what}`,
      where: this.#where,
      next: 'move it away to start a new memory; the checkpoints are not touched',
    });
  }

  object(value: unknown, what: string): Record<string, unknown> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) this.refuse(what);
    return value as Record<string, unknown>;
  }

  list(value: unknown, what: string): unknown[] {
    return Array.isArray(value) ? value : this.refuse(what);
  }

  text(value: unknown, what: string): string {
    return typeof value === 'string' ? value : this.refuse(what);
  }

  flag(value: unknown, what: string): boolean {
    return typeof value === 'boolean' ? value : this.refuse(what);
  }

  number(value: unknown, what: string): number {
    return decodeNumber(value) ?? this.refuse(what);
  }

  count(value: unknown, what: string): number {
    const n = this.number(value, what);
    return Number.isSafeInteger(n) && n >= 0 ? n : this.refuse(what);
  }

  nullable<T>(value: unknown, read: (value: unknown) => T): T | null {
    return value === null ? null : read(value);
  }

  numbers(value: unknown, what: string): number[] {
    return this.list(value, what).map((x) => this.number(x, what));
  }

  /** Pairs [name, value]. */
  map<T>(value: unknown, what: string, read: (value: unknown) => T): Map<string, T> {
    const pairs = this.list(value, what).map((pair) => this.list(pair, what));
    return new Map(pairs.map(([name, each]) => [this.text(name, what), read(each)]));
  }

  step(value: unknown): number | null {
    return this.nullable(value, (step) => this.number(step, 'step'));
  }

  windows(value: unknown): Windows {
    const stored = this.object(value, 'history');
    const windows: Partial<Record<Statistic, Window>> = {};
    for (const name of statistics) {
      if (!Object.hasOwn(stored, name)) continue;
      const entries = this.list(stored[name], name);
      windows[name] = entries.map((x) => this.nullable(x, (one) => this.number(one, name)));
    }
    return windows;
  }

  figures(value: unknown): Lesson['values'] {
    const stored = this.object(value, 'lesson');
    const known = statistics.filter((name) => Object.hasOwn(stored, name));
    return Object.fromEntries(known.map((name) => [name, this.number(stored[name], name)]));
  }

  exact(value: unknown): ExactState {
    const stored = this.object(value, 'exact state');
    const count = this.count(stored.lanes, 'lanes');
    if (count !== 0 && count !== lanes) this.refuse('lanes');
    const stuck = new Array<number>(count).fill(0);
    for (const pair of this.list(stored.stuck, 'stuck bits')) {
      const [lane = -1, mask = 0] = this.numbers(pair, 'stuck bits');
      if (!(lane in stuck)) this.refuse('stuck bits');
      stuck[lane] = mask >>> 0;
    }
    return {
      blank: this.flag(stored.blank, 'blank'),
      zeroBlocks: this.count(stored.zeroBlocks, 'zero blocks'),
      zeroPlanes: this.count(stored.zeroPlanes, 'zero planes'),
      stuck,
      digest: this.nullable(stored.digest, (digest) => this.text(digest, 'digest')),
    };
  }

  tensor(value: unknown): TensorMemory {
    const stored = this.object(value, 'tensor');
    const group = this.text(stored.group, 'group');
    const dtype = this.text(stored.dtype, 'dtype');
    if (!groups.has(group) || !Object.hasOwn(dtypeBits, dtype)) this.refuse('group or dtype');
    return {
      group: group as Group,
      dtype: dtype as DType,
      elements: this.count(stored.elements, 'elements'),
      rows: this.count(stored.rows, 'rows'),
      values: this.windows(stored.values),
      residuals: this.windows(stored.residuals),
      moving: this.numbers(stored.moving, 'moving shares'),
      missed: this.count(stored.missed, 'missed'),
      exact: this.nullable(stored.exact, (exact) => this.exact(exact)),
    };
  }

  rules(value: unknown): string[] {
    return this.list(value, 'rules').map((rule) => this.text(rule, 'rule'));
  }

  open(value: unknown): OpenSuspicion {
    const stored = this.object(value, 'open warning');
    const lesson = this.object(stored.lesson, 'lesson');
    return {
      rules: this.rules(stored.rules),
      since: this.step(stored.since),
      clean: this.count(stored.clean, 'clean'),
      lesson: {
        values: this.figures(lesson.values),
        residuals: this.figures(lesson.residuals),
        exact: this.exact(lesson.exact),
      },
    };
  }

  accepted(value: unknown): AcceptedSuspicion {
    const stored = this.object(value, 'accepted warning');
    return {
      tensor: this.text(stored.tensor, 'tensor'),
      rules: this.rules(stored.rules),
      since: this.step(stored.since),
    };
  }

  info(value: unknown): readonly [string, string] {
    const [rule, tensor] = this.list(value, 'info');
    return [this.text(rule, 'info'), this.text(tensor, 'info')];
  }

  memory(value: unknown): RunMemory {
    const stored = this.object(value, 'not an object');
    if (stored.schema !== memorySchema) this.refuse(`not ${memorySchema}`);
    return {
      validations: this.count(stored.validations, 'validations'),
      step: this.step(stored.step),
      strides: this.numbers(stored.strides, 'strides'),
      unlike: this.count(stored.unlike, 'unlike'),
      best: this.map(stored.best, 'best', (scores) => this.numbers(scores, 'best')),
      tensors: this.map(stored.tensors, 'tensors', (tensor) => this.tensor(tensor)),
      open: this.map(stored.open, 'open', (open) => this.open(open)),
      accepted: this.list(stored.accepted, 'accepted').map((each) => this.accepted(each)),
      infos: this.list(stored.infos, 'infos').map((infos) =>
        this.list(infos, 'infos').map((info) => this.info(info)),
      ),
    };
  }
}
