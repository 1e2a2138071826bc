/** What pattern damaged elements make, and what usually makes such a pattern: a lead beside a finding. */
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Operand } from '../laws/law.ts';
import { damagedElements } from '../scan/damaged-elements.ts';
import type { LawOutcome, Opened, ScanOutcome } from '../scan/scan.ts';
import { describeElement, unitTensors } from './element.ts';
import { describeDamage, type Lead } from './forensics.ts';
import type { Finding } from './result.ts';

/** Damaged tensors that are looked at twice. */
const tensorsMax = 16;

const bytesOf: Readonly<Record<string, number>> = { f64: 8, f32: 4, f16: 2, bf16: 2 };

/** Byte of element 0, where the tensor lies in its file as it is in memory. */
function offsetOf({ placement }: Tensor): number | null {
  return placement.kind === 'dense' && placement.pieces.length === 1
    ? (placement.pieces[0]?.offset ?? null)
    : null;
}

async function leadOf(
  outcome: LawOutcome,
  ends: { head: Opened; base: Opened | null },
): Promise<Lead | null> {
  const { law, unit, constants } = outcome;
  if (law.scope !== 'element' || !unit) return null;
  const view = describeElement(outcome);
  const operands = unitTensors(unit, law.operands);
  const blamed = [...operands].find(
    ([operand, tensor]) => operand.endsWith('B') && tensor === view?.tensor,
  )?.[0];
  if (blamed === undefined) return null;
  const found = await damagedElements({
    law,
    constants,
    operands,
    blamed: blamed as Operand,
    ...ends,
  });
  if (!found || found.indices.length === 0) return null;
  const tensor = operands.get(blamed) as Tensor;
  const flip = view?.flip && found.total === 1 ? view.flip.bit : null;
  const bits = found.headBits.map((head, i) => ({
    head,
    // Base bits say something where they are what should be there: a flip undone, or a stale copy.
    base: flip !== null ? head ^ (1n << BigInt(flip)) : found.baseBits[i] === head ? head : null,
  }));
  return describeDamage({
    indices: found.indices,
    total: found.total,
    elementBytes: bytesOf[tensor.dtype] as number,
    shape: tensor.shape,
    fileOffset: offsetOf(tensor),
    bits,
  });
}

/** More elements first; of equals the law that looks at the base, which tells what should be there. */
function weightOf({ law, record }: LawOutcome): number {
  return record.broken + (law.operands.some((operand) => operand.endsWith('A')) ? 0.5 : 0);
}

/** Adds leads to the findings of the tensors that broke most; one look a tensor, by its strongest law. */
export async function withLeads(
  findings: readonly Finding[],
  outcome: ScanOutcome,
  ends: { readonly head: Opened; readonly base: Opened | null },
): Promise<Finding[]> {
  const strongest = new Map<string, LawOutcome>();
  for (const each of outcome.laws) {
    if (each.record.broken === 0 || each.law.scope !== 'element' || !each.unit) continue;
    const { key } = each.unit;
    const known = strongest.get(key);
    if (!known || weightOf(each) > weightOf(known)) strongest.set(key, each);
  }
  const leads = new Map<string, Lead>();
  for (const [key, each] of [...strongest].slice(0, tensorsMax)) {
    const lead = await leadOf(each, ends);
    if (lead) leads.set(key, lead);
  }
  return findings.map((finding) => {
    const lead =
      finding.kind === 'law' && finding.parameter ? leads.get(finding.parameter) : undefined;
    return lead ? { ...finding, lead } : finding;
  });
}
