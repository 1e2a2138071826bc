/**
 * The engine inside TensorFlow's process. TensorFlow works on whole rows of float32, bfloat16 and
 * float16: summaries, and the laws that have a formula. WebAssembly does everything else and reads
 * the bytes for both.
 */
import type { BoundLaw, Operand } from '../../laws/law.ts';
import { sweptLaw } from '../../laws/laws.ts';
import { blockElements } from '../../records/grid.ts';
import type { LawRecord } from '../../records/law-record.ts';
import type { SummaryRecord } from '../../records/summary.ts';
import type { Engine, EngineContext, Sweep, SweepResult } from '../engine.ts';
import { openWasmEngine, type WasmOptions } from '../wasm/wasm-engine.ts';
import type { Device } from './device.ts';
import { DeviceLaw } from './device-law.ts';
import { DeviceStream, isDeviceType, Staging } from './device-stream.ts';
import { DeviceSummary } from './device-summary.ts';
import { type LawFormula, lawFormulas } from './law-formulas.ts';
import { Models } from './models.ts';

/**
 * Opens the engine on a device of this process; WebAssembly reads and does its share with `options`.
 * @throws LaikaError `engine-unavailable`.
 */
export async function openTensorflowOn(
  device: Device,
  options: Pick<WasmOptions, 'bytesPerSecond'> = {},
): Promise<Engine> {
  const wasm = await openWasmEngine(options);
  return new TensorflowEngine(device, { wasm, staging: await Staging.open(device) });
}

interface Parts {
  readonly wasm: Engine;
  readonly staging: Staging;
}

class TensorflowEngine implements Engine {
  readonly name = 'tensorflow';
  readonly device: string;
  readonly #models: Models;
  readonly #parts: Parts;
  /** Resolves when the sweep before has left the staging memory. */
  #free: Promise<unknown> = Promise.resolve();

  constructor(device: Device, parts: Parts) {
    this.device = `${device.name}: summaries and laws of f32, f16 and bf16; the rest by WebAssembly`;
    this.#models = new Models(device);
    this.#parts = parts;
  }

  run(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const result = this.#free.then(() => this.#sweep(sweep, context));
    this.#free = result.catch(() => {});
    return result;
  }

  async close(): Promise<void> {
    await this.#free;
    await this.#parts.wasm.close();
  }

  async #sweep(sweep: Sweep, context: EngineContext): Promise<SweepResult> {
    const { wasm, staging } = this.#parts;
    const pass = await DevicePass.plan(sweep, this.#models, staging);
    if (!pass) return wasm.run(sweep, context);
    const onChunk: NonNullable<EngineContext['onChunk']> = (chunk, bytesOf) => {
      pass.add(chunk, bytesOf);
    };
    const rest = await wasm.run(pass.rest, { ...context, onChunk });
    return pass.join(rest, (part) => {
      const before = rest.bytesRead;
      const { onBytes } = context;
      const more = onBytes ? { onBytes: (bytes: number) => onBytes(before + bytes) } : {};
      return wasm.run(part, { ...context, ...more });
    });
  }
}

/** What TensorFlow does of one sweep. */
class DevicePass {
  /** What is left to WebAssembly, with every stream, so that all are read. */
  readonly rest: Sweep;
  readonly #sweep: Sweep;
  readonly #streams: ReadonlyMap<Operand, DeviceStream>;
  readonly #summaries: ReadonlyMap<Operand, DeviceSummary>;
  /** By the law's place in the sweep. */
  readonly #laws: ReadonlyMap<number, DeviceLaw>;

  /** Null where there is nothing for TensorFlow to do. */
  static async plan(sweep: Sweep, models: Models, staging: Staging): Promise<DevicePass | null> {
    if (sweep.elements < blockElements) return null;
    const streams = await streamsOf(sweep, models, staging);
    const summaries = new Map<Operand, DeviceSummary>();
    for (const operand of sweep.summaries) {
      const stream = streams.get(operand);
      if (!stream) continue;
      summaries.set(operand, new DeviceSummary(stream, await models.summary(stream.type)));
    }
    const laws = new Map<number, DeviceLaw>();
    for (const [i, bound] of sweep.laws.entries()) {
      const law = await lawOf(bound, { sweep, streams, models });
      if (law) laws.set(i, law);
    }
    if (summaries.size === 0 && laws.size === 0) return null;
    return new DevicePass(sweep, { streams, summaries, laws });
  }

