/** The step that a checkpoint's name tells: for order only, never for a law. */

/** Spellings that name what they count, the most telling first. */
const named = [
  /(?:^|[^a-z])(?:global_?step|step|iteration|iter)[-_=]?([0-9]{1,15})(?![0-9])/i,
  /-ba([0-9]{1,15})(?![0-9])/i,
  /(?:^|[^a-z])(?:checkpoint|ckpt)[-_=]?([0-9]{1,15})(?![0-9])/i,
  /(?:^|[^a-z])(?:epoch|ep)[-_=]?([0-9]{1,15})(?![0-9])/i,
];

/** Decimals (a loss), versions and dates are no counters. */
const noCounter = /[0-9]+\.[0-9]+|-v[0-9]+|[0-9]{4}-[0-9]{2}-[0-9]{2}/g;

/** `checkpoint-000050.pt` → 50; null where the name counts nothing. */
export function stepInName(name: string): number | null {
  const stem = name.replace(/(\.[a-z]+)+$/i, '').replace(noCounter, ' ');
  for (const pattern of named) {
    const found = pattern.exec(stem);
    if (found) return Number(found[1]);
  }
  const last = stem.match(/[0-9]+/g)?.at(-1);
  return last !== undefined && last.length <= 15 ? Number(last) : null;
}
