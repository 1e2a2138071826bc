/** `npm run tensorflow:build`: builds the addon of the tensorflow engine, and proves that it works. */
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { selfTest } from '../engines/self-test.ts';
import { buildAddon } from '../engines/tensorflow/build-addon.ts';
import { buildCommand } from '../engines/tensorflow/commands.ts';
import type { LibraryPlace } from '../engines/tensorflow/find-library.ts';
import { openTensorflowEngine } from '../engines/tensorflow/open-tensorflow.ts';
import { showError } from './show-error.ts';

const kinds = { '--python': 'python', '--libtensorflow': 'folder' } as const;

function placeOf(args: readonly string[]): LibraryPlace {
  const [flag = '', path] = args;
  if (args.length === 2 && path && Object.hasOwn(kinds, flag)) {
    return { kind: kinds[flag as keyof typeof kinds], path };
  }
  throw new LaikaError({
    code: 'arguments-invalid',
    what: 'Say where TensorFlow is',
    where: args.join(' ') || 'no argument',
    why: '--python PATH takes a Python that has it, --libtensorflow DIR an unpacked library',
    next: buildCommand('--python python3'),
  });
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

async function prove(): Promise<void> {
  const engine = await openTensorflowEngine();
  const { ok, detail } = await selfTest(engine);
  await engine.close();
  say(`device   ${engine.device}`);
  say(`test     ${ok ? 'ok' : 'FAILED'}: ${detail}`);
  if (!ok) process.exitCode = 2;
}

try {
  await buildAddon({
    place: placeOf(process.argv.slice(2)),
    compiler: process.env.CXX || 'c++',
    onStep: say,
  });
  await prove();
  if (!process.exitCode) say('next     laika validate CHECKPOINT --engine tensorflow');
} catch (error) {
  if (!isLaikaError(error)) throw error;
  showError(error);
  process.exitCode = 2;
}
