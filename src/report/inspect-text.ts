/** `laika inspect` for a terminal: one line a tensor, then what the optimizers say of themselves. */
import { namesSnippet } from '../formats/parameter-names.ts';
import type { Result, TensorPart } from '../verdict/result.ts';
import { escapeText } from './escape.ts';
import { grouped } from './wording.ts';

function short(value: number | bigint | null | undefined): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'bigint') return value.toString();
  if (Number.isInteger(value) && Math.abs(value) < 1e6) return String(value);
  return value.toPrecision(4);
}

function line(tensor: TensorPart): string[] {
  const owner = tensor.alias_of ? ` = ${escapeText(tensor.alias_of)}` : '';
  const title = `  ${escapeText(tensor.name)}${owner}`;
  const kind = `${tensor.role}, ${tensor.dtype} [${tensor.shape.join(', ')}]`;
  const odd = [
    tensor.nan ? `${grouped(tensor.nan)} NaN` : '',
    tensor.inf ? `${grouped(tensor.inf)} Inf` : '',
    tensor.unread ? `not read: ${tensor.unread}` : '',
  ].filter(Boolean);
  const numbers =
    tensor.unread || tensor.alias_of
      ? []
      : [
          `min ${short(tensor.min)}`,
          `max ${short(tensor.max)}`,
          `mean ${short(tensor.mean)}`,
          `std ${short(tensor.std)}`,
        ];
  const details = [...numbers, ...odd].join('  ');
  const fits = title.length + kind.length + 2 <= 80;
  return [
    ...(fits ? [`${title}  ${kind}`] : [title, `      ${kind}`]),
    ...(details === '' ? [] : [`      ${details}`]),
  ];
}

const stateRoles: ReadonlySet<string> = new Set(['first-moment', 'second-moment', 'momentum']);

/** How to tell whose state it is, where the files do not. */
function ownerlessLines(tensors: readonly TensorPart[]): string[] {
  const open = tensors.filter(({ role, parameter }) => stateRoles.has(role) && parameter === null);
  if (open.length === 0) return [];
  return [
    '',
    `  ${grouped(open.length)} tensors of optimizer state have no known parameter; this, run where the`,
    '  optimizer is built, writes a file for --names:',
    '',
    ...namesSnippet.map((code) => `    ${code}`),
  ];
}

/** The listing; ends in a newline. */
export function renderInspection(result: Result): string {
  const { checkpoint, tensors = [] } = result;
  if (!checkpoint) return '';
  const step = checkpoint.step === null ? 'step unknown' : `step ${checkpoint.step}`;
  const elements = tensors.reduce((sum, { elements: n }) => sum + n, 0);
  const lines = [
    `${escapeText(checkpoint.path)}`,
    `  ${checkpoint.layout}, ${step}, ${grouped(tensors.length)} tensors, ${grouped(elements)} elements`,
    '',
    ...tensors.flatMap(line),
  ];
  for (const optimizer of checkpoint.optimizers) {
    lines.push('', `  optimizer ${optimizer.kind ?? 'of unknown class'}`);
    optimizer.groups.forEach(({ parameters, ...hyper }, i) => {
      const known = ['lr', 'betas', 'eps', 'weight_decay', 'momentum'].filter(
        (key) => key in hyper,
      );
      const words = known.map((key) => `${key} ${JSON.stringify(hyper[key])}`);
      lines.push(`    group ${i}: ${parameters.length} parameters, ${words.join(', ')}`);
    });
  }
  lines.push(...ownerlessLines(tensors));
  lines.push('', `  next: laika validate ${escapeText(checkpoint.path, true)}`);
  return `${lines.join('\n')}\n`;
}
