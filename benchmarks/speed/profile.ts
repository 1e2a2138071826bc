/** Where the time of a whole run goes: V8's sampling profiler over one thread, by kernel and by kind. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadKernels } from '../../src/engines/wasm/kernels.ts';
import type { Answer } from './answer.ts';
import { type Cost, run } from './measure.ts';
import { laika, root, type Setting } from './setting.ts';
import { table } from './table.ts';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

interface Profile {
  readonly nodes: readonly ProfileNode[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

/** Microseconds between samples. */
const interval = 250;

/** Names of kernels by their number in the module. */
async function kernelNames(): Promise<ReadonlyMap<string, string>> {
  const { kernels } = await loadKernels();
  // The name of an exported WebAssembly function is its number.
  const functions = Object.entries(kernels).filter(([, each]) => typeof each === 'function');
  return new Map(functions.map(([name, each]) => [(each as { name: string }).name, name]));
}

function kindOf({ callFrame }: ProfileNode, kernels: ReadonlyMap<string, string>): string | null {
  const { functionName, url } = callFrame;
  const [, number] = /^wasm-function\[(\d+)\]$/.exec(functionName) ?? [];
  if (number !== undefined) return kernels.has(number) ? `kernel ${kernels.get(number)}` : null;
  if (functionName === '(idle)') return 'waiting';
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(root)') return 'the rest of V8';
  if (url === '' && /^read(Sync)?$/.test(functionName)) return 'reading';
  if (url.includes('/dist/')) return "Laika's JavaScript";
  if (url.startsWith('node:') || url === '' || url.includes('node_modules')) return 'Node';
  return 'the rest of V8';
}

/** Milliseconds by kind. What no name is known of belongs to its caller. */
function timesOf(profile: Profile, kernels: ReadonlyMap<string, string>): Map<string, number> {
  const nodes = new Map(profile.nodes.map((node) => [node.id, node]));
  const kinds = new Map<number, string>();
  // Parents come before their children.
  for (const node of profile.nodes) {
    const kind = kindOf(node, kernels) ?? kinds.get(node.id) ?? 'other kernels';
    kinds.set(node.id, kind);
    for (const child of node.children ?? []) kinds.set(child, kind);
  }
  const times = new Map<string, number>();
  for (const [i, id] of profile.samples.entries()) {
    if (!nodes.has(id)) continue;
    const kind = kinds.get(id) as string;
    times.set(kind, (times.get(kind) ?? 0) + (profile.timeDeltas[i] ?? 0) / 1000);
  }
  return times;
}

/** Runs `validate` with the profiler. */
async function profileOf(words: string): Promise<Profile> {
  const folder = mkdtempSync(join(tmpdir(), 'laika-profile-'));
  try {
    const flags = `--cpu-prof --cpu-prof-interval ${interval} --cpu-prof-dir=${folder}`;
    await run(`node ${flags} ${join(root, 'bin/laika.js')} validate ${words} > /dev/null`);
    const [name] = readdirSync(folder);
    return JSON.parse(readFileSync(join(folder, name as string), 'utf8')) as Profile;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** What a run costs, and what it costs while the same runs on another processor: what those share. */
async function besideItself(name: string, command: string): Promise<string> {
  const milliseconds = (costs: readonly Cost[]) => {
    const sorted = costs.map(({ cpu }) => 1000 * cpu).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] as number;
  };
  const alone: Cost[] = [];
  const two: Cost[] = [];
  for (let round = 0; round < 5; round++) {
    alone.push(await run(command));
    two.push(await run(`${command} & ${command} & wait`));
  }
  const [one, each] = [milliseconds(alone), milliseconds(two) / 2];
  return `${name} ${one.toFixed(0)}, and ${each.toFixed(0)} each where two run at once`;
}

/** One table: what takes how long, and the speed that it alone would allow. */
async function profiled(files: readonly string[], words: string): Promise<string> {
  const kernels = await kernelNames();
  // The first run brings the files into the page cache.
  const cat = `cat ${files.join(' ')} > /dev/null`;
  await run(cat);
  const command = `${laika} validate ${words} > /dev/null`;
  const beside = [await besideItself('cat', cat), await besideItself('laika', command)];
  const times = timesOf(await profileOf(words), kernels);
  times.delete('waiting');
  const bytes = files.reduce((sum, file) => sum + statSync(file).size, 0);
  const total = [...times.values()].reduce((sum, each) => sum + each, 0);
  const rows = [...times].sort(([, a], [, b]) => b - a);
  const cells = rows
    .filter(([, ms]) => ms >= total / 200)
    .map(([kind, ms]) => [
      kind,
      ms.toFixed(0),
      `${((100 * ms) / total).toFixed(1)} %`,
      (bytes / 1e6 / ms).toFixed(1),
    ]);
  const sum = ['all', total.toFixed(0), '100 %', (bytes / 1e6 / total).toFixed(1)];
  const head = ['', 'ms', 'share', 'GB/s alone'];
  return [
    table(head, [...cells, sum]),
    `without the profiler, ms of CPU: ${beside.join('; ')}`,
  ].join('\n\n');
}

/** Profiles of one thread: a float32 file, a bfloat16 file, a pair with every law. */
export async function profiles({ data }: Setting): Promise<Answer> {
  const path = (name: string) => join(data, `${name}.safetensors`);
  const [base, head] = [path('pair-10'), path('pair-20')];
  const parts = [];
  for (const [title, files, words] of [
    ['float32', [path('f32')], path('f32')],
    ['bfloat16', [path('bf16')], path('bf16')],
    ['a pair with every law', [base, head], `${head} --base ${base} --lr-max 1e-3`],
  ] as const) {
    parts.push(`${title}\n\n${await profiled(files, `${words} --threads 1`)}`);
  }
  return { text: parts.join('\n\n'), targets: [] };
}
