/** Finds the parameter that a piece of optax state mirrors: optax repeats the tree of parameters. */

import { sameShape } from '../optimizer-state/state-shape.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';

/** Parts that a parameter's path may have before the tree that the optimizer was given. */
const rootMost = 4;

/** Tensors under one name below their roots; more than these are nobody's. */
const candidatesMost = 8;

export class OwnerIndex {
  readonly #byRest = new Map<string, TensorDraft[]>();

  /** `tensors`: everything that could be a parameter, in any of the checkpoint's trees. */
  constructor(tensors: readonly TensorDraft[]) {
    for (const tensor of tensors) {
      let rest = tensor.name;
      for (let root = 0; root <= rootMost; root += 1) {
        const known = this.#byRest.get(rest);
        if (!known) this.#byRest.set(rest, [tensor]);
        else if (known.length <= candidatesMost) known.push(tensor);
        const dot = rest.indexOf('.');
        if (dot < 0) break;
        rest = rest.slice(dot + 1);
      }
    }
  }

  /** Null: none, or several of which none is more of a parameter than the others. */
  find(rest: string, shape: readonly number[] | null): TensorDraft | null {
    const known = this.#byRest.get(rest) ?? [];
    if (known.length > candidatesMost) return null;
    const fitting = known.filter((tensor) => shape === null || sameShape(shape, tensor.shape));
    const parameters = fitting.filter(({ role }) => role === 'parameter');
    const best = parameters.length > 0 ? parameters : fitting;
    return best.length === 1 ? (best[0] as TensorDraft) : null;
  }
}
