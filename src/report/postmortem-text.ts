/** `laika postmortem` for a terminal: the walk, the first bad checkpoint, the last good one, how to go on. */
import type { ErrorDetails } from '../checkpoint/errors.ts';
import type { Place, PostmortemPart, Result } from '../verdict/result.ts';
import { escapeText } from './escape.ts';
import { renderFindings } from './text.ts';
import { wrapText } from './wording.ts';

const width = 78;

function placeText({ checkpoint, step }: Place): string {
  return `${escapeText(checkpoint)}${step === null ? '' : ` (step ${step})`}`;
}

function labelled(label: string, text: string): string[] {
  const indent = ' '.repeat(14);
  return wrapText(text, width - indent.length).map((line, i) =>
    i === 0 ? `  ${label.padEnd(11)} ${line}` : `${indent}${line}`,
  );
}

function walkLines({ walked }: PostmortemPart): string[] {
  return walked.flatMap(({ checkpoint, step, verdict, error }) => {
    const name = checkpoint.split('/').at(-1) as string;
    const at = step === null ? '' : `step ${step}  `;
    const why = error ? wrapText(escapeText(whyText(error), true), width - 18) : [];
    return [
      `    ${verdict.padEnd(13)} ${at}${escapeText(name)}`,
      ...why.map((line) => `${' '.repeat(18)}${line}`),
    ];
  });
}

function whyText({ what, why }: ErrorDetails): string {
  return why === undefined ? what : `${what}: ${why}`;
}

/** What could not be judged is never counted among what passed. */
function headline({ first_bad: bad, walked }: PostmortemPart): string {
  if (bad) return `FIRST BAD  ${placeText(bad)}`;
  const open = walked.filter(({ verdict }) => verdict === 'unverified').length;
  if (open === 0) return 'NOTHING FOUND  every surviving checkpoint passed what could be checked';
  if (open === walked.length) return 'CANNOT TELL  no surviving checkpoint could be judged';
  return `NOTHING FOUND  but ${open} of ${walked.length} checkpoints could not be judged`;
}

function blastLines({ blast, shown_by }: PostmortemPart): string[] {
  const list = (names: readonly string[]) =>
    names
      .slice(0, 8)
      .map((name) => escapeText(name))
      .join(', ');
  const more = (names: readonly string[]) =>
    names.length > 8 ? ` and ${names.length - 8} more` : '';
  const lines = shown_by
    ? labelled(
        'shown by',
        `${escapeText(shown_by.head)}${shown_by.base === null ? ', by itself' : ` against ${escapeText(shown_by.base)}`}`,
      )
    : [];
  if (blast.tensors.length > 0)
    lines.push(...labelled('tensors', list(blast.tensors) + more(blast.tensors)));
  if (blast.layers.length > 0)
    lines.push(...labelled('layers', list(blast.layers) + more(blast.layers)));
  const later =
    blast.checkpoints.length === 0
      ? 'no later checkpoint carries it'
      : list(blast.checkpoints) + more(blast.checkpoints);
  lines.push(...labelled('inherited', later));
  return lines;
}

/** The report; ends in a newline. */
export function renderPostmortem(result: Result): string {
  const { postmortem, trusted } = result;
  if (!postmortem) return '';
  const { first_bad: bad } = postmortem;
  const lines = [
    headline(postmortem),
    '',
    `  walked, oldest first`,
    ...walkLines(postmortem),
    '',
    ...(bad ? blastLines(postmortem) : []),
    ...labelled('last good', trusted ? placeText(trusted) : 'none of those that are left'),
    ...(bad ? labelled('resume', postmortem.resume) : []),
  ];
  if (bad) lines.push(...renderFindings(result.findings ?? []));
  return `${lines.join('\n')}\n`;
}
