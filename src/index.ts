/** The library: judge checkpoints from a program. Everything else is private. */
export type { Checkpoint } from './checkpoint/checkpoint.ts';
export { isLaikaError, LaikaError } from './checkpoint/errors.ts';
export type { Tensor } from './checkpoint/tensor.ts';
export { openEngine } from './engines/choose.ts';
export type { Engine } from './engines/engine.ts';
export { openCheckpoint } from './formats/open-checkpoint.ts';
export { findLogs } from './logs/find-logs.ts';
export { readLogs } from './logs/read-logs.ts';
export { version } from './package.ts';
export { decodeNumber, encodeJson } from './records/numbers.ts';
export type { ScanOptions } from './scan/options.ts';
export { useS3Settings } from './sources/open-path.ts';
export type { S3Settings } from './sources/s3.ts';
export { type JudgeRequest, judge } from './verdict/judge.ts';
export type { Finding, Result, Verdict } from './verdict/result.ts';
export { type Rule, rules } from './verdict/rules.ts';
