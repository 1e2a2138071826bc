/** `--output FORMAT[:PATH]`: renders a result and puts it where it was asked for. */
import { writeFileSync } from 'node:fs';
import { LaikaError } from '../checkpoint/errors.ts';
import { encodeJson } from '../records/numbers.ts';
import { renderJunit } from '../report/junit.ts';
import { renderText } from '../report/text.ts';
import type { Finding, Result } from '../verdict/result.ts';

export interface Output {
  readonly format: 'text' | 'json' | 'ndjson' | 'junit';
  /** Null: standard output. */
  readonly path: string | null;
}

const built = ['text', 'json', 'ndjson', 'junit'] as const;
const planned = ['sarif', 'github', 'markdown', 'html'];

/** @throws LaikaError `arguments-invalid` for an unknown format or one that is not built yet. */
export function parseOutput(text: string): Output {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const path = colon < 0 ? null : text.slice(colon + 1);
  const format = built.find((each) => each === name);
  if (format && path !== '') return { format, path };
  const known = planned.includes(name);
  throw new LaikaError({
    code: 'arguments-invalid',
    what: known ? 'this output format is not built yet' : 'no such output format',
    where: `--output ${text}`,
    next: `use one of ${built.join(', ')}, with :PATH for a file`,
  });
}

export interface Rendering {
  readonly fails: (finding: Finding) => boolean;
  /** What `text` prints for this command. */
  readonly text?: (result: Result) => string;
}

function render(result: Result, format: Output['format'], rendering: Rendering): string {
  if (format === 'json') return `${encodeJson(result, 1)}\n`;
  if (format === 'junit') return renderJunit(result, rendering.fails);
  if (format === 'ndjson') {
    const { findings = [], ...rest } = result;
    const lines = [...findings.map((finding) => ({ finding })), { result: rest }];
    return lines.map((each) => `${encodeJson(each)}\n`).join('');
  }
  return (rendering.text ?? renderText)(result);
}

/** An error is talk, not product, unless a program asked for the document. @throws that error. */
export function throwUnlessAsked({ error }: Result, outputs: readonly Output[]): void {
  if (error && outputs.every(({ format }) => format === 'text')) throw new LaikaError(error);
}

/** Writes every requested form; `text` on standard output where nothing was asked. */
export function writeResult(
  result: Result,
  outputs: readonly Output[],
  rendering: Rendering,
): void {
  const wanted: readonly Output[] = outputs.length > 0 ? outputs : [{ format: 'text', path: null }];
  for (const { format, path } of wanted) {
    const text = render(result, format, rendering);
    if (path === null) process.stdout.write(text);
    else writeFile(path, text);
  }
}

function writeFile(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    const details = {
      code: 'arguments-invalid' as const,
      what: 'the report cannot be written',
      where: path,
      why: (cause as Error).message,
      next: 'name a file in a folder that exists and is writable',
    };
    throw new LaikaError(details, { cause });
  }
}
