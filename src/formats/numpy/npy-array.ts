/** One NumPy array in a file or in a member of an archive: listed as a tensor, its data untouched. */
import type { Problem } from '../../checkpoint/problem.ts';
import { type Placement, type Tensor, unowned } from '../../checkpoint/tensor.ts';
import type { Source } from '../../sources/source.ts';
import { pickleProblems } from '../pickle/pickle-problems.ts';
import { readPickle } from '../pickle/read-pickle.ts';
import { roleByName } from '../tensor-role.ts';
import {
  isNpy,
  type NpyFault,
  type NpyHeader,
  npyPreambleBytes,
  readNpyHeader,
  readNpyPreamble,
} from './npy-header.ts';

/** Where the bytes of an array lie. */
export interface ArrayPlace {
  /** As placements call it. */
  readonly file: string;
  /** First byte of the array's own file in it. */
  readonly offset: number;
  readonly sizeBytes: number;
}

export interface ArrayReading {
  /** Null: nothing that could be listed; `problems` says why. */
  readonly tensor: Tensor | null;
  readonly problems: readonly Problem[];
  /** The bytes end where the header says that they do. */
  readonly isWhole: boolean;
  /** Bytes from the array's own first one to another array behind it; null where none follows. */
  readonly next: number | null;
}

/** `listedIn` is the real file, which the user knows. */
export interface ArrayName {
  readonly name: string;
  readonly listedIn: string;
}

/**
 * Lists the array at `place`. What is wrong with it is data.
 * @throws LaikaError `limit-exceeded` (a pickle past its limits); as `Source.read`.
 */
export async function readNpyArray(
  source: Source,
  place: ArrayPlace,
  as: ArrayName,
): Promise<ArrayReading> {
  const head = await readPart(source, place, 0, npyPreambleBytes);
  const preamble = readNpyPreamble(head, place.sizeBytes);
  if ('rule' in preamble) return refused(preamble, place, as);
  const { textOffset, dataOffset } = preamble;
  const text = await readPart(source, place, textOffset, dataOffset - textOffset);
  const header = readNpyHeader(text, textOffset);
  if ('rule' in header) return refused(header, place, as);
  if (header.isObject) return readObjects(source, { place, dataOffset }, as);
  return listed(source, { place, dataOffset, header }, as);
}

async function readPart(
  source: Source,
  { file, offset, sizeBytes }: ArrayPlace,
  from: number,
  length: number,
): Promise<Uint8Array> {
  const part = new Uint8Array(Math.max(0, Math.min(length, sizeBytes - from)));
  await source.read(file, offset + from, part);
  return part;
}

function problem(fault: NpyFault, place: ArrayPlace, { name, listedIn }: ArrayName): Problem {
  const { rule, kind, message } = fault;
  // An offset in decoded bytes says nothing about the file.
  const at = place.file === listedIn ? { offset: place.offset + fault.offset } : {};
  return { rule, kind, file: listedIn, tensor: name, ...at, message };
}

function refused(fault: NpyFault, place: ArrayPlace, as: ArrayName): ArrayReading {
  const isWhole = fault.rule !== 'file-truncated';
  return { tensor: null, problems: [problem(fault, place, as)], isWhole, next: null };
}

/** An array of objects is a pickle: read as data for what it would ask of a loader. */
async function readObjects(
  source: Source,
  { place, dataOffset }: { place: ArrayPlace; dataOffset: number },
  { name, listedIn }: ArrayName,
): Promise<ArrayReading> {
  const sizeBytes = place.sizeBytes - dataOffset;
  const bytes = await readPart(source, place, dataOffset, sizeBytes);
  const offset = place.file === listedIn ? place.offset + dataOffset : null;
  const found = pickleProblems(readPickle(bytes, listedIn), { file: listedIn, offset, sizeBytes });
  const message = 'it is an array of objects, stored as a pickle: no tensor';
  const note: Problem = { rule: 'note', kind: 'info', file: listedIn, tensor: name, message };
  return { tensor: null, problems: [...found, note], isWhole: true, next: null };
}

