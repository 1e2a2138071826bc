/** "This was me": an operator ends a warning. */
import { pushed, type RunMemory } from './run-memory.ts';
import { taught } from './teach.ts';

/** Acceptances that are remembered, for the record. */
const acceptedKept = 100;

/**
 * Ends the open warning of a tensor: what it showed enters its history, and its state is trusted
 * from now on. Returns the memory as it was where no warning of that tensor is open.
 */
export function acceptSuspicion(memory: RunMemory, tensor: string): RunMemory {
  const open = memory.open.get(tensor);
  if (!open) return memory;
  const tensors = new Map(memory.tensors);
  const known = tensors.get(tensor);
  if (known) tensors.set(tensor, taught(known, open.lesson));
  const left = new Map(memory.open);
  left.delete(tensor);
  const { rules, since } = open;
  const accepted = pushed(memory.accepted, { tensor, rules, since }, acceptedKept);
  return { ...memory, tensors, open: left, accepted };
}
