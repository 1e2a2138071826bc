/**
 * How fast is each kernel over data in the GPU's memory, against a copy inside that memory?
 *
 *   npm run bench:cuda -- kernels
 */
import type { KernelName, Parameter } from '../../src/engines/cuda/kernels.ts';
import { real, whole } from '../../src/engines/cuda/kernels.ts';
import { lawKernels } from '../../src/engines/cuda/law-kernels.ts';
import type { CudaSession, Pinned } from '../../src/engines/cuda/session.ts';
import { sweptLaw } from '../../src/laws/laws.ts';
import { blockElements, chunkElements } from '../../src/records/grid.ts';
import { weights } from './data.ts';
import { type BenchGpu, bestTime, rate, type Settings } from './gpu.ts';

const f32 = 1n;
const missing = [0n, 0n, 0n] as const;
const streams = ['wA', 'wB', 'mA', 'mB', 'vA', 'vB'] as const;

interface Buffers {
  readonly elements: number;
  readonly data: Readonly<Record<string, bigint>>;
  readonly out: bigint;
  readonly totals: bigint;
}

/** Fills a buffer with copies of one chunk. */
function fill(session: CudaSession, at: bigint, elements: number, chunk: Pinned): void {
  for (let first = 0; first < elements; first += chunkElements) {
    const bytes = BigInt(4 * chunkElements);
    const to = at + BigInt(4 * first);
    session.driver.call('copyIn', to, chunk.address, bytes, session.workStream);
  }
  session.settleQuietly();
}

async function allocate(session: CudaSession, bytes: number): Promise<Buffers> {
  const elements = Math.max(1, Math.floor(bytes / 4 / chunkElements)) * chunkElements;
  const chunk = await session.pin(4 * chunkElements);
  const data: Record<string, bigint> = {};
  for (const [i, name] of streams.entries()) {
    const at = session.allocate(4 * elements);
    new Float32Array(chunk.buffer).set(weights(i + 1, name.startsWith('v')));
    fill(session, at, elements, chunk);
    data[name] = at;
  }
  const out = session.allocate((elements / blockElements) * 128 + 4096);
  const totals = session.allocate(4096 * 4);
  session.clear(totals, 4096 * 4);
  return { elements, data, out, totals };
}

function lawParameters(law: string, { data, elements, out, totals }: Buffers): Parameter[] {
  const parameters: Parameter[] = sweptLaw(law).operands.flatMap((name) =>
    data[name] === undefined ? [...missing] : [data[name] as bigint, 0n, f32],
  );
  while (parameters.length < 18) parameters.push(0n);
  const constants = lawKernels.get(law)?.constants ?? [];
  for (let i = 0; i < 20; i++) parameters.push(real(constants[i] === undefined ? 0 : 0.5));
  return [...parameters, whole(elements), 0n, 0n, out, totals];
}

interface Case {
  readonly name: KernelName;
  /** Bytes of source that it reads for an element. */
  readonly width: number;
  readonly group: number;
  readonly parameters: readonly Parameter[];
}

function cases(session: CudaSession, buffers: Buffers): Case[] {
  const { data, elements, out, totals } = buffers;
  const [wA = 0n, wB = 0n, mB = 0n, vA = 0n, vB = 0n] = ['wA', 'wB', 'mB', 'vA', 'vB'].map(
    (name) => data[name],
  );
  const table = session.table('bf16');
  const normal = real(2 ** -126);
  const summary = [normal, whole(8), out, totals];
  const operands = [wA, wB, mB, vA, vB].flatMap((at) => [at, 0n, f32]);
  const law = (id: string, width: number): Case => {
    const name = lawKernels.get(id)?.name as KernelName;
    return { name, width, group: blockElements, parameters: lawParameters(id, buffers) };
  };
  const halves = 2 * elements;
  return [
    {
      name: 'summariseF32',
      width: 4,
      group: 32_768,
      parameters: [wB, whole(elements), 0n, ...summary],
    },
    { name: 'digest', width: 4, group: 16_384, parameters: [wB, whole(4 * elements), out] },
    {
      name: 'summariseCode16',
      width: 2,
      group: 32_768,
      parameters: [wB, whole(elements), table, ...summary],
    },
    {
      name: 'countCode16',
      width: 4,
      group: 2048,
      parameters: [wB, whole(halves), session.counters('sB')],
    },
    law('moment-bound', 8),
    law('moment-increment', 16),
    law('bounded-update', 20),
    law('replay-weights', 16),
    {
      name: 'moveWeights',
      width: 20,
      group: 32_768,
      parameters: [...operands, whole(elements), real(0.9), whole(8), out, totals],
    },
    {
      name: 'compare32',
      width: 8,
      group: 4096,
      parameters: [wA, wB, whole(elements), 0x7fffffffn, 0n, totals],
    },
  ];
}

/** The first and the last chunk hold the same values: so must their blocks' sums. */
async function verifySums(session: CudaSession, { out, elements }: Buffers): Promise<void> {
  const bytes = (chunkElements / blockElements) * 72;
  const back = await session.pin(2 * bytes);
  const last = (elements / blockElements) * 72 - bytes;
  const copy = (to: number, from: number) => {
    const [here, there] = [back.address + BigInt(to), out + BigInt(from)];
    session.driver.call('copyOut', here, there, BigInt(bytes), session.workStream);
  };
  copy(0, 0);
  copy(bytes, last);
  session.settleQuietly();
  const found = new Float64Array(back.buffer);
  let sum = 0;
  for (const x of weights(2)) sum += x;
  let total = 0;
  for (let at = 0; at < bytes / 8; at += 9) {
    total += found[at] as number;
    if (found[at] !== found[at + bytes / 8])
      throw new Error('chunks of equal values differ in sum');
  }
  if (!(Math.abs(total - sum) <= 1e-9)) throw new Error(`a chunk's sum is ${total}, not ${sum}`);
  session.unpin(back);
}

/** Lines of a table. */
export async function kernelRates(gpu: BenchGpu, { bytes }: Settings): Promise<string[]> {
  const session = await gpu.openSession();
  try {
    const buffers = await allocate(session, bytes);
    const { elements, data } = buffers;
    const wait = () => session.driver.call('synchronize', session.workStream);
    const copied = 4 * elements;
    const copy = () => gpu.copyInside(session, data.wA as bigint, data.mA as bigint, copied);
    const copyTime = await bestTime(copy, wait);
    const lines = [
      `${(copied / 2 ** 20).toFixed(0)} MiB a stream; GB/s of source bytes, and their share of what a`,
      'copy inside the GPU moves (it reads and writes)',
      `  ${'copy'.padEnd(20)} ${rate(2 * copied, copyTime).padStart(9)}`,
    ];
    for (const { name, width, group, parameters } of cases(session, buffers)) {
      const time = await bestTime(
        () => session.launch(name, Math.ceil(elements / group), parameters),
        wait,
      );
      if (name === 'summariseF32') await verifySums(session, buffers);
      const share = (width * elements) / time / ((2 * copied) / copyTime);
      const figure = rate(width * elements, time).padStart(9);
      lines.push(`  ${name.padEnd(20)} ${figure}  ${share.toFixed(2)}`);
    }
    return lines;
  } finally {
    session.close();
  }
}
