/**
 * Metrics as CSV, as Lightning's CSVLogger writes them: one row for what was logged together, empty
 * cells for the rest. Its `step` counts batches that stepped before the row was written: row n is
 * about the update from n to n + 1, and a rate in it is that update's, or the next one's where it was
 * logged behind the scheduler.
 */
import { LaikaError } from '../checkpoint/errors.ts';
import type { Source, SourceFile } from '../sources/source.ts';
import { linesOf } from './log-lines.ts';
import { logPlace } from './log-place.ts';
import { lineOf, stepOf } from './metric-names.ts';
import type { TrainerLog } from './trainer-state.ts';
import { anyOffset, joinLines, type LogLine, loggerOffsets } from './training-log.ts';

const logBytesMost = 1024 * 1024 * 1024;

const columnsMost = 10_000;

const lineBytesMost = 1024 * 1024;

/**
 * Rows by step; later rows about a step add to it, and what comes last counts.
 * @throws LaikaError `log-invalid` with the line's number, `limit-exceeded`; as `Source.read`.
 */
export async function readMetricsCsv(source: Source, file: SourceFile): Promise<TrainerLog> {
  const where = logPlace(source, file);
  if (file.sizeBytes > logBytesMost) {
    const what = `The training log has more than ${logBytesMost} bytes`;
    throw new LaikaError({ code: 'limit-exceeded', what, where });
  }
  const lines = new Map<number, LogLine>();
  let header: Header | null = null;
  for await (const { bytes, number, isEnded } of linesOf(source, file)) {
    if (bytes.length > lineBytesMost) throw invalid(`${where}: line ${number}`, 'it is too long');
    const cells = cellsOf(Buffer.from(bytes).toString('utf8').replace(/\r$/, ''));
    const at = `${where}: line ${number}`;
    if (cells?.length === 1 && cells[0] === '') continue;
    // A trainer that is started again may write its header again.
    if (cells && (!header || cells.includes(header.stepName))) header = headerOf(cells, at);
    else if (!cells || !header || cells.length !== header.names.length) {
      if (!isEnded) continue;
      throw invalid(at, cells ? `it has ${cells.length} cells` : 'a quote is not closed');
    } else if (isEnded) {
      const row = rowOf(header.names, cells);
      const step = stepOf(row);
      if (step !== null) lines.set(step, joinLines(lineOf(row), lines.get(step) ?? null));
    }
  }
  if (!header) throw invalid(`${where}: line 1`, 'it has no header');
  return { lines, lrIsOfStep: false, updateOffsets: header.isLoggers ? loggerOffsets : anyOffset };
}

interface Header {
  readonly names: readonly string[];
  readonly stepName: string;
  /** Lightning's logger always writes both columns. */
  readonly isLoggers: boolean;
}

/** @throws LaikaError `log-invalid`, `limit-exceeded`. */
function headerOf(cells: readonly string[], where: string): Header {
  if (cells.length > columnsMost) {
    const what = `The training log has more than ${columnsMost} columns`;
    throw new LaikaError({ code: 'limit-exceeded', what, where });
  }
  const names = cells.map((cell, i) => (i === 0 ? cell.replace(/^\uFEFF/, '') : cell).trim());
  const stepName = names.find((name) => stepOf(new Map([[name, 0]])) !== null);
  if (stepName === undefined) throw invalid(where, 'no column is called step');
  return { names, stepName, isLoggers: names.includes('epoch') && names.includes('step') };
}

function rowOf(names: readonly string[], cells: readonly string[]): Map<string, number> {
  const row = new Map<string, number>();
  names.forEach((name, i) => {
    const value = numberOf((cells[i] as string).trim());
    if (value !== null) row.set(name, value);
  });
  return row;
}

const decimal = /^[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?$/i;

/** A number as Python prints it; null for an empty cell and for text. */
function numberOf(cell: string): number | null {
  if (decimal.test(cell)) return Number(cell);
  if (/^[+-]?nan$/i.test(cell)) return Number.NaN;
  const infinite = /^([+-]?)inf(?:inity)?$/i.exec(cell);
  return infinite ? (infinite[1] === '-' ? -Infinity : Infinity) : null;
}

/** Cells of one line; null where a quote is not closed. */
function cellsOf(line: string): string[] | null {
  if (!line.includes('"')) return line.split(',');
  const cells: string[] = [];
  for (let at = 0; ; ) {
    const end = line[at] === '"' ? quotedEnd(line, at) : endOf(line, at);
    if (end === null) return null;
    const cell = line.slice(at, end);
    cells.push(cell.startsWith('"') ? cell.slice(1, -1).replaceAll('""', '"') : cell);
    if (end >= line.length) return cells;
    at = end + 1;
  }
}

function endOf(line: string, from: number): number {
  const comma = line.indexOf(',', from);
  return comma < 0 ? line.length : comma;
}

/** Behind the quote that closes the cell; two quotes are one of its characters. */
function quotedEnd(line: string, from: number): number | null {
  for (let at = line.indexOf('"', from + 1); at >= 0; at = line.indexOf('"', at + 2)) {
    const next = line[at + 1];
    if (next !== '"') return next === undefined || next === ',' ? at + 1 : null;
  }
  return null;
}

function invalid(where: string, why: string): LaikaError {
  return new LaikaError({
    code: 'log-invalid',
    what: 'The training log has a line that cannot be read',
    where,
    why,
    next: 'give a metrics.csv with a column called step, or a log with one JSON object a line',
  });
}
