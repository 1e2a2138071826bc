/** `laika postmortem` for a terminal: the walk, the first bad checkpoint, the last good one, how to go on. */
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
  return walked.map(({ checkpoint, step, verdict }) => {
    const name = checkpoint.split('/').at(-1) as string;
    return `    ${verdict.padEnd(13)} ${step === null ? '' : `step ${step}  `}${escapeText(name)}`;
  });
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
    bad
      ? `FIRST BAD  ${placeText(bad)}`
      : 'NOTHING FOUND  every surviving checkpoint passed what could be checked',
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
