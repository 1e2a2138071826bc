/** The one error class: what, where, why and what next. Bad input ends here, never in a stack trace. */

/** Stable codes; each has a line in docs/errors.md. */
export type ErrorCode =
  | 'path-missing'
  | 'path-unreadable'
  | 'bytes-damaged'
  | 'not-a-checkpoint'
  | 'no-checkpoints'
  | 'limit-exceeded'
  | 'changed-while-reading'
  | 'arguments-invalid'
  | 'engine-unavailable'
  | 'state-locked'
  | 'state-invalid'
  | 'log-invalid'
  | 'connection-failed'
  | 'result-invalid';

export interface ErrorDetails {
  readonly code: ErrorCode;
  /** What went wrong, a sentence without a full stop. */
  readonly what: string;
  /** File, address or flag. */
  readonly where: string;
  readonly why?: string;
  /** `bytes-damaged`: the bytes. `path` is the source's, `file` its own name for the file. */
  readonly bytes?: { readonly path: string; readonly file: string; readonly offset: number };
  /** The command or step that helps. */
  readonly next?: string;
}

export class LaikaError extends Error {
  readonly code: ErrorCode;
  readonly details: ErrorDetails;

  constructor(details: ErrorDetails, options?: { cause?: unknown }) {
    super(`${details.what}: ${details.where}${details.why ? ` (${details.why})` : ''}`, options);
    this.name = 'LaikaError';
    this.code = details.code;
    this.details = details;
  }
}

/** Narrows without `instanceof`, which fails across bundles. */
export function isLaikaError(error: unknown, ...codes: ErrorCode[]): error is LaikaError {
  return (
    error instanceof Error &&
    error.name === 'LaikaError' &&
    (codes.length === 0 || codes.includes((error as LaikaError).code))
  );
}
