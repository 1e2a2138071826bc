/** Opens the tensorflow engine: in a process of its own, because its library may end the process. */
import { join } from 'node:path';
import { LaikaError } from '../../checkpoint/errors.ts';
import { packageRoot } from '../../package.ts';
import type { Engine } from '../engine.ts';
import { openProcessEngine } from '../process/process-engine.ts';
import { selfTest } from '../self-test.ts';

const program = join(packageRoot, 'dist', 'cli', 'tensorflow-process.js');

/** Eight rows and a rest: all odd numbers in a fraction of a second. */
const checkElements = 8 * 1024 + 77;

/** What the process is told, as JSON in its first argument. */
export interface TensorflowSettings {
  /** Bytes to read a second at most. */
  readonly bytesPerSecond?: number;
  /** Run at a low priority: a trainer works beside. */
  readonly polite?: boolean;
}

export interface TensorflowOptions extends TensorflowSettings {
  /** The program, for tests. */
  readonly entry?: string;
}

/**
 * Opens the TensorFlow engine, once it has found what the reference engine finds.
 * @throws LaikaError `engine-unavailable`, which says what is missing.
 */
export async function openTensorflowEngine(options: TensorflowOptions = {}): Promise<Engine> {
  const { entry = program, bytesPerSecond, polite } = options;
  const args = [JSON.stringify({ bytesPerSecond, polite })];
  const engine = await openProcessEngine({ name: 'tensorflow', entry, args });
  const { ok, detail } = await selfTest(engine, checkElements);
  if (ok) return engine;
  await engine.close();
  throw new LaikaError({
    code: 'engine-unavailable',
    what: 'TensorFlow computes here what the reference engine does not',
    where: engine.device,
    why: detail,
    next: 'use --engine wasm, and report this',
  });
}
