/**
 * Gradients of healthy training at its worst: twelve kinds, a line of 16 elements each, at
 * every scale.
 */
import { normalTable, Random, tableIndex } from './random.ts';
import { toBf16 } from './rounding.ts';
import type { Setting } from './setting.ts';
import type { State } from './state.ts';

export const kinds = [
  'normal',
  'spikes',
  'sparse',
  'alternating',
  'constant',
  'geometric',
  'decaying',
  'log-normal',
  'bursts',
  'late',
  'fading',
  'greedy',
] as const;

export type Kind = (typeof kinds)[number];

/** Kinds that repeat bit for bit or reach a fixed point: state at rest is no coincidence there. */
const repeating: ReadonlySet<Kind> = new Set([
  'alternating',
  'constant',
  'geometric',
  'decaying',
  'greedy',
]);

export const lineLength = 16;
const linesOfKind = 4;

/** Above about 1.8e19 g² overflows: what an optimizer then holds is no longer healthy. */
const largest = 1e19;

/** Elements of a simulated tensor. */
export const elements = kinds.length * linesOfKind * lineLength;

export function kindOf(index: number): Kind {
  return kinds[Math.floor(index / lineLength) % kinds.length] as Kind;
}

export function repeats(line: number): boolean {
  return repeating.has(kindOf(line * lineLength));
}

const normals = normalTable(1);
const logNormals = normals.map((x) => Math.exp(3 * x));

export class Gradients {
  readonly #random: Random;
  readonly #setting: Setting;
  readonly #scale = new Float32Array(elements);
  /** Period of what restarts, first step of what starts late; one per line. */
  readonly #period: number[] = [];
  /** Growth of a step, for the geometric and the decaying kind; one per line. */
  readonly #growth: number[] = [];
  /** C₁-optimal gain of the greedy adversary: c₁β₂ / (c₂β₁). */
  readonly #greed: number;

  constructor(setting: Setting) {
    const random = new Random(setting.seed ^ 0x5bd1e995, setting.trial);
    this.#random = random;
    this.#setting = setting;
    const beta1 = setting.beta1[1];
    const { beta2 } = setting;
    for (let line = 0; line * lineLength < elements; line++) {
      const magnitude = 10 ** (46 * random.uniform() - 30);
      for (let i = 0; i < lineLength; i++)
        this.#scale[line * lineLength + i] = magnitude * (0.5 + random.uniform());
      this.#period.push(random.pick([8, 30, 101, 250, 400]));
      const decays = random.pick([beta2, Math.sqrt(beta2), 0.97, 0.5]);
      this.#growth.push(kindOf(line * lineLength) === 'geometric' ? beta2 / beta1 : decays);
    }
    this.#greed = ((1 - beta1) * beta2) / ((1 - beta2) * beta1);
  }

  /** Gradients of step `t` into `state.g`. */
  fill(state: State, t: number): void {
    for (let start = 0; start < elements; start += lineLength) this.#line(state, start, t);
    if (!this.#setting.recipe.bf16) return;
    const { g } = state;
    for (let i = 0; i < g.length; i++) g[i] = toBf16(g[i] as number);
  }

  #line(state: State, start: number, t: number): void {
    const line = start / lineLength;
    const period = this.#period[line] as number;
    const growth = this.#growth[line] as number;
    const kind = kindOf(start);
    for (let i = start; i < start + lineLength; i++) {
      const scale = this.#scale[i] as number;
      const phase = (t + i * 7) % period;
      const unit = this.#unit(kind, { state, i, t, scale, phase, period, growth });
      state.g[i] = Math.max(-largest, Math.min(largest, scale * unit));
    }
  }

  #unit(kind: Kind, at: Moment): number {
    const word = this.#random.word();
    const normal = normals[tableIndex(word)] as number;
    const rare = word >>> 16 < 1311;
    switch (kind) {
      case 'normal':
        return normal;
      case 'spikes':
        return rare ? 1e6 * normal : normal;
      case 'sparse':
        return rare ? normal : 0;
      case 'alternating':
        return at.t % 2 === 0 ? 1 : -1;
      case 'constant':
        return 1;
      case 'geometric':
        return at.growth ** (at.phase - at.period + 1);
      case 'decaying':
        return at.growth ** at.phase;
      case 'log-normal':
        return logNormals[tableIndex(word)] as number;
      case 'bursts':
        return at.phase < 3 ? normal : 0;
      case 'late':
        return at.t <= at.period ? 0 : normal;
      case 'fading':
        return normal * Math.max(1e-7, 0.96 ** at.t);
      case 'greedy':
        return this.#greedy(at) ?? normal;
    }
  }

  /** The gradient that makes m²/v largest after this step, in units of the element's scale. */
  #greedy({ state, i, scale }: Moment): number | null {
    const gradient = (this.#greed * (state.v[i] as number)) / (state.m[i] as number);
    const size = Math.abs(gradient);
    return size > 1e-17 && size < 1e17 ? gradient / scale : null;
  }
}

interface Moment {
  readonly state: State;
  readonly i: number;
  readonly t: number;
  readonly scale: number;
  readonly phase: number;
  readonly period: number;
  readonly growth: number;
}