interface Listing {
  readonly place: ArrayPlace;
  readonly dataOffset: number;
  readonly header: NpyHeader;
}

async function listed(source: Source, found: Listing, as: ArrayName): Promise<ArrayReading> {
  const { header, place, dataOffset } = found;
  const stored = place.sizeBytes - dataOffset;
  const { dtype, sizeBytes } = header;
  const faults: NpyFault[] = [];
  if (sizeBytes !== null && sizeBytes > stored) {
    const message = `its shape (${header.shape.join(', ')}) of ${header.descr} takes ${sizeBytes} bytes; ${stored} are there`;
    faults.push({ rule: 'file-truncated', kind: 'damage', offset: dataOffset, message });
  }
  const problems = faults.map((fault) => problem(fault, place, as));
  const isWhole = faults.length === 0;
  const rest = isWhole ? await restOf(source, found, as) : noRest;
  if (rest.problem) problems.push(rest.problem);
  const { next } = rest;
  if (dtype === null)
    return { tensor: null, problems: [...problems, unsupported(header, as)], isWhole, next };
  // A size that no file of this length could hold is a lie, and not worth a line.
  const placement: Placement = isWhole
    ? placementOf(found)
    : { kind: 'absent', reason: 'its bytes are past the end of the file' };
  const { shape, elements } = header;
  const { name, listedIn: file } = as;
  const role = roleByName(name, dtype);
  const tensor = { name, role, ...unowned, file, dtype, shape, elements, placement };
  return { tensor, problems, isWhole, next };
}

function unsupported({ descr }: NpyHeader, { name, listedIn }: ArrayName): Problem {
  const message = `its elements are ${JSON.stringify(descr)}, which are not read`;
  return { rule: 'dtype-unsupported', kind: 'info', file: listedIn, tensor: name, message };
}

interface Rest {
  readonly next: number | null;
  readonly problem: Problem | null;
}

const noRest: Rest = { next: null, problem: null };

/** `np.save` twice on one open file leaves two arrays in it; anything else does not belong there. */
async function restOf(
  source: Source,
  { place, dataOffset, header }: Listing,
  as: ArrayName,
): Promise<Rest> {
  if (header.sizeBytes === null) return noRest;
  const end = dataOffset + header.sizeBytes;
  const bytes = place.sizeBytes - end;
  if (bytes <= 0) return noRest;
  if (isNpy(await readPart(source, place, end, 6))) return { next: end, problem: null };
  const { file } = place;
  const at = file === as.listedIn ? { offset: place.offset + end } : {};
  const message = `${bytes} bytes follow the end of the array`;
  const where = { file: as.listedIn, tensor: as.name, ...at };
  return { next: null, problem: { rule: 'trailing-bytes', kind: 'damage', ...where, message } };
}

function placementOf({ place, dataOffset, header }: Listing): Placement {
  const { shape, elements, fortranOrder } = header;
  const { file } = place;
  if (elements === 0) return { kind: 'dense', pieces: [] };
  const offset = place.offset + dataOffset;
  const isRowMajor = !fortranOrder || shape.filter((size) => size !== 1).length <= 1;
  if (isRowMajor && !header.bigEndian)
    return { kind: 'dense', pieces: [{ file, offset, elements }] };
  return {
    kind: 'strided',
    file,
    offset,
    strides: stridesOf(shape, !isRowMajor),
    extentBytes: header.sizeBytes as number,
    ...(header.bigEndian ? { bigEndian: true } : {}),
  };
}

/** In elements; `columnMajor`: the first index runs fastest. */
function stridesOf(shape: readonly number[], columnMajor: boolean): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let i = 0; i < shape.length; i += 1) {
    const dimension = columnMajor ? i : shape.length - 1 - i;
    strides[dimension] = stride;
    stride *= shape[dimension] as number;
  }
  return strides;
}
