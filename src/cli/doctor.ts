/** `laika doctor`: which engines are here, which one `auto` takes and why, and a self-test of each. */
import { isLaikaError } from '../checkpoint/errors.ts';
import { gpuChoice, openEngine } from '../engines/choose.ts';
import { inspectCuda } from '../engines/cuda/open-cuda-engine.ts';
import { selfTest } from '../engines/self-test.ts';
import { version } from '../package.ts';
import { wrapText } from '../report/wording.ts';
import { gpuLines } from './gpu-lines.ts';

const names = ['reference', 'wasm', 'tensorflow', 'cuda'] as const;

async function line(name: (typeof names)[number]): Promise<{ ok: boolean | null; text: string }> {
  try {
    const engine = await openEngine(name);
    try {
      const { ok, detail } = await selfTest(engine);
      return { ok, text: `${ok ? 'ok' : 'FAILED'}: ${engine.device}; ${detail}` };
    } finally {
      await engine.close();
    }
  } catch (error) {
    if (!isLaikaError(error)) throw error;
    const { next } = error.details;
    return { ok: null, text: `not available: ${error.message}${next ? `; ${next}` : ''}` };
  }
}

/** Prints to `write`; 0 when the engine that `auto` takes passes its self-test. */
export async function doctorCommand(write: (text: string) => void): Promise<number> {
  write(
    `laika ${version}, Node ${process.versions.node}, ${process.platform} ${process.arch}\n\nengines\n`,
  );
  const { takes, reason } = await gpuChoice({});
  const taken = takes ? 'cuda' : 'wasm';
  let good = false;
  for (const name of names) {
    const { ok, text } = await line(name);
    if (name === taken) good = ok === true;
    const [first = '', ...rest] = wrapText(text, 64);
    write(
      `  ${name.padEnd(11)} ${first}\n${rest.map((each) => `${' '.repeat(14)}${each}\n`).join('')}`,
    );
  }
  for (const each of gpuLines(await inspectCuda())) write(`${each}\n`);
  const why = takes ? reason : `it runs everywhere, and ${reason}`;
  write(`\nauto takes ${taken}: ${why}.\n`);
  write(
    good
      ? 'next: laika demo\n'
      : `${taken} failed its self-test: use --engine reference and report this.\n`,
  );
  return good ? 0 : 70;
}
