/** A result for a terminal of 80 columns: what is wrong, where, why it cannot be, and what to do. */

import { decodeNumber } from '../records/numbers.ts';
import { unknownOwner } from '../scan/plan-laws.ts';
import type { Coverage, Finding, Result, RuleCoverage } from '../verdict/result.ts';
import { isStatistical } from '../verdict/rules.ts';
import { escapeText } from './escape.ts';
import { grouped, percentText, sizeText, wrapText } from './wording.ts';

const width = 78;

/** Findings shown in full; the rest is counted. */
const shown = 5;

function block(label: string, text: string): string[] {
  const indent = ' '.repeat(11);
  return wrapText(text, width - indent.length).map((line, i) =>
    i === 0 ? `  ${label.padEnd(8)} ${line}` : `${indent}${line}`,
  );
}

/** A document that came as JSON holds some numbers in the codec's spelling. */
function number(encoded: unknown): string {
  const value = decodeNumber(encoded);
  if (value === null) return '-';
  if (!Number.isFinite(value)) return value > 0 ? 'infinity' : String(value);
  return Number.isInteger(value) && Math.abs(value) < 1e6 ? String(value) : value.toPrecision(7);
}

function elementText(finding: Finding): string {
  const { element, count } = finding;
  if (!element) return count > 1 ? ` (${grouped(count)} of them)` : '';
  const place = element.coordinates.length > 0 ? `[${element.coordinates.join(', ')}]` : '';
  const more = count > 1 ? `, the worst of ${grouped(count)}` : '';
  return ` ${place} (element ${element.index}${more})`;
}

function valueLines(finding: Finding): string[] {
  const { values } = finding;
  if (!values) return [];
  const line = (end: 'base' | 'head') => {
    const entries = Object.entries(values[end] ?? {});
    if (entries.length === 0) return [];
    const text = entries.map(([name, value]) => `${name.replaceAll('_', ' ')} ${number(value)}`);
    return block(end, text.join(', '));
  };
  return [...line('base'), ...line('head')];
}

function bitsLine(finding: Finding): string[] {
  const { bits } = finding;
  if (!bits) return [];
  const from = bits.base === undefined ? '' : `${bits.base} in the base, `;
  const flip = bits.flip === undefined ? '' : `; one flip of bit ${bits.flip} explains it`;
  return block('bits', `${from}${bits.head} in the head${flip}`);
}

const meaning: Readonly<Record<Finding['severity'], string>> = {
  critical: 'training that goes on from here carries the damage with it',
  error: 'the checkpoint is not what training wrote',
  warning: 'healthy training hardly does this; look before you resume',
  info: 'worth knowing; the verdict does not depend on it',
};

function meaningOf({ kind, severity }: Finding): string {
  if (kind === 'security')
    return 'do not load this file with anything that executes pickles or trusts names';
  if (kind === 'structure' && severity === 'critical')
    return 'what was written is lost or changed here';
  return meaning[severity];
}

/**
 * Findings about one element are one damage: the first speaks, the others are named. Sums of the whole
 * model that break beside a named tensor say nothing more.
 */
function groupFindings(findings: readonly Finding[]): Finding[][] {
  const groups = new Map<string, Finding[]>();
  for (const finding of findings) {
    const { tensor, file, element, parameter, rule } = finding;
    const first = groups.values().next().value;
    const ofModel = tensor === undefined && file === undefined && finding.kind === 'law';
    const place = element
      ? `${parameter ?? tensor} ${element.index}`
      : `${tensor ?? file ?? ''} ${rule}`;
    if (ofModel && first) first.push(finding);
    else groups.set(place, [...(groups.get(place) ?? []), finding]);
  }
  return [...groups.values()];
}

