/** The shape of a parameter as the tensors of its optimizer state tell it. */
import type { Role } from '../../checkpoint/tensor.ts';
import type { RawState } from './raw-optimizer.ts';
import { factoredKeys, roleOfState } from './state-roles.ts';
import type { TensorDraft } from './tensor-draft.ts';

type Shape = readonly number[];

/** Roles whose tensors have the parameter's own shape, the most reliable first. */
const telling: readonly Role[] = [
  'first-moment',
  'momentum',
  'second-moment',
  'max-second-moment',
  'average',
  'gradient',
  'master',
];

export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

function whole(state: RawState, role: Role): TensorDraft | undefined {
  for (const [key, tensor] of state.tensors) {
    if (roleOfState(key) === role && !factoredKeys.has(key)) return tensor;
  }
  return undefined;
}

/** Row [r, 1] and column [1, c], or HF's [r] and [c]: together [r, c]. */
function factoredShape({ tensors }: RawState): Shape | null {
  let row: Shape | undefined;
  let column: Shape | undefined;
  for (const [key, { shape }] of tensors) {
    const part = factoredKeys.get(key);
    if (part === 'row') row = shape;
    if (part === 'column') column = shape;
  }
  if (!row || !column || column.length === 0) return null;
  const last = column.at(-1) as number;
  // torch keeps the reduced dimension as 1, others drop it; only a row that ends in 1 can be
  // torch's.
  const kept = tensors.has('row_var') ? row.slice(0, -1) : row;
  return [...kept, last];
}

/** The parameter's shape, or null where nothing in its state has it. */
export function parameterShape(state: RawState): Shape | null {
  for (const role of telling) {
    const tensor = whole(state, role);
    if (tensor) return tensor.shape;
  }
  return factoredShape(state);
}

/** The shape of the state's tensors where all of them agree, counters and factors aside. */
export function agreedShape(state: RawState): Shape | null {
  let agreed: Shape | null = null;
  for (const [key, tensor] of state.tensors) {
    const role = roleOfState(key);
    if (role === 'step' || role === 'other') continue;
    if (factoredKeys.has(key)) return null;
    if (agreed && !sameShape(agreed, tensor.shape)) return null;
    agreed = tensor.shape;
  }
  return agreed;
}
