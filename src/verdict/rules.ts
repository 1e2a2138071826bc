/** Every rule that a finding can carry, for `laika rules`, the docs and the digest in each result. */
import { createHash } from 'node:crypto';
import { problemRules } from '../checkpoint/problem.ts';
import type { Law } from '../laws/law.ts';
import { laws } from '../laws/laws.ts';
import type { SuspicionText } from '../suspicions/suspicion.ts';
import { suspicions } from '../suspicions/suspicions.ts';

/** Rules that are no laws: ancestry and declarations. */
export const lineageRules = {
  'lineage-changed':
    'The head does not descend from the base: another branch, an earlier step, or an optimizer that was re-created.',
  'declaration-mismatch':
    'Learning rate or betas as declared cannot be those that were used: everything breaks at once.',
  'frozen-changed':
    'A parameter that no optimizer holds moved as a whole: something else writes it, and it is not judged.',
} as const;

export interface Rule {
  readonly id: string;
  readonly kind: 'law' | 'statistics' | 'structure' | 'security' | 'lineage' | 'declaration';
  readonly title: string;
  /** What `laika rules ID` prints under the title: heading and paragraph. */
  readonly paragraphs: readonly (readonly [string, string])[];
}

function lawParagraphs(law: Law): Rule['paragraphs'] {
  return [
    ['Statement', law.statement],
    ['Why it must hold', law.derivation],
    ['Needs', law.needs],
    ['Cost', law.cost],
    ['Cannot see', law.cannotSee],
    ['When it breaks', law.advice],
  ];
}

function suspicionParagraphs(rule: SuspicionText): Rule['paragraphs'] {
  return [
    ['Statement', rule.statement],
    ['Means', rule.means],
    ['Catches', rule.catches],
    ['Stays quiet on', rule.quiet],
    ['Needs', rule.needs],
    ['Cost', rule.cost],
  ];
}

const security: ReadonlySet<string> = new Set([
  'code-in-pickle',
  'path-escape',
  'duplicate-name',
  'ambiguous-archive',
  'compression-bomb',
]);

/** In reading order: laws, suspicions, files, ancestry. */
export const rules: readonly Rule[] = [
  ...laws.map(
    (law): Rule => ({ id: law.id, kind: 'law', title: law.title, paragraphs: lawParagraphs(law) }),
  ),
  ...suspicions.map(
    (rule): Rule => ({
      id: rule.id,
      kind: 'statistics',
      title: rule.title,
      paragraphs: suspicionParagraphs(rule),
    }),
  ),
  ...Object.entries(problemRules).map(
    ([id, title]): Rule => ({
      id,
      kind: security.has(id) ? 'security' : 'structure',
      title,
      paragraphs: [],
    }),
  ),
  ...Object.entries(lineageRules).map(
    ([id, title]): Rule => ({
      id,
      kind: id === 'declaration-mismatch' ? 'declaration' : 'lineage',
      title,
      paragraphs: [],
    }),
  ),
];

/** Changes when a rule's statement does: two verdicts are comparable when it agrees. */
export const rulesDigest: string = createHash('sha256')
  .update(
    rules
      .map(({ id, title, paragraphs }) => `${id}\n${title}\n${paragraphs[0]?.[1] ?? ''}`)
      .join('\n'),
  )
  .digest('hex')
  .slice(0, 16);

const statistical: ReadonlySet<string> = new Set(suspicions.map(({ id }) => id));

/** Suspicions need a history that a single pair has not: their coverage is counted apart. */
export function isStatistical(rule: string): boolean {
  return statistical.has(rule);
}
