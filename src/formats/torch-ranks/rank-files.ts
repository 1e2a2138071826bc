/** Files of one save, one a rank: `model-rank-0.pt`, `rank1.pt`. */
import type { SourceFile } from '../../sources/source.ts';

export interface RankFile {
  readonly file: SourceFile;
  readonly rank: number;
}

export interface RankFiles {
  /** By rank. */
  readonly present: readonly RankFile[];
  /** Names of ranks below the highest that are not there. */
  readonly missing: readonly string[];
}

const rankName = /^(|.*[^a-z0-9])(rank[-_]?)([0-9]{1,7})\.(pt|pth|bin|ckpt)$/i;

/** Other files of torch.save: with them a folder is more than one save of ranks. */
const otherState = /\.(pt|pth|ckpt|safetensors|distcp)$/i;

/** A gap of more ranks is no save. */
const missingMost = 1000;

/** `ep1-ba10` of `ep1-ba10-rank0.pt`: what the files of one save share; null for other names. */
export function rankPrefix(name: string): string | null {
  return /^(.+)[-_]rank[-_]?[0-9]{1,7}\.(?:pt|pth|bin|ckpt)$/.exec(name)?.[1] ?? null;
}

/** Null: the folder holds no such save, or several, or other checkpoints beside it. */
export function rankFilesOf(files: readonly SourceFile[]): RankFiles | null {
  const top = files.filter(({ name }) => !name.includes('/'));
  const families = new Map<string, RankFile[]>();
  for (const file of top) {
    const match = rankName.exec(file.name);
    if (!match) {
      if (otherState.test(file.name)) return null;
      continue;
    }
    const [, prefix = '', word = '', rank = '', ending = ''] = match;
    const key = `${prefix}${word}*.${ending}`;
    const own = families.get(key) ?? [];
    own.push({ file, rank: Number(rank) });
    families.set(key, own);
  }
  const [family, another] = [...families];
  if (!family || another) return null;
  const [key, found] = family;
  const present = found.sort((a, b) => a.rank - b.rank);
  const ranks = new Set(present.map(({ rank }) => rank));
  const last = present.at(-1)?.rank ?? 0;
  // One file for two spellings of a rank: nothing says which one counts.
  if (ranks.size < present.length || last > present.length + missingMost) return null;
  const missing: string[] = [];
  for (let rank = 0; rank < last; rank += 1) {
    if (!ranks.has(rank)) missing.push(key.replace('*', String(rank)));
  }
  return { present, missing };
}
