/** Names and messages from files, made safe to show: no control or direction character gets out. */

const longest = 256;

/** Code ranges that a terminal or a reader would act on instead of showing. */
const unsafeRanges: readonly (readonly [number, number])[] = [
  [0x00, 0x1f], // C0
  [0x7f, 0x9f], // DEL and C1
  [0x61c, 0x61c], // direction marks
  [0x200e, 0x200f],
  [0x2028, 0x2029], // line and paragraph separators
  [0x202a, 0x202e], // embeddings and overrides
  [0x2066, 0x2069], // isolates
  [0xfeff, 0xfeff],
];

function isUnsafe(code: number): boolean {
  return unsafeRanges.some(([first, last]) => code >= first && code <= last);
}

/** Text for one line of a terminal or report; at most 256 characters unless `whole`. */
export function escapeText(text: string, whole = false): string {
  const cut = !whole && text.length > longest;
  let safe = '';
  for (const character of cut ? text.slice(0, longest - 1) : text) {
    const code = character.charCodeAt(0);
    safe += isUnsafe(code) ? `\\u${code.toString(16).padStart(4, '0')}` : character;
  }
  return cut ? `${safe}…` : safe;
}
