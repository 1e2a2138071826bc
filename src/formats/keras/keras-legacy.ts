/** Variables of whole-model HDF5 files: every one has its name, and the optimizer's name whose they are. */
import { isComplex, isFloat } from '../../checkpoint/dtype.ts';
import type { Source } from '../../sources/source.ts';
import type { TensorDraft } from '../optimizer-state/tensor-draft.ts';
import { readScalar } from '../scalar-value.ts';
import type { KerasConfig } from './keras-config.ts';
import {
  buildKerasOptimizer,
  FlatNames,
  isDenseName,
  type KerasSlot,
  parseSlotName,
} from './keras-optimizer.ts';
import type { KerasRoles } from './keras-variables.ts';

const modelPrefix = 'model_weights/';
const optimizerPrefix = 'optimizer_weights/';
const statistic = /(^|\/)(moving_(mean|variance)|mean|variance|count|seed_generator_state)(:0)?$/;
const counter = /(^|\/)(iteration|iterations|iter)(:0)?$/;
const rate = /(^|\/)(learning_rate|current_learning_rate)(:0)?$/;

/** Marks the variables and reads the optimizer's scalars. @throws LaikaError as `Source.read`. */
export async function readLegacyVariables(
  source: Source,
  tensors: readonly TensorDraft[],
  config: KerasConfig,
): Promise<KerasRoles> {
  const owners = new FlatNames();
  for (const tensor of tensors) {
    if (tensor.name.startsWith(optimizerPrefix)) continue;
    markModel(tensor);
    const path = variableOf(tensor.name);
    if (path !== null) owners.add(path, tensor);
  }
  const state = tensors.filter(({ name }) => name.startsWith(optimizerPrefix));
  const [first] = state;
  if (!first) return { optimizers: [], step: null };
  const steps = state.find(({ name, elements }) => counter.test(name) && elements === 1) ?? null;
  const rates = state.find(({ name, elements }) => rate.test(name) && elements === 1) ?? null;
  const slots: KerasSlot[] = [];
  for (const tensor of state) {
    if (tensor === steps || tensor === rates) continue;
    const parsed = parseSlotName(belowOptimizer(tensor.name));
    if (parsed) {
      const owner = owners.find(parsed.owner);
      const isDense = owner !== null && isDenseName(owner.name);
      slots.push({ tensor, slot: parsed.slot, owner, mapping: 'fqn', isDense });
    }
  }
  const value = steps && (await readScalar(source, steps));
  const [, name = ''] = first.name.split('/');
  const optimizer = buildKerasOptimizer({
    prefix: `${optimizerPrefix}${name}/`,
    file: first.file,
    settings: config.settings,
    iterations: steps && { tensor: steps, value },
    constrains: config.constrains,
    learningRate: rates && !config.constrains ? await readScalar(source, rates) : null,
    slots,
  });
  return { optimizers: [optimizer], step: value };
}

function markModel(tensor: TensorDraft): void {
  if (!(isFloat(tensor.dtype) || isComplex(tensor.dtype))) return;
  tensor.role = statistic.test(tensor.name) ? 'buffer' : 'parameter';
}

/** `model_weights/hidden/sequential/hidden/kernel` is the variable `sequential/hidden/kernel`. */
function variableOf(name: string): string | null {
  const path = name.startsWith(modelPrefix) ? name.slice(modelPrefix.length) : name;
  const slash = path.indexOf('/');
  return slash < 0 ? null : path.slice(slash + 1).replace(/:0$/, '');
}

/** Without the optimizer's own name, which older versions write twice. */
function belowOptimizer(name: string): string {
  const parts = name.slice(optimizerPrefix.length).replace(/:0$/, '').split('/');
  if (parts[0] === 'training') parts.shift();
  const [optimizer] = parts;
  parts.shift();
  if (parts[0] === optimizer) parts.shift();
  // One that scales the loss comes before the one that moves weights.
  else if (optimizer?.startsWith('loss_scale_optimizer') && parts.length > 1) parts.shift();
  return parts.join('/');
}
