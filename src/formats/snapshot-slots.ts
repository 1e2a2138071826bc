/** The names of a snapshot: `SLOT/NAME`, and what each slot is for. */
import type { Role, Tensor } from '../checkpoint/tensor.ts';
import { roleOfState } from './optimizer-state/state-roles.ts';

/** Slots that are no optimizer state; a state's key is the role that every layout gives it. */
const modelRoles: ReadonlyMap<string, Role> = new Map([
  ['parameter', 'parameter'],
  ['buffer', 'buffer'],
  ['gradient', 'gradient'],
  ['master', 'master'],
  ['average', 'average'],
]);

interface SlotName {
  readonly slot: string;
  readonly name: string;
}

/** Null for a name without a slot. Only the first slash parts: names of modules may hold more. */
function slotOf(tensorName: string): SlotName | null {
  const slash = tensorName.indexOf('/');
  if (slash <= 0) return null;
  return { slot: tensorName.slice(0, slash), name: tensorName.slice(slash + 1) };
}

/** The key under which an optimizer keeps this tensor; null where it is none of an optimizer's. */
export function stateKeyOf(tensorName: string): SlotName | null {
  const found = slotOf(tensorName);
  return found && !modelRoles.has(found.slot) ? found : null;
}

/** The tensor with the role of its slot and, where the file holds it, the parameter that it belongs to. */
export function withSlotRole(tensor: Tensor, names: ReadonlySet<string>): Tensor {
  const found = slotOf(tensor.name);
  if (!found) return { ...tensor, role: 'other' };
  const role = modelRoles.get(found.slot) ?? roleOfState(found.slot);
  if (role === 'parameter' || role === 'buffer') return { ...tensor, role };
  const parameter = `parameter/${found.name}`;
  if (!names.has(parameter)) return { ...tensor, role };
  return { ...tensor, role, parameter, mapping: 'fqn' };
}
