/** An event as one line for people. Names come from files: they are escaped. */
import { escapeText } from '../report/escape.ts';

/** What a line is made from: an event of the log, or a CloudEvent with its parsed data. */
export interface EventFacts {
  readonly time: string;
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

/** `2026-11-21T16:53:00.123Z corrupt /runs/a/step-300.pt step 300: moment-bound …` */
export function eventLine({ time, type, data }: EventFacts): string {
  const what = type.replace(/^dev\.laika\./, '').replace(/\.v\d+$/, '');
  const isVerdict = what === 'checkpoint.verdict';
  const words = [time, isVerdict ? String(data.verdict) : what];
  const checkpoint = partOf(data.checkpoint);
  if (checkpoint) {
    words.push(String(checkpoint.path));
    if (typeof checkpoint.step === 'number') words.push(`step ${checkpoint.step}`);
  }
  const detail = detailOf(data);
  return escapeText(`${words.join(' ')}${detail === null ? '' : `: ${detail}`}`, true);
}

/** The worst finding, or why there is none; null where the type says it all. */
function detailOf(data: Readonly<Record<string, unknown>>): string | null {
  const findings = Array.isArray(data.findings) ? data.findings : [];
  const finding = partOf(findings[0]);
  if (finding) {
    const more = Number(data.findings_count ?? findings.length) - 1;
    const trusted = partOf(data.trusted);
    const trust = trusted ? `; last to trust: ${trusted.checkpoint}` : '';
    return `${finding.rule}: ${finding.message}${more > 0 ? `; and ${more} more` : ''}${trust}`;
  }
  const error = partOf(data.error);
  if (error) return [error.what, error.why].filter((text) => text !== undefined).join(': ');
  if (typeof data.detail === 'string') return data.detail;
  if (typeof data.by === 'string') return `by ${data.by}`;
  if (typeof data.quiet_seconds === 'number') return `no checkpoint for ${data.quiet_seconds} s`;
  return Array.isArray(data.runs) ? data.runs.join(', ') : null;
}

function partOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)
    : null;
}
