/** One document about a dead run: first bad step, last good one, blast radius, how to resume. */

import { worse } from '../verdict/decide.ts';
import { header } from '../verdict/document.ts';
import { recurringFindings } from '../verdict/recurring.ts';
import type { Finding, PostmortemPart, Result, Verdict } from '../verdict/result.ts';
import { resumeAdvice } from './resume.ts';
import type { Walk } from './walk.ts';

/** Names kept of each kind; the findings hold the rest. */
const namesKept = 200;

/** `blocks.3.attn.weight` → `blocks.3`: up to and with the first number; else the first word. */
function layerOf(name: string): string {
  const words = name.split('.');
  const number = words.findIndex((word) => /^\d+$/.test(word));
  return words.slice(0, number < 0 ? 1 : number + 1).join('.');
}

function distinct(values: readonly string[]): string[] {
  return [...new Set(values)].slice(0, namesKept);
}

function blastOf(
  findings: readonly Finding[],
  inherits: readonly string[],
): PostmortemPart['blast'] {
  const loud = findings.filter(({ severity }) => severity !== 'info');
  const tensors = loud.flatMap(({ tensor }) => (tensor === undefined ? [] : [tensor]));
  const owners = loud.flatMap(({ parameter, tensor }) => parameter ?? tensor ?? []);
  const ranks = loud.flatMap(({ rank }) => (rank === undefined ? [] : [rank]));
  return {
    tensors: distinct(tensors),
    layers: distinct(owners.map(layerOf)),
    ranks: [...new Set(ranks)],
    checkpoints: inherits,
  };
}

/** What the damaged checkpoints of the run have in common, if anything. */
function inCommon(walked: Walk['walked'], next: string): Finding[] {
  const damaged = walked
    .filter(({ result }) => result.verdict === 'corrupt' || result.verdict === 'suspect')
    .map(({ path, result }) => ({ checkpoint: path, findings: result.findings ?? [] }));
  return recurringFindings(damaged, next);
}

/** The document of `laika postmortem`. */
export function postmortemDocument(walk: Walk): Result {
  const { walked, firstBad, firstBadState, lastGood, inherits } = walk;
  const shown = firstBad?.shown;
  // A damaged file before it would hide what the state of the run died of.
  const later = firstBadState === firstBad ? null : firstBadState;
  const found = [...(shown?.findings ?? []), ...(later?.shown.findings ?? [])];
  const verdict = walked.reduce<Verdict>(
    (worst, { result }) => worse(worst, result.verdict ?? 'unverified'),
    'intact',
  );
  const last = walked.at(-1)?.result;
  const part: PostmortemPart = {
    first_bad: firstBad ? { checkpoint: firstBad.path, step: firstBad.step } : null,
    shown_by: firstBad?.shownBy ?? null,
    blast: blastOf(found, later ? [later.path, ...inherits] : inherits),
    resume: resumeAdvice(lastGood?.result.checkpoint ?? null),
    walked: walked.map(({ path, step, base, result }) => ({
      checkpoint: path,
      step,
      base,
      verdict: result.verdict ?? 'unverified',
      ...(result.error ? { error: result.error } : {}),
    })),
  };
  const subject = shown ?? last;
  return {
    ...header(),
    ...(subject?.checkpoint ? { checkpoint: subject.checkpoint } : {}),
    ...(subject?.base ? { base: subject.base } : {}),
    verdict: walked.length === 0 ? 'unverified' : verdict,
    findings: [...found, ...inCommon(walked, found[0]?.next ?? '')],
    ...(subject?.coverage ? { coverage: subject.coverage } : {}),
    ...(lastGood ? { trusted: { checkpoint: lastGood.path, step: lastGood.step } } : {}),
    postmortem: part,
  };
}
