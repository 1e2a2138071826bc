/** Builds the result document from a scan. */
import type { Checkpoint } from '../checkpoint/checkpoint.ts';
import type { ErrorDetails } from '../checkpoint/errors.ts';
import type { Tensor } from '../checkpoint/tensor.ts';
import { version } from '../package.ts';
import { finiteCount, l2Of, meanOf, type SummaryRecord, stdOf } from '../records/summary.ts';
import type { ScanOutcome } from '../scan/scan.ts';
import type { CheckpointPart, Coverage, Result, TensorPart } from './result.ts';
import { rulesDigest } from './rules.ts';

/** What every document starts with. */
export function header(): Pick<Result, 'schema' | 'laika'> {
  return { schema: 'laika.result/1', laika: { version, rules: rulesDigest } };
}

/** A document for a check that could not be made. */
export function errorDocument(error: ErrorDetails): Result {
  return { ...header(), verdict: 'unverified', findings: [], error };
}

export function checkpointPart(checkpoint: Checkpoint): CheckpointPart {
  const { path, layout, step, complete, optimizers } = checkpoint;
  return {
    path,
    layout,
    step,
    complete,
    optimizers: optimizers.map(({ kind, groups, parameters }) => ({
      kind,
      groups: groups.map(({ hyper, keys }) => ({ ...hyper, parameters: keys })),
      steps: Object.fromEntries(
        parameters.filter(({ step: own }) => own !== null).map(({ key, step: own }) => [key, own]),
      ),
    })),
  };
}

export function coverageOf(outcome: ScanOutcome, checkpoint: Checkpoint): Coverage {
  return {
    bytes: checkpoint.files.reduce((sum, file) => sum + file.sizeBytes, 0),
    bytes_read: outcome.bytesRead,
    ...(outcome.bytesRecalled > 0 ? { bytes_recalled: outcome.bytesRecalled } : {}),
    rules: outcome.coverage.rules().map(({ rule, elements, of, unknown }) => ({
      rule,
      elements,
      of,
      unknown: [...unknown].map(([reason, count]) => ({ reason, elements: count })),
    })),
  };
}

function statistics(record: SummaryRecord): Partial<TensorPart> {
  const complex = record.dtype === 'c32' || record.dtype === 'c64' || record.dtype === 'c128';
  const empty = finiteCount(record) === 0;
  return {
    nan: record.nan,
    inf: record.positiveInfinity + record.negativeInfinity,
    zero: record.zeros,
    denormal: record.denormals,
    ...(complex
      ? {}
      : {
          min: empty ? null : record.min,
          max: empty ? null : record.max,
          mean: empty ? null : meanOf(record),
          std: empty ? null : stdOf(record),
        }),
    l2: l2Of(record),
  };
}

/** Tensors as the files name them: one that is judged in parts is listed whole. */
export function listedTensors({ tensors, wholes = [] }: Checkpoint): readonly Tensor[] {
  return [...tensors.filter(({ partOf }) => partOf === undefined), ...wholes];
}

/** Where `name` tells files apart, the owner's name does so in the same way. */
function parameterInFile({ name, nameInFile, parameter }: Tensor): string | null {
  const added = nameInFile === undefined ? '' : name.slice(nameInFile.length);
  if (parameter === null || added === '' || !parameter.endsWith(added)) return parameter;
  return parameter.slice(0, -added.length);
}

/** One line of `inspect`; a tensor that repeats another's storage has its numbers. */
export function tensorPart(tensor: Tensor, outcome: ScanOutcome): TensorPart {
  const named = tensor.aliasOf ?? tensor.name;
  const record = outcome.summaries.head.get(named);
  const sha256 = outcome.sha256.get(named);
  return {
    name: tensor.nameInFile ?? tensor.name,
    role: tensor.role,
    parameter: parameterInFile(tensor),
    mapping: tensor.mapping,
    ...(tensor.aliasOf === null ? {} : { alias_of: tensor.aliasOf }),
    file: tensor.file,
    dtype: tensor.storedDtype ?? tensor.dtype,
    shape: tensor.shape,
    elements: tensor.elements,
    ...(record ? statistics(record) : {}),
    ...(sha256 === undefined ? {} : { sha256 }),
    ...(tensor.placement.kind === 'absent' ? { unread: tensor.placement.reason } : {}),
  };
}