/** What a damage breaks beside the rule that speaks: others, or the same one in state beside it. */
function alsoLine(first: Finding, others: readonly Finding[]): string[] {
  const names = (list: readonly Finding[]) => [...new Set(list.map(({ rule }) => rule))].join(', ');
  const model = others.filter(({ tensor }) => tensor === undefined);
  const beside = others.filter(({ tensor }) => tensor !== undefined);
  const same = beside.filter(({ rule }) => rule !== first.rule);
  const twins = beside.filter(({ rule, tensor }) => rule === first.rule && tensor !== first.tensor);
  const tensors = [...new Set(twins.map(({ tensor }) => escapeText(tensor ?? '')))].join(', ');
  const parts = [
    ...(same.length > 0 ? [`the same element breaks ${names(same)}`] : []),
    ...(twins.length > 0 ? [`the same rule at this element of ${tensors}`] : []),
    ...(model.length > 0 ? [`the model’s sums break ${names(model)}`] : []),
  ];
  return parts.length === 0 ? [] : block('also', parts.join('; '));
}

function findingLines([finding, ...others]: readonly Finding[]): string[] {
  if (!finding) return [];
  const subject = finding.tensor ?? finding.file ?? finding.rule;
  const left = decodeNumber(finding.left);
  const sides =
    left === null || !Number.isFinite(left)
      ? []
      : block('sides', `left ${number(left)} must not exceed right ${number(finding.right)}`);
  return [
    '',
    `  ${escapeText(subject)}${elementText(finding)}`,
    ...block('rule', `${finding.rule} (${finding.certainty})`),
    ...block('found', escapeText(finding.message, true)),
    ...sides,
    ...valueLines(finding),
    ...bitsLine(finding),
    ...alsoLine(finding, others),
    ...(finding.lead ? block('lead', finding.lead.lead) : []),
    ...block('means', meaningOf(finding)),
  ];
}

function infoLine(finding: Finding): string[] {
  return wrapText(`${finding.rule}: ${escapeText(finding.message, true)}`, width - 4).map(
    (line, i) => (i === 0 ? `  · ${line}` : `    ${line}`),
  );
}

function ruleLine(rule: RuleCoverage): string[] {
  const head = `    ${rule.rule.padEnd(17)} ${percentText(rule.elements, rule.of).padStart(7)} of ${grouped(rule.of)}`;
  const reasons = rule.unknown.map(({ reason, elements }) => `${reason} (${grouped(elements)})`);
  if (reasons.length === 0) return [head];
  return [head, ...wrapText(reasons.join('; '), width - 8).map((line) => `        ${line}`)];
}

/** Statistics in one line: which could run is a matter of history, not of this pair. */
function statisticsLine(rules: readonly RuleCoverage[]): string[] {
  if (rules.length === 0) return [];
  const ran = rules.filter(({ elements }) => elements > 0).length;
  const rest = ran < rules.length ? '; the rest needs more history' : '';
  return [`    statistics        ${ran} of ${rules.length} rules ran${rest}`];
}

/** Coverage as a table: rule, share judged, elements it is about, and why the rest is unknown. */
export function coverageLines(coverage: Coverage): string[] {
  const rules = coverage.rules.filter(({ of }) => of > 0);
  const laws = rules.filter(({ rule }) => !isStatistical(rule));
  return [
    '',
    `  checked (elements; ${sizeText(coverage.bytes_read)} read${recalledText(coverage)})`,
    ...(laws.length === 0 ? ['    nothing: no law applied'] : laws.flatMap(ruleLine)),
    ...statisticsLine(rules.filter(({ rule }) => isStatistical(rule))),
    ...namesHint(laws),
  ];
}

function recalledText({ bytes_recalled: bytes }: Coverage): string {
  return bytes === undefined ? '' : `, ${sizeText(bytes)} of the base known from before`;
}

/** Files that keep names in another order than the optimizer's do not say whose state is whose. */
function namesHint(rules: Coverage['rules']): string[] {
  const isOpen = rules.some(({ unknown }) => unknown.some(({ reason }) => reason === unknownOwner));
  if (!isOpen) return [];
  return block('names', '--names FILE tells whose state it is; laika inspect prints how');
}

