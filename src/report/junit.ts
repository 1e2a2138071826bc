/** A result as JUnit XML: one case a rule; a finding fails it, an unknown remainder skips it. */
import type { Finding, Result, RuleCoverage } from '../verdict/result.ts';
import { isStatistical } from '../verdict/rules.ts';
import { escapeText } from './escape.ts';

function xml(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
  };
  return escapeText(text, true).replace(/[&<>"]/g, (character) => names[character] as string);
}

function describe(finding: Finding): string {
  const where = finding.tensor ?? finding.file ?? '';
  const element = finding.element ? ` [${finding.element.index}]` : '';
  return `${where}${element}: ${finding.message} (${finding.next})`;
}

interface Case {
  readonly rule: string;
  readonly failures: readonly Finding[];
  readonly coverage: RuleCoverage | null;
}

function renderCase({ rule, failures, coverage }: Case, suite: string): string[] {
  const open = `    <testcase classname="${xml(suite)}" name="${xml(rule)}"`;
  if (failures.length > 0) {
    const messages = failures.map(
      (finding) =>
        `      <failure type="${xml(finding.certainty)}" message="${xml(describe(finding))}"/>`,
    );
    return [`${open}>`, ...messages, '    </testcase>'];
  }
  if (coverage && coverage.elements === 0) {
    const why = coverage.unknown.map(({ reason }) => reason).join('; ');
    return [`${open}>`, `      <skipped message="${xml(why)}"/>`, '    </testcase>'];
  }
  return [`${open}/>`];
}

/** The document; `fails`: does a finding fail its case under the caller's `--fail-on`? */
export function renderJunit(result: Result, fails: (finding: Finding) => boolean): string {
  const suite = result.checkpoint?.path ?? result.error?.where ?? 'checkpoint';
  const loud = (result.findings ?? []).filter(fails);
  const rules = new Map<string, Case>();
  for (const coverage of result.coverage?.rules ?? []) {
    if (coverage.of > 0 && !(isStatistical(coverage.rule) && coverage.elements === 0))
      rules.set(coverage.rule, { rule: coverage.rule, failures: [], coverage });
  }
  for (const finding of loud) {
    const before = rules.get(finding.rule);
    rules.set(finding.rule, {
      rule: finding.rule,
      failures: [...(before?.failures ?? []), finding],
      coverage: before?.coverage ?? null,
    });
  }
  const cases = [...rules.values()];
  const failed = cases.filter(({ failures }) => failures.length > 0).length;
  const skipped = cases.filter(
    ({ failures, coverage }) => failures.length === 0 && coverage?.elements === 0,
  );
  const errors = result.error ? 1 : 0;
  const error = result.error
    ? [
        `    <testcase classname="${xml(suite)}" name="checked">`,
        `      <error type="${result.error.code}" message="${xml(`${result.error.what}: ${result.error.where}`)}"/>`,
        '    </testcase>',
      ]
    : [];
  const counts = `tests="${cases.length + errors}" failures="${failed}" errors="${errors}" skipped="${skipped.length}"`;
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="laika" ${counts}>`,
    `  <testsuite name="${xml(suite)}" ${counts}>`,
    ...error,
    ...cases.flatMap((each) => renderCase(each, suite)),
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}
