/** Every rule that a finding can carry, for `laika rules`, the docs and the digest in each result. */
import { createHash } from 'node:crypto';
import { problemRules } from '../checkpoint/problem.ts';
import type { Law } from '../laws/law.ts';
import { laws } from '../laws/laws.ts';

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
  readonly kind: 'law' | 'structure' | 'security' | 'lineage' | 'declaration';
  readonly title: string;
  readonly law: Law | null;
}

const security: ReadonlySet<string> = new Set([
  'code-in-pickle',
  'path-escape',
  'duplicate-name',
  'ambiguous-archive',
  'compression-bomb',
]);

/** In reading order: laws, then files, then ancestry. */
export const rules: readonly Rule[] = [
  ...laws.map((law): Rule => ({ id: law.id, kind: 'law', title: law.title, law })),
  ...Object.entries(problemRules).map(
    ([id, title]): Rule => ({
      id,
      kind: security.has(id) ? 'security' : 'structure',
      title,
      law: null,
    }),
  ),
  ...Object.entries(lineageRules).map(
    ([id, title]): Rule => ({
      id,
      kind: id === 'declaration-mismatch' ? 'declaration' : 'lineage',
      title,
      law: null,
    }),
  ),
];

/** Changes when a rule's statement does: two verdicts are comparable when it agrees. */
export const rulesDigest: string = createHash('sha256')
  .update(rules.map(({ id, title, law }) => `${id}\n${title}\n${law?.statement ?? ''}`).join('\n'))
  .digest('hex')
  .slice(0, 16);