function titleLines(result: Result): string[] {
  const { checkpoint, base } = result;
  if (!checkpoint) return [];
  const step = checkpoint.step === null ? 'step unknown' : `step ${checkpoint.step}`;
  const lines = [`  ${checkpoint.layout}, ${step}${checkpoint.complete ? '' : ', incomplete'}`];
  if (base) {
    const from = base.step === null ? 'step unknown' : `step ${base.step}`;
    lines.push(`  against ${escapeText(base.path)}, ${from}`);
  }
  return lines;
}

/** What a verdict means; an alarm is worded by what raised it. */
function verdictNote(verdict: string, findings: readonly Finding[]): string {
  const kinds = new Set(
    findings.filter(({ severity }) => severity !== 'info').map(({ kind }) => kind),
  );
  if (verdict !== 'corrupt' || kinds.has('law')) return verdictNotes[verdict] ?? '';
  return kinds.has('security')
    ? 'loading this file could run code or mislead a reader'
    : 'the files are not what was written';
}

const verdictNotes: Readonly<Record<string, string>> = {
  intact: 'a law that healthy training cannot break was checked, and all held',
  unremarkable: 'nothing found; no law could run that would prove it intact',
  unverified: 'too little could be checked to say anything',
  suspect: 'possible in healthy training, but hardly ever seen',
  corrupt: 'this cannot be the work of healthy training',
};

function trustLines(result: Result): string[] {
  const { trusted, verdict } = result;
  if (verdict === 'intact' || verdict === 'unremarkable') return [];
  const text = trusted
    ? `${escapeText(trusted.checkpoint)}${trusted.step === null ? '' : ` (step ${trusted.step})`}`
    : 'no checkpoint is known to be good: give --base, or judge earlier ones';
  return ['', ...block('trust', text)];
}

function errorLines(result: Result): string[] {
  const { error } = result;
  if (!error) return [];
  return [
    `not checked: ${escapeText(error.what)}`,
    ...block('where', escapeText(error.where)),
    ...(error.why === undefined ? [] : block('why', escapeText(error.why))),
    ...(error.next === undefined ? [] : block('next', escapeText(error.next, true))),
  ];
}

/** Lines of every finding that is no note, grouped by damage; the first few in full. */
export function renderFindings(findings: readonly Finding[]): string[] {
  const damages = groupFindings(findings.filter(({ severity }) => severity !== 'info'));
  const lines = damages.slice(0, shown).flatMap((damage) => findingLines(damage));
  if (damages.length <= shown) return lines;
  const rest = grouped(damages.length - shown);
  return [...lines, '', `  and ${rest} more: --output json lists all findings`];
}

/** The whole report; ends in a newline. */
export function renderText(result: Result): string {
  const lines = errorLines(result);
  const { verdict, checkpoint, coverage } = result;
  if (checkpoint && verdict) {
    const name = escapeText(checkpoint.path);
    lines.push(
      `${verdict.toUpperCase()}  ${name}`,
      `  ${verdictNote(verdict, result.findings ?? [])}`,
      ...titleLines(result),
    );
    const findings = result.findings ?? [];
    const loud = findings.filter(({ severity }) => severity !== 'info');
    lines.push(...renderFindings(loud));
    lines.push(...trustLines(result));
    const again = loud[0]?.next;
    if (again) lines.push(...block('again', escapeText(again, true)));
    const quiet = findings.filter(({ severity }) => severity === 'info');
    if (quiet.length > 0) lines.push('', ...quiet.slice(0, shown).flatMap(infoLine));
    if (quiet.length > shown) lines.push(`  · and ${grouped(quiet.length - shown)} more notes`);
  }
  if (coverage) lines.push(...coverageLines(coverage));
  if (result.engine?.warning) lines.push(...block('engine', result.engine.warning));
  return `${lines.join('\n')}\n`;
}
