/**
 * Walks the surviving checkpoints of a run in order, each against the last one that is trusted. A pair
 * says that two checkpoints do not fit; which of the two is bad the checkpoint before them tells.
 */
import { isAboutBase } from '../verdict/findings.ts';
import type { Result } from '../verdict/result.ts';
import { readElement, standsOut } from './element-history.ts';

/** Judges `head`, against `base` where there is one. */
export type JudgePair = (head: string, base: string | null) => Promise<Result>;

/** Value of one element of a tensor; null where it cannot be read. */
export type ReadElement = (path: string, tensor: string, index: number) => Promise<number | null>;

/** A checkpoint on the way: one that is there, or one that is remembered and gone. */
export type Stop = string | { readonly remembered: Walked };

export interface Walked {
  readonly path: string;
  readonly step: number | null;
  readonly base: string | null;
  readonly result: Result;
  /** Deleted since: the verdict is the history's. */
  readonly isGone?: boolean;
}

export interface Bad extends Walked {
  /** The pair that shows it: (base, this), or (this, a later one). */
  readonly shownBy: { readonly base: string | null; readonly head: string };
  /** What was found, in the judgement that showed it. */
  readonly shown: Result;
}

export interface Walk {
  readonly walked: readonly Walked[];
  readonly firstBad: Bad | null;
  /** The first bad one that hands its fault on: the first bad one itself, unless only its files are. */
  readonly firstBadState: Bad | null;
  /** The last checkpoint to trust: before the first one whose state is bad. */
  readonly lastGood: Walked | null;
  /** Checkpoints after `firstBadState` that inherit it, or cannot be told apart from those that do. */
  readonly inherits: readonly string[];
}

function isQuiet(result: Result): boolean {
  return result.verdict === 'intact' || result.verdict === 'unremarkable';
}

function isBad(result: Result): boolean {
  return result.verdict === 'corrupt' || result.verdict === 'suspect';
}

/**
 * Are its own files damaged? What else is found there follows from it; code in a pickle explains no
 * broken law.
 */
function isBadFile({ findings = [] }: Result): boolean {
  const loud = findings.filter((each) => each.severity !== 'info' && !isAboutBase(each));
  const kinds = new Set(loud.map(({ kind }) => kind));
  return kinds.has('structure') || (kinds.size === 1 && kinds.has('security'));
}

function shownByItself(here: Walked): Bad {
  return { ...here, shownBy: { base: here.base, head: here.path }, shown: here.result };
}

class Walker {
  readonly #judge: JudgePair;
  readonly #read: ReadElement;
  readonly walked: Walked[] = [];
  readonly trusted: Walked[] = [];
  /** Damaged files, which hand nothing on: training went on from memory. */
  badFile: Bad | null = null;
  badState: Bad | null = null;
  readonly inherits: string[] = [];

  constructor(judge: JudgePair, read: ReadElement) {
    this.#judge = judge;
    this.#read = read;
  }

  async visit(path: string): Promise<void> {
    const base = this.trusted.at(-1)?.path ?? null;
    const result = await this.#judge(path, base);
    const here: Walked = { path, step: result.checkpoint?.step ?? null, base, result };
    this.walked.push(here);
    if (this.badState) await this.#afterBad(here, this.badState);
    else if (!isBad(result)) this.#trust(here);
    else if (isBadFile(result)) this.badFile ??= shownByItself(here);
    else this.badState = await this.#firstBadState(here);
  }

  /** What history says of a checkpoint that is gone: it can be the first bad one, never a base. */
  recall(here: Walked): void {
    this.walked.push(here);
    if (this.badState || !isBad(here.result)) return;
    if (isBadFile(here.result)) this.badFile ??= shownByItself(here);
    else this.badState = shownByItself(here);
  }

  /** The one that was written first. */
  get firstBad(): Bad | null {
    const { badFile, badState } = this;
    if (!badFile || !badState) return badFile ?? badState;
    const place = ({ path }: Bad) => this.walked.findIndex((each) => each.path === path);
    return place(badState) < place(badFile) ? badState : badFile;
  }

  /** The first one serves as a base though little could be said of it, where it could be read. */
  #trust(here: Walked): void {
    const isFirst = this.trusted.length === 0 && !here.result.error;
    if (isQuiet(here.result) || isFirst) this.trusted.push(here);
  }

  /**
   * The pair (base, here) does not fit. The base is the bad one where the element that shows it stands
   * out in the base alone, and (the one before the base, here) fits.
   */
  async #firstBadState(here: Walked): Promise<Bad> {
    const base = this.trusted.at(-1);
    const before = this.trusted.at(-2);
    if (base && before && (await this.#isOutlier(before, base, here))) {
      const across = await this.#judge(here.path, before.path);
      if (!isBad(across)) {
        this.trusted.pop();
        return { ...base, shownBy: { base: base.path, head: here.path }, shown: here.result };
      }
    }
    return shownByItself(here);
  }

  /** Does some element that breaks a law stand out in `base`, against the ones before and after it? */
  async #isOutlier(before: Walked, base: Walked, here: Walked): Promise<boolean> {
    for (const { tensor, element, role } of here.result.findings ?? []) {
      // A gradient is new at every step: nothing stands out in it.
      if (tensor === undefined || !element || role === 'gradient') continue;
      const values = await Promise.all(
        [before, base, here].map(({ path }) => this.#read(path, tensor, element.index)),
      );
      const [first, middle, last] = values;
      if (first == null || middle == null || last == null) continue;
      if (standsOut(first, middle, last)) return true;
    }
    return false;
  }

  /** Judged against the last good one; and whether it goes on from the bad one. */
  async #afterBad(here: Walked, bad: Bad): Promise<void> {
    if (isBad(here.result)) {
      this.inherits.push(here.path);
      return;
    }
    if (bad.isGone) {
      this.inherits.push(here.path);
      return;
    }
    const onward = await this.#judge(here.path, bad.path);
    if (!isBad(onward)) this.inherits.push(here.path);
  }
}

/** Walks `stops`, oldest first. */
export async function walkRun(
  stops: readonly Stop[],
  judge: JudgePair,
  read: ReadElement = readElement,
): Promise<Walk> {
  const walker = new Walker(judge, read);
  for (const stop of stops) {
    if (typeof stop === 'string') await walker.visit(stop);
    else walker.recall(stop.remembered);
  }
  const { walked, firstBad, badState, trusted, inherits } = walker;
  const good = trusted.filter(({ path }) => path !== badState?.path).at(-1) ?? null;
  const lastGood = good && isQuiet(good.result) ? good : null;
  return { walked, firstBad, firstBadState: badState, lastGood, inherits };
}
