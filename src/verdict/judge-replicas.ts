/** `validate --replicas`: copies of one step across ranks, the odd one out named by majority. */

import { coordinatesOf } from '../checkpoint/locate.ts';
import type { Engine } from '../engines/engine.ts';
import { openCheckpoint } from '../formats/open-checkpoint.ts';
import { bitWidth, hexadecimal, isFloatType } from '../records/float-bits.ts';
import { compareReplicas, type ReplicaOutcome, type ReplicaReport } from '../scan/replicas.ts';
import type { Opened } from '../scan/scan.ts';
import { aboutTensor, severityOf } from './about.ts';
import { decide } from './decide.ts';
import { checkpointPart, header } from './document.ts';
import { problemFinding } from './findings.ts';
import type { Coverage, Finding, Result } from './result.ts';

function findingOf(outcome: ReplicaOutcome, paths: readonly string[], next: string): Finding {
  const { tensor, odd, reference, hasMajority, record } = outcome;
  const width = isFloatType(tensor.dtype) ? bitWidth(tensor.dtype) : 64;
  const others = paths.length - 1;
  const told = hasMajority
    ? `the copy in ${paths[odd]} is the odd one out of ${paths.length}`
    : `the copies in ${paths[odd]} and ${paths[reference]} differ, and no majority tells which is right`;
  const place = record
    ? {
        element: { index: record.first, coordinates: coordinatesOf(record.first, tensor.shape) },
        bits: {
          head: hexadecimal(record.foundBits, width),
          base: hexadecimal(record.expectedBits, width),
        },
      }
    : {};
  const size = record
    ? `${record.different} of ${record.compared} elements`
    : 'it is missing there, or has another type or shape';
  return {
    rule: 'bits-agree',
    kind: 'law',
    certainty: 'confirmed',
    severity: severityOf(tensor),
    ...aboutTensor(tensor, tensor.parameter ?? (tensor.role === 'parameter' ? tensor.name : null)),
    ...place,
    file: paths[odd] as string,
    rank: odd,
    count: record?.different ?? 1,
    message: `${told}: ${size} (${others} other ${others === 1 ? 'copy' : 'copies'} compared)`,
    next,
  };
}

function coverageOf(copies: readonly Opened[], report: ReplicaReport): Coverage {
  const bytes = copies
    .flatMap(({ checkpoint }) => checkpoint.files)
    .reduce((sum, file) => sum + file.sizeBytes, 0);
  const { compared } = report;
  return {
    bytes,
    bytes_read: bytes,
    rules: [{ rule: 'bits-agree', elements: compared, of: compared, unknown: [] }],
  };
}

/**
 * Judges two or more copies of one step.
 * @throws LaikaError for a path that is no checkpoint.
 */
export async function judgeReplicas(
  paths: readonly string[],
  engine: Engine,
  next: string,
): Promise<Result> {
  const copies: Opened[] = [];
  try {
    for (const path of paths) copies.push(await openCheckpoint(path));
    const report = await compareReplicas(copies, engine);
    const findings = [
      ...copies.flatMap(({ checkpoint }) =>
        checkpoint.problems.map((each) => problemFinding(each, 'head', next)),
      ),
      ...report.outcomes.map((outcome) => findingOf(outcome, paths, next)),
    ];
    const coverage = coverageOf(copies, report);
    const [first] = copies;
    return {
      ...header(),
      ...(first ? { checkpoint: checkpointPart(first.checkpoint) } : {}),
      verdict: decide(findings, coverage),
      findings,
      coverage,
    };
  } finally {
    for (const { source } of copies) await source.close();
  }
}
