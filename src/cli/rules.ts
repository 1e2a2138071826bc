/** `laika rules [ID]`: every rule in one line, or one in full. */
import { LaikaError } from '../checkpoint/errors.ts';
import { encodeJson } from '../records/numbers.ts';
import { wrapText } from '../report/wording.ts';
import { type Rule, rules, rulesDigest } from '../verdict/rules.ts';
import { invalid } from './flags.ts';

const width = 78;

function paragraph(label: string, text: string): string[] {
  return [label, ...wrapText(text, width - 2).map((line) => `  ${line}`), ''];
}

function inFull({ id, kind, title, paragraphs }: Rule): string {
  const lines = [`${id} (${kind})`, ...wrapText(title, width - 2).map((line) => `  ${line}`), ''];
  for (const [label, text] of paragraphs) lines.push(...paragraph(label, text));
  return lines.join('\n');
}

function listing(): string {
  const lines: string[] = [];
  let kind = '';
  const kinds = [...new Set(rules.map((rule) => rule.kind))];
  const sorted = kinds.flatMap((each) => rules.filter((rule) => rule.kind === each));
  for (const rule of sorted) {
    if (rule.kind !== kind) lines.push(...(kind === '' ? [] : ['']), rule.kind);
    kind = rule.kind;
    const [first = '', ...rest] = wrapText(rule.title, width - 27);
    lines.push(
      `  ${rule.id.padEnd(24)} ${first}`,
      ...rest.map((line) => `${' '.repeat(27)}${line}`),
    );
  }
  return [
    ...lines,
    '',
    `${rules.length} rules, digest ${rulesDigest}. One in full: laika rules ID`,
    '',
  ].join('\n');
}

/** Prints to `write`; returns the exit code. @throws LaikaError `arguments-invalid`. */
export function rulesCommand(
  id: string | undefined,
  output: string,
  write: (text: string) => void,
): number {
  if (output !== 'text' && output !== 'json') {
    throw invalid('rules prints text or json', `--output ${output}`, 'use --output json');
  }
  const found = id === undefined ? rules : rules.filter((rule) => rule.id === id);
  if (found.length === 0) {
    throw new LaikaError({
      code: 'arguments-invalid',
      what: 'no such rule',
      where: `laika rules ${id}`,
      next: 'laika rules lists them all',
    });
  }
  if (output === 'json') write(`${encodeJson({ digest: rulesDigest, rules: found }, 1)}\n`);
  else write(id === undefined ? listing() : inFull(found[0] as Rule));
  return 0;
}
