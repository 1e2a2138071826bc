/** Numbers and paragraphs for people. */

/** 1234567 → `1,234,567`. */
export function grouped(value: number): string {
  // A locale costs 40 ms to load, more than everything else that is printed.
  const [whole = '', fraction] = String(value).split('.');
  const groups = whole.replace(/\B(?=(?:[0-9]{3})+$)/g, ',');
  return fraction === undefined ? groups : `${groups}.${fraction}`;
}

/** Bytes in the unit that reads best. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** A share that never rounds up to 100 % or down to 0 %. */
export function percentText(part: number, whole: number): string {
  if (whole === 0) return '-';
  if (part === whole) return '100 %';
  const share = (100 * part) / whole;
  if (part === 0) return '0 %';
  return `${Math.min(99.9, Math.max(0.1, share)).toFixed(1)} %`;
}

/** Breaks text into lines of at most `width` characters; a longer word gets a line of its own. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}
