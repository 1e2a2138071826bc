/** The part of a result document that an event carries. */
import type { AlertRecord } from '../history/alert-record.ts';
import type { NewEvent } from '../history/event.ts';
import { encodeJson } from '../records/numbers.ts';
import type { CheckpointPart, Finding, Result, Severity, Verdict } from '../verdict/result.ts';

/** Intermediaries forward events up to 64 KiB: half of it is for findings. */
const findingsBytesMax = 32 * 1024;

/** The checkpoint that an event is about. */
export interface JudgedPlace {
  readonly run: string;
  readonly path: string;
  readonly step: number | null;
}

/** The last checkpoint to trust, for people who must resume. */
export interface TrustedPlace {
  readonly checkpoint: string;
  readonly step: number | null;
}

function layoutOf(part: CheckpointPart | undefined): Partial<CheckpointPart> {
  return part ? { layout: part.layout, complete: part.complete } : {};
}

/** Without the optimizers' parameters, which may be many thousands. */
function shortened(part: CheckpointPart): Partial<CheckpointPart> {
  return { path: part.path, step: part.step, ...layoutOf(part) };
}

/** A checkpoint was judged. */
export function verdictEvent(
  place: JudgedPlace,
  result: Result,
  trusted: TrustedPlace | null,
): NewEvent {
  const verdict = result.verdict ?? 'unverified';
  return {
    type: 'dev.laika.checkpoint.verdict.v1',
    run: place.run,
    subject: place.path,
    severity: severityOf(result),
    data: {
      checkpoint: { path: place.path, step: place.step, ...layoutOf(result.checkpoint) },
      ...(result.base ? { base: shortened(result.base) } : {}),
      verdict,
      ...thin(result.findings ?? []),
      ...(trusted ? { trusted } : {}),
      ...(result.coverage ? { coverage: result.coverage } : {}),
      ...(result.error ? { error: result.error } : {}),
    },
  };
}

/** An alert fired or was resolved by a checkpoint. */
export function alertEvent(
  alert: AlertRecord,
  change: 'firing' | 'resolved',
  by: { readonly result: Result; readonly trusted: TrustedPlace | null },
): NewEvent {
  return {
    type: `dev.laika.alert.${change}.v1`,
    run: alert.run,
    subject: alert.checkpoint.path,
    severity: change === 'resolved' ? 'info' : alert.severity,
    data: {
      checkpoint: alert.checkpoint,
      alert,
      verdict: alert.verdict,
      ...thin(by.result.findings ?? []),
      ...(by.trusted ? { trusted: by.trusted } : {}),
    },
  };
}

/** The worst finding's severity, and never less than the verdict means. */
export function severityOf(result: Result): Severity {
  const order: readonly Severity[] = ['info', 'warning', 'error', 'critical'];
  const floors: Readonly<Record<Verdict, Severity>> = {
    intact: 'info',
    unremarkable: 'info',
    unverified: 'warning',
    suspect: 'warning',
    corrupt: 'error',
  };
  const floor = floors[result.verdict ?? 'unverified'];
  const all = [floor, ...(result.findings ?? []).map((finding) => finding.severity)];
  return order[Math.max(...all.map((severity) => order.indexOf(severity)))] ?? floor;
}

/** As many findings, worst first, as fit; how many there were is always said. */
function thin(findings: readonly Finding[]): Readonly<Record<string, unknown>> {
  const kept: Finding[] = [];
  let bytes = 0;
  for (const finding of findings) {
    bytes += Buffer.byteLength(encodeJson(finding)) + 1;
    if (bytes > findingsBytesMax) break;
    kept.push(finding);
  }
  const isCut = kept.length < findings.length;
  return {
    findings: kept,
    findings_count: findings.length,
    ...(isCut ? { truncated: true } : {}),
  };
}
