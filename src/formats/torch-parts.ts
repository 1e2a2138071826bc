/** Files of torch.save that make up one checkpoint: read one after the other, their faults together. */
import type { SchedulerState, StoredChecksum } from '../checkpoint/checkpoint.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { ProblemList } from './problem-list.ts';
import { schedulersIn } from './torch-zip/scheduler-state.ts';
import { readTorchFile, type TorchFile } from './torch-zip/torch-file.ts';

export class TorchParts {
  readonly source: Source;
  /** Files that were read, in that order. */
  readonly files: SourceFile[] = [];
  readonly checksums: StoredChecksum[] = [];
  readonly problems = new ProblemList();
  readonly #schedulers: SchedulerState[] = [];
  #isWhole = true;

  constructor(source: Source) {
    this.source = source;
  }

  /** Every file that was read is whole. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** States of schedulers in the files whose schedulers were asked for. */
  get schedulers(): readonly SchedulerState[] {
    return this.#schedulers;
  }

  /**
   * Reads one file; null for an archive of something else, which is damage here.
   * @throws LaikaError `limit-exceeded`; as `Source.read`.
   */
  async read(file: SourceFile): Promise<TorchFile | null> {
    this.files.push(file);
    const torch = await readTorchFile(this.source, file.name, file.sizeBytes);
    this.problems.addAll(torch.problems);
    if (torch.isForeign) {
      const message = 'it is a zip archive without the data.pkl that torch.save writes';
      this.problems.add({ rule: 'header-invalid', kind: 'damage', file: file.name, message });
      return null;
    }
    for (const checksum of torch.checksums) this.checksums.push(checksum);
    this.#isWhole = this.#isWhole && torch.isWhole;
    return torch;
  }

  /** Takes the schedulers' states of a file that was read. */
  takeSchedulers({ containers }: TorchFile): void {
    this.#schedulers.push(...schedulersIn(containers));
  }
}
