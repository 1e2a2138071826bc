/** What is wrong with a file, found while it was opened: data, never thrown. */

/** One list; `laika rules` prints it. */
export const problemRules = {
  'file-truncated': 'A file ends before the bytes that it promises.',
  'file-unreadable': 'The storage returned an error for bytes that the file has.',
  'header-invalid': 'A header, directory or metadata record breaks its own format.',
  'checksum-mismatch': 'Stored bytes do not match the checksum that was stored with them.',
  'changed-at-rest':
    'Bytes are not those that were read when the checkpoint was judged, in a file not written since.',
  'tensor-out-of-bounds': 'A tensor claims bytes outside its file or storage.',
  'tensor-overlap': 'Two tensors claim the same bytes although they are not tied.',
  'bytes-unclaimed':
    'Bytes inside the data section belong to no tensor, where the format forbids it.',
  'shape-mismatch': 'Shape and element type do not give the number of bytes that are stored.',
  'shard-missing': 'A file that the checkpoint names is not there.',
  'tensor-missing': 'A tensor that the checkpoint names is not in the file that should hold it.',
  'tensor-unlisted': 'A shard holds a tensor that the index does not list.',
  'shard-stale': 'A shard of another save lies beside this checkpoint.',
  'shard-misplaced': 'A file lies under the name of another one of the same checkpoint.',
  'trailing-bytes': 'Bytes follow the end of the file’s own structure.',
  'dtype-unsupported': 'An element type is not known; its tensor was listed and not read.',
  'hyper-parameter-invalid': 'A stored hyper-parameter is outside its domain, such as a NaN rate.',
  'code-in-pickle': 'A pickle asks for a function call that could run code when it is loaded.',
  'code-in-config': 'A model’s configuration holds code that runs when the model is loaded.',
  'unknown-class-in-pickle': 'A pickle holds an object of a class that Laika does not know.',
  'path-escape': 'A name inside a file points outside the checkpoint.',
  'duplicate-name': 'One name occurs twice: two readers may see different values.',
  'ambiguous-archive': 'Two readers of this archive would read different members.',
  'encoding-invalid': 'Compressed bytes do not decode, or not to the size that was promised.',
  'compression-bomb': 'Compressed bytes inflate past any plausible size.',
  'bool-value': 'A boolean holds a byte other than 0 and 1.',
  note: 'Worth knowing; no fault.',
} as const;

export type ProblemRule = keyof typeof problemRules;

export interface Problem {
  readonly rule: ProblemRule;
  /**
   * damage: the file is not what was written (verdict corrupt);
   * security: it could harm a reader (verdict corrupt);
   * info: said, and the verdict is untouched.
   */
  readonly kind: 'damage' | 'security' | 'info';
  /** Relative to the checkpoint. */
  readonly file: string;
  readonly offset?: number;
  readonly tensor?: string;
  /** One sentence: what was found and what was expected. Names from the file are escaped by who prints. */
  readonly message: string;
}
