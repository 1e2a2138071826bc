/** Flags that several commands share: read once, checked once. */
import { LaikaError } from '../checkpoint/errors.ts';
import type { EngineOptions } from '../engines/choose.ts';
import type { DeclaredOptimizer } from '../scan/options.ts';
import { rules } from '../verdict/rules.ts';
import { type ExitPolicy, failOnChoices } from './exit-code.ts';
import { type Output, parseOutput } from './output.ts';

/** As commander hands them over. */
export interface RawFlags {
  readonly engine?: string;
  readonly threads?: string;
  readonly gpuMem?: string;
  readonly shareGpu?: boolean;
  readonly ioLimit?: string;
  readonly direct?: boolean;
  readonly config?: string;
  readonly stateDir?: string;
  readonly optimizer?: string;
  readonly names?: string;
  readonly lrMax?: string;
  readonly clipNorm?: string;
  readonly log?: readonly string[];
  readonly output?: readonly string[];
  readonly failOn?: string;
  readonly exitZero?: boolean;
  readonly require?: readonly string[];
  readonly minCoverage?: string;
  readonly reproducible?: boolean;
  readonly digest?: boolean;
}

export function invalid(what: string, where: string, next: string): LaikaError {
  return new LaikaError({ code: 'arguments-invalid', what, where, next });
}

/** A finite number of at least 0, or the error that names its flag and shows an `example`. */
export function positive(text: string, flag: string, example = '0.001'): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isFinite(value) && value >= 0) return value;
  throw invalid('not a number of at least 0', `${flag} ${text}`, `for example ${flag} ${example}`);
}

/** A longer pause would pass what a timer can count, and end at once. */
const pauseMost = 86_400;

/** Seconds between two looks. @throws LaikaError `arguments-invalid`. */
export function pauseSeconds(text: string): number {
  const seconds = positive(text, '--interval', '5');
  if (seconds <= pauseMost) return seconds;
  throw invalid('a pause of more than a day', `--interval ${text}`, 'for example --interval 5');
}

const optimizerKeys = {
  kind: 'kind',
  beta1: 'beta1',
  beta2: 'beta2',
  eps: 'eps',
  weight_decay: 'weightDecay',
  lr: 'lr',
  ema_decay: 'averageDecay',
} as const;

/** `kind=adamw,beta1=0.9,…` */
export function parseOptimizer(text: string): DeclaredOptimizer {
  const declared: Record<string, string | number> = {};
  for (const part of text.split(',')) {
    const [key = '', value = ''] = part.split('=', 2);
    const name = optimizerKeys[key.trim() as keyof typeof optimizerKeys];
    if (!name || value.trim() === '') {
      const keys = Object.keys(optimizerKeys).join(', ');
      throw invalid('not a declaration', `--optimizer ${part}`, `write key=value with ${keys}`);
    }
    declared[name] = name === 'kind' ? value.trim().toLowerCase() : declaredNumber(key, value);
  }
  return declared;
}

/** With a decay above 1 an average would grow by itself: every checkpoint would look strange. */
function declaredNumber(key: string, text: string): number {
  const value = positive(text, `--optimizer ${key}=`);
  if (value <= 1 || !/^(beta[12]|ema_decay)$/.test(key.trim())) return value;
  throw invalid(
    'a decay above 1',
    `--optimizer ${key}=${text}`,
    'for example beta1=0.9,beta2=0.999',
  );
}

/** How the engine may use the machine. @throws LaikaError `arguments-invalid`. */
export function engineOptions(flags: RawFlags): EngineOptions {
  const { threads, ioLimit, gpuMem, shareGpu } = flags;
  return {
    ...(threads === undefined ? {} : { threads: wholeThreads(threads) }),
    ...(flags.direct === true ? { direct: true } : {}),
    ...(ioLimit === undefined ? {} : { bytesPerSecond: bytesPerSecond(ioLimit) }),
    ...(gpuMem === undefined ? {} : { gpuMemory: mebibytes(gpuMem) }),
    ...(shareGpu === true ? { shareGpu } : {}),
  };
}

function mebibytes(text: string): number {
  return Math.floor(positive(text, '--gpu-mem', '512') * 2 ** 20);
}

/** More threads than any machine has. */
const threadsMax = 256;

function wholeThreads(text: string): number {
  const threads = positive(text, '--threads', '2');
  if (Number.isInteger(threads) && threads >= 1 && threads <= threadsMax) return threads;
  throw invalid(
    `not a whole number from 1 to ${threadsMax}`,
    `--threads ${text}`,
    'for example --threads 2',
  );
}

const rateUnits: Readonly<Record<string, number>> = { '': 1, K: 1e3, M: 1e6, G: 1e9 };

/** `200M`, `200MB/s` or `200MiB/s`. */
function bytesPerSecond(text: string): number {
  const match = /^([0-9]+(?:\.[0-9]+)?) ?([KMG]?)(i?)B?(?:\/s)?$/i.exec(text.trim());
  const [, digits = '', letter = '', binary = ''] = match ?? [];
  const decimal = rateUnits[letter.toUpperCase()] as number;
  const unit = binary === '' ? decimal : 2 ** (10 * Math.round(Math.log10(decimal) / 3));
  const rate = Number(digits) * unit;
  if (match && rate >= 1) return rate;
  throw invalid('not a rate of reading', `--io-limit ${text}`, 'for example --io-limit 200M');
}

export function outputsOf(flags: RawFlags): Output[] {
  return (flags.output ?? []).map(parseOutput);
}

export function exitPolicy(flags: RawFlags): ExitPolicy {
  const failOn = failOnChoices.find((each) => each === (flags.failOn ?? 'corrupt'));
  if (!failOn) {
    throw invalid(
      'no such threshold',
      `--fail-on ${flags.failOn}`,
      `use ${failOnChoices.join(', ')}`,
    );
  }
  return {
    failOn,
    exitZero: flags.exitZero === true,
    require: (flags.require ?? []).map(knownRule),
    minCoverage: flags.minCoverage === undefined ? null : percent(flags.minCoverage),
  };
}

/** A rule that is none would never be met, and nobody would know why. */
function knownRule(id: string): string {
  if (rules.some((rule) => rule.id === id)) return id;
  throw invalid('no such rule', `--require ${id}`, '`laika rules` lists them all');
}

function percent(text: string): number {
  const share = positive(text, '--min-coverage', '90');
  if (share <= 100) return share;
  throw invalid('more than all', `--min-coverage ${text}`, 'give a percentage from 0 to 100');
}