  private constructor(
    sweep: Sweep,
    parts: {
      readonly streams: ReadonlyMap<Operand, DeviceStream>;
      readonly summaries: ReadonlyMap<Operand, DeviceSummary>;
      readonly laws: ReadonlyMap<number, DeviceLaw>;
    },
  ) {
    this.#sweep = sweep;
    this.#streams = parts.streams;
    this.#summaries = parts.summaries;
    this.#laws = parts.laws;
    this.rest = {
      ...sweep,
      summaries: sweep.summaries.filter((operand) => !parts.summaries.has(operand)),
      laws: sweep.laws.filter((_, i) => !parts.laws.has(i)),
    };
  }

  add(...[chunk, bytesOf]: Parameters<NonNullable<EngineContext['onChunk']>>): void {
    for (const [operand, stream] of this.#streams) stream.load(chunk, bytesOf(operand));
    for (const summary of this.#summaries.values()) summary.add(chunk);
    for (const law of this.#laws.values()) law.add(chunk);
  }

  /** Joins both parts of the result; `again` sweeps once more where squares need a second look. */
  async join(
    rest: SweepResult,
    again: (sweep: Sweep) => Promise<SweepResult>,
  ): Promise<SweepResult> {
    let { bytesRead } = rest;
    const summaries: Partial<Record<Operand, SummaryRecord>> = {};
    for (const operand of this.#sweep.summaries) {
      const summary = this.#summaries.get(operand);
      const record = summary ? summary.finish() : rest.summaries[operand];
      if (!record) throw new Error(`nobody summarised ${operand}`);
      if (summary) bytesRead += await summary.settle(record, () => again(this.#alone(operand)));
      summaries[operand] = record;
    }
    const others = rest.laws.values();
    const laws = this.#sweep.laws.map(
      (_, i) => this.#laws.get(i)?.record ?? (others.next().value as LawRecord),
    );
    return { ...rest, summaries, laws, bytesRead };
  }

  #alone(operand: Operand): Sweep {
    const { elements, streams } = this.#sweep;
    const alone = { [operand]: streams[operand] } as Sweep['streams'];
    return { elements, streams: alone, summaries: [operand], laws: [], copies: [], sha256: [] };
  }
}

async function streamsOf(
  { streams, elements }: Sweep,
  models: Models,
  staging: Staging,
): Promise<Map<Operand, DeviceStream>> {
  const found = new Map<Operand, DeviceStream>();
  for (const [operand, { tensor }] of Object.entries(streams)) {
    const { dtype: type } = tensor;
    if (!isDeviceType(type)) continue;
    const screen = await models.screen(type);
    const slot = found.size;
    found.set(operand as Operand, new DeviceStream({ type, elements, slot }, staging, screen));
  }
  return found;
}

/** Null: the law has no formula for what it is given here. */
async function lawOf(
  bound: BoundLaw,
  plan: {
    readonly sweep: Sweep;
    readonly streams: ReadonlyMap<Operand, DeviceStream>;
    readonly models: Models;
  },
): Promise<DeviceLaw | null> {
  const law = sweptLaw(bound.law);
  if (law.scope !== 'element') return null;
  const formulas: readonly LawFormula[] = lawFormulas.get(law.id) ?? [];
  const formula = formulas.find(({ fits }) => !fits || fits(bound.constants));
  if (!formula) return null;
  // An operand that the formula leaves out must not be there: its NaN would count.
  const present = law.operands.filter((operand) => plan.sweep.streams[operand]);
  if (present.length !== formula.operands.length) return null;
  const streams = new Map<Operand, DeviceStream>();
  for (const operand of formula.operands) {
    const stream = plan.streams.get(operand);
    if (!stream) return null;
    streams.set(operand, stream);
  }
  const types = formula.operands.map((operand) => (streams.get(operand) as DeviceStream).type);
  const run = await plan.models.law(formula, types);
  return new DeviceLaw({ law, bound, formula, streams, run });
}
