/** Opens the tensorflow engine: in a process of its own, because its library may end the process. */
import { join } from 'node:path';
import { packageRoot } from '../../package.ts';
import type { Engine } from '../engine.ts';
import { openProcessEngine } from '../process/process-engine.ts';

const entry = join(packageRoot, 'dist', 'cli', 'tensorflow-process.js');

/** Opens the TensorFlow engine. @throws LaikaError `engine-unavailable`, which says what is missing. */
export function openTensorflowEngine(): Promise<Engine> {
  return openProcessEngine({ name: 'tensorflow', entry });
}
