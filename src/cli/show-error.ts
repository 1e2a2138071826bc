/** An error for a person, on standard error: what, where, why, what next. */
import type { LaikaError } from '../checkpoint/errors.ts';
import { escapeText } from '../report/escape.ts';
import { wrapText } from '../report/wording.ts';

export function showError(error: LaikaError): void {
  const { what, where, why, next } = error.details;
  const parts: readonly (readonly [string, string | undefined])[] = [
    ['  where  ', where],
    ['  why    ', why],
    ['  next   ', next],
  ];
  const lines = wrapText(`laika: ${escapeText(what, true)}`, 78);
  for (const [label, text] of parts) {
    if (text === undefined) continue;
    const [first = '', ...rest] = wrapText(escapeText(text, true), 69);
    lines.push(`${label}${first}`, ...rest.map((line) => `         ${line}`));
  }
  process.stderr.write(`${lines.join('\n')}\n`);
}
