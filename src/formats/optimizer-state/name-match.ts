/** Finds a model's tensor by a name that an optimizer, a gradient or an average stores for it. */
import type { ModelTensors } from './raw-optimizer.ts';
import type { TensorDraft } from './tensor-draft.ts';

/**
 * Prefixes that wrappers add: DDP, torch.compile, FSDP, activation checkpoints, weight averaging.
 */
const wrappers = /^(module|_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module|ema_model)\./;
const innerWrappers = /\.(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g;

/** The name without what wrappers added to it. */
function bareName(name: string): string {
  let bare = name.replace(innerWrappers, '');
  for (let i = 0; i < 4 && wrappers.test(bare); i += 1) bare = bare.replace(wrappers, '');
  return bare;
}

/** Looks up names in all models of a checkpoint; a name that two models have is nobody's. */
export class NameIndex {
  readonly #byName = new Map<string, TensorDraft | null>();

  constructor(models: readonly ModelTensors[]) {
    for (const { tensors } of models) {
      for (const [name, tensor] of tensors) this.#put(name, tensor);
    }
    for (const { tensors } of models) {
      // Names as they are go first: a wrapped name must not hide one that is written out.
      for (const [name, tensor] of tensors) {
        const bare = bareName(name);
        if (bare !== name) this.#put(bare, tensor);
      }
    }
  }

  find(name: string): TensorDraft | null {
    return this.#byName.get(name) ?? this.#byName.get(bareName(name)) ?? null;
  }

  #put(name: string, tensor: TensorDraft): void {
    const known = this.#byName.get(name);
    if (known === undefined) this.#byName.set(name, tensor);
    else if (known !== tensor) this.#byName.set(name, null);
  }
}
