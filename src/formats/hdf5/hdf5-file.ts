/** An HDF5 file: its groups walked, its arrays placed, nothing copied. */
import { LaikaError } from '../../checkpoint/errors.ts';
import type { Problem } from '../../checkpoint/problem.ts';
import type { Source } from '../../sources/source.ts';
import { ProblemList } from '../problem-list.ts';
import { readTexts } from './attributes.ts';
import { type ArrayData, readData } from './data-layout.ts';
import { type Datatype, readDataspace, readDatatype } from './datatype.ts';
import { readLinks } from './group-links.ts';
import { Hdf5Bytes, Hdf5Fault, type Hdf5Place } from './hdf5-bytes.ts';
import { type Message, messageTypes, readObjectHeader } from './object-header.ts';
import { readSuperblock } from './superblock.ts';

export type Texts = ReadonlyMap<string, readonly string[]>;

export interface Hdf5Array {
  /** Names of the groups and its own, joined by slashes. */
  readonly path: string;
  /** Of its header: headers are written in the order in which arrays are made. */
  readonly header: number;
  readonly type: Datatype;
  readonly shape: readonly bigint[];
  readonly data: ArrayData;
  readonly texts: Texts;
}

export interface Hdf5File {
  readonly arrays: readonly Hdf5Array[];
  /** Attributes of groups by path; the root has the empty one. */
  readonly groups: ReadonlyMap<string, Texts>;
  readonly problems: readonly Problem[];
  /** The file ends where it says. */
  readonly isWhole: boolean;
}

const objectsMost = 1_000_000;
const pathMost = 8192;

interface Pending {
  readonly path: string;
  readonly address: number;
}

/** @throws LaikaError `limit-exceeded`; as `Source.read`. */
export async function readHdf5(source: Source, place: Hdf5Place): Promise<Hdf5File> {
  return new Walker(new Hdf5Bytes(source, place)).walk();
}

class Walker {
  readonly #bytes: Hdf5Bytes;
  readonly #problems = new ProblemList();
  readonly #arrays: Hdf5Array[] = [];
  readonly #groups = new Map<string, Texts>();
  #isWhole = true;

  constructor(bytes: Hdf5Bytes) {
    this.#bytes = bytes;
  }

  async walk(): Promise<Hdf5File> {
    try {
      const { root, endAddress } = await readSuperblock(this.#bytes);
      this.#compareEnd(endAddress);
      await this.#visitAll(root);
    } catch (error) {
      this.#keep(error, null);
    }
    return {
      arrays: this.#arrays,
      groups: this.#groups,
      problems: this.#problems.toArray(),
      isWhole: this.#isWhole,
    };
  }

  #add(problem: Omit<Problem, 'file'>): void {
    this.#problems.add({ ...problem, file: this.#bytes.place.file });
  }

  /** Faults become problems of the object that has them; all else is thrown on. */
  #keep(error: unknown, path: string | null): void {
    if (!(error instanceof Hdf5Fault)) throw error;
    const { rule, address, message } = error;
    if (rule === 'file-truncated') this.#isWhole = false;
    const tensor = path ? { tensor: path } : {};
    this.#add({ rule, kind: 'damage', ...this.#offset(address), ...tensor, message });
  }

  #offset(address: number): { offset: number } {
    return { offset: this.#bytes.place.offset + address };
  }

  #compareEnd(end: number): void {
    const { sizeBytes } = this.#bytes.place;
    if (end === sizeBytes) return;
    this.#isWhole = end < sizeBytes;
    const rule = this.#isWhole ? 'trailing-bytes' : 'file-truncated';
    const message = `it should end at byte ${end}; it has ${sizeBytes}`;
    this.#add({ rule, kind: 'damage', ...this.#offset(Math.min(end, sizeBytes)), message });
  }

  async #visitAll(root: number): Promise<void> {
    const pending: Pending[] = [{ path: '', address: root }];
    const seen = new Map<number, string>();
    for (let next = pending.pop(); next; next = pending.pop()) {
      const { path, address } = next;
      if (seen.has(address)) {
        const message = `${JSON.stringify(path)} is ${JSON.stringify(seen.get(address))} once more`;
        this.#add({ rule: 'note', kind: 'info', ...this.#offset(address), message });
        continue;
      }
      seen.set(address, path);
      if (seen.size > objectsMost) throw this.#tooMany();
      try {
        pending.push(...(await this.#visit(next)).reverse());
      } catch (error) {
        this.#keep(error, path);
      }
    }
  }

  #tooMany(): LaikaError {
    const what = `The file holds more than ${objectsMost} objects`;
    return new LaikaError({ code: 'limit-exceeded', what, where: this.#bytes.place.file });
  }

  /** Objects below a group; none below an array. */
  async #visit({ path, address }: Pending): Promise<Pending[]> {
    const messages = await readObjectHeader(this.#bytes, address);
    const texts = await readTexts(this.#bytes, messages);
    const found = await readLinks(this.#bytes, messages);
    if (!found) {
      await this.#array(path, address, { messages, texts });
      return [];
    }
    this.#groups.set(path, texts);
    const below: Pending[] = [];
    for (const link of found) {
      const inside = path === '' ? link.name : `${path}/${link.name}`;
      if (link.kind !== 'object') this.#otherLink(inside, address, link);
      else if (inside.length <= pathMost) below.push({ path: inside, address: link.address });
    }
    return below;
  }

  #otherLink(
    inside: string,
    address: number,
    { kind, path }: { kind: 'soft' | 'external'; path: string },
  ): void {
    const where = `${JSON.stringify(inside)} is a link to ${JSON.stringify(path)}`;
    if (kind === 'soft') {
      const message = `${where}, which was not followed`;
      this.#add({ rule: 'note', kind: 'info', ...this.#offset(address), message });
      return;
    }
    const message = `${where} in another file, which was not opened`;
    this.#add({ rule: 'path-escape', kind: 'security', ...this.#offset(address), message });
  }

  async #array(
    path: string,
    header: number,
    of: { messages: readonly Message[]; texts: Texts },
  ): Promise<void> {
    const body = (type: number) => of.messages.find((message) => message.type === type);
    const [space, type] = [body(messageTypes.dataspace), body(messageTypes.datatype)];
    // Without both it is a named type, or an object of no use here.
    if (!space || !type) return;
    if (body(messageTypes.externalFiles)) {
      const message = 'its data is said to lie in another file, which was not opened';
      const at = this.#offset(header);
      this.#add({ rule: 'path-escape', kind: 'security', ...at, tensor: path, message });
      return;
    }
    const shape = readDataspace(space.body);
    const datatype = type.isShared ? null : readDatatype(type.body);
    if (!shape || !datatype) {
      const message = 'its type or shape is shared or none, and was not read';
      this.#add({
        rule: 'dtype-unsupported',
        kind: 'info',
        ...this.#offset(header),
        tensor: path,
        message,
      });
      return;
    }
    const elementBytes = datatype.sizeBytes;
    const data = await readData(this.#bytes, of.messages, { shape, elementBytes });
    this.#arrays.push({ path, header, type: datatype, shape, data, texts: of.texts });
  }
}
