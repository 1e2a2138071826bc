/**
 * A short, safe rendering of pickled values for messages: never the whole, never a control
 * character.
 */
import { isTagged, type PickleValue, qualifiedName } from './values.ts';

const maxPreview = 120;

/** Replaces everything that could move a cursor or turn text around. */
export function escapeText(text: string): string {
  return text.replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be shown
    /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function previewAtom(value: PickleValue): string {
  if (typeof value === 'string') {
    const cut = value.length > maxPreview ? `${value.slice(0, maxPreview)}…` : value;
    return `'${escapeText(cut)}'`;
  }
  if (value === null) return 'None';
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (!isTagged(value)) return String(value);
  if (value.kind === 'global') return escapeText(qualifiedName(value)).slice(0, maxPreview);
  if (value.kind === 'list' || value.kind === 'tuple')
    return `${value.kind} of ${value.items.length}`;
  if (value.kind === 'dict') return `dict of ${value.entries.size}`;
  return value.kind;
}

/** `('echo hello', None)`: the arguments of a call, cut to about 120 characters. */
export function previewArguments(args: readonly PickleValue[]): string {
  const shown: string[] = [];
  let length = 0;
  for (const arg of args) {
    const text = previewAtom(arg);
    length += text.length;
    if (length > maxPreview && shown.length > 0) break;
    shown.push(text);
  }
  return `(${shown.join(', ')}${shown.length < args.length ? ', …' : ''})`;
}
