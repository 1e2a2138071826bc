/** The models that sweeps need, written and loaded when the first one needs them. */
import type { Device, Runner } from './device.ts';
import type { LawFormula } from './law-formulas.ts';
import { lawModel } from './law-graph.ts';
import type { DeviceType } from './row-graph.ts';
import { summaryModel } from './summary-graph.ts';

export class Models {
  readonly #device: Device;
  readonly #runners = new Map<string, Promise<Runner>>();
  /** Formulas have no names; the same one gets the same number. */
  readonly #numbers = new Map<LawFormula, number>();

  constructor(device: Device) {
    this.#device = device;
  }

  summary(type: DeviceType): Promise<Runner> {
    return this.#load(`summary ${type}`, 'summary', () => summaryModel(type));
  }

  screen(type: DeviceType): Promise<Runner> {
    return this.#load(`screen ${type}`, 'screen', () => summaryModel(type));
  }

  law(formula: LawFormula, types: readonly DeviceType[]): Promise<Runner> {
    const number = this.#numbers.get(formula) ?? this.#numbers.size;
    this.#numbers.set(formula, number);
    return this.#load(`law ${number} ${types}`, 'law', () => lawModel(formula, types));
  }

  #load(key: string, signature: string, write: () => Uint8Array): Promise<Runner> {
    let runner = this.#runners.get(key);
    if (!runner) {
      runner = this.#device.load(write(), signature);
      this.#runners.set(key, runner);
    }
    return runner;
  }
}
