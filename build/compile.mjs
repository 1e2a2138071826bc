/** Runs the programs over the demo's checkpoints, and keeps what V8 compiled of them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import workerThreads from 'node:worker_threads';
import { crc32 } from 'node:zlib';
import { root } from './programs.mjs';

const { isMainThread, parentPort, Worker } = workerThreads;
const { compile, read, readCompiled, run } = createRequire(import.meta.url)('../bin/load.js');

function start(name) {
  const program = read(name);
  const script = compile(program);
  const keep = () => {
    const bytes = script.createCachedData();
    const sum = Buffer.alloc(4);
    sum.writeUInt32LE(crc32(bytes));
    writeFileSync(program.compiled, Buffer.concat([bytes, sum]));
  };
  return { main: run(script, program).main, keep };
}

async function compileLaika() {
  const folder = mkdtempSync(join(tmpdir(), 'laika-build-'));
  const checkpoint = (step) => join(root, 'src', 'demo', 'run', `checkpoint-${step}.safetensors`);
  const { main, keep } = start('laika');
  // A thread that the engine starts is this file's.
  workerThreads.Worker = class extends Worker {
    constructor(_path, options) {
      super(new URL(import.meta.url), options);
    }
  };
  const command = ['node', 'laika', 'validate', checkpoint('0100'), '--state-dir', folder];
  // Direct reads are the work of threads, whatever the size. Of two the one that is not needed would
  // be ended while it writes.
  const threaded = ['--engine', 'wasm', '--direct', '--threads', '1'];
  for (const more of [[], ['--base', checkpoint('0080')], threaded]) {
    const output = `json:${join(folder, 'result.json')}`;
    await main([...command, ...more, '--output', output]);
    if (process.exitCode) throw new Error(`the demo's checkpoint was judged ${process.exitCode}`);
  }
  rmSync(folder, { recursive: true });
  keep();
  for (const name of ['laika', 'thread']) {
    if (!readCompiled(read(name).compiled)) throw new Error(`${name} was not compiled in whole`);
  }
}

async function compileThread() {
  const { main, keep } = start('thread');
  const post = parentPort.postMessage.bind(parentPort);
  parentPort.postMessage = (message) => {
    // With the last answer the engine ends this thread.
    keep();
    post(message);
  };
  await main();
}

await (isMainThread ? compileLaika() : compileThread());
