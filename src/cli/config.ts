/** Configuration: `--config` > LAIKA_CONFIG > laika.config.json upward > XDG. Data only, flags win. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { LaikaError } from '../checkpoint/errors.ts';
import type { RawFlags } from './flags.ts';

/** Keys are the flags' own names in camel case. */
const known: readonly (keyof RawFlags)[] = [
  'engine',
  'threads',
  'gpuMem',
  'shareGpu',
  'ioLimit',
  'direct',
  'stateDir',
  'optimizer',
  'names',
  'lrMax',
  'clipNorm',
  'log',
  'output',
  'failOn',
  'exitZero',
  'require',
  'minCoverage',
  'reproducible',
];

function find(flag: string | undefined): string | null {
  const named = flag ?? process.env.LAIKA_CONFIG;
  if (named !== undefined) return named;
  let folder = process.cwd();
  for (;;) {
    const path = join(folder, 'laika.config.json');
    if (existsSync(path)) return path;
    if (existsSync(join(folder, '.git')) || dirname(folder) === folder) break;
    folder = dirname(folder);
  }
  const home = process.env.XDG_CONFIG_HOME ?? join(homedir(), '.config');
  const personal = join(home, 'laika', 'config.json');
  return existsSync(personal) ? personal : null;
}

function fail(what: string, where: string, why: string): never {
  throw new LaikaError({
    code: 'arguments-invalid',
    what,
    where,
    why,
    next: 'keys are the flags in camel case, for example {"failOn": "suspect"}',
  });
}

/** The known key that differs least in spelling. */
function nearest(key: string): string {
  const distance = (other: string) => {
    const letters = new Set(other.toLowerCase());
    return (
      [...key.toLowerCase()].filter((letter) => !letters.has(letter)).length +
      Math.abs(other.length - key.length)
    );
  };
  return [...known].sort((a, b) => distance(a) - distance(b))[0] as string;
}

function read(path: string): Record<string, unknown> {
  let data: unknown;
  try {
    data = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return fail('the configuration cannot be read', path, (error as Error).message);
  }
  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    return fail('the configuration is no JSON object', path, `it is ${JSON.stringify(data)}`);
  }
  return data as Record<string, unknown>;
}

const lists: ReadonlySet<string> = new Set(['log', 'output', 'require']);

function flagValue(key: string, value: unknown, path: string): unknown {
  if (lists.has(key)) return Array.isArray(value) ? value.map(String) : [String(value)];
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string' || typeof value === 'number') return String(value);
  return fail(`${key} has a value that no flag takes`, path, JSON.stringify(value));
}

/** Flags completed by the configuration. @throws LaikaError for keys that are none, with a suggestion. */
export function applyConfig(flags: RawFlags): RawFlags {
  const path = find(flags.config);
  if (path === null) return flags;
  const settings: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(read(path))) {
    if (!known.includes(key as keyof RawFlags)) {
      fail(`no such setting: ${key}`, resolve(path), `did you mean ${nearest(key)}?`);
    }
    settings[key] = flagValue(key, value, path);
  }
  return { ...settings, ...flags };
}
