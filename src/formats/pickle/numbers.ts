/** Numbers and text as protocols 0 to 5 spell them. */
import { Buffer } from 'node:buffer';
import { maxDecimalDigits } from './limits.ts';

/** Integers inside ±2^53 become numbers, so that equal keys are equal. */
export function narrow(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

/** Little-endian two's complement of any length; no bytes are 0. */
export function decodeLong(bytes: Uint8Array): number | bigint {
  const { length } = bytes;
  if (length === 0) return 0;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, length);
  if (length <= 6) return buffer.readIntLE(0, length);
  const negative = ((bytes[length - 1] as number) & 0x80) !== 0;
  // Hexadecimal text converts in linear time; adding byte by byte would not.
  const magnitude = BigInt(`0x${Buffer.from(buffer).reverse().toString('hex')}`);
  return narrow(negative ? magnitude - (1n << BigInt(8 * length)) : magnitude);
}

/** Decimal text, or null where it is none. */
export function parseDecimal(text: string): number | bigint | null {
  if (text.length > maxDecimalDigits || !/^[+-]?[0-9]+$/.test(text)) return null;
  return narrow(BigInt(text.startsWith('+') ? text.slice(1) : text));
}

/** Python's text of a float, or null. */
export function parseFloatText(text: string): number | null {
  const word = text.toLowerCase();
  if (/^[+-]?nan$/.test(word)) return Number.NaN;
  if (/^[+-]?inf(inity)?$/.test(word)) return word.startsWith('-') ? -Infinity : Infinity;
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/.test(word)) return null;
  return Number(word);
}

/** `raw-unicode-escape`: `\uXXXX` and `\UXXXXXXXX`, everything else as it is. */
export function decodeRawUnicode(text: string): string {
  return text.replace(/\\u([0-9a-fA-F]{4})|\\U([0-9a-fA-F]{8})/g, (all, short, long) => {
    const code = Number.parseInt(short ?? long, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}

const escapes: ReadonlyMap<string, string> = new Map([
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
  ['a', '\x07'],
  ['b', '\b'],
  ['f', '\f'],
  ['v', '\v'],
]);

/** A quoted Python 2 string with its escapes, or null where the quotes do not match. */
export function decodeQuoted(text: string): string | null {
  const trimmed = text.trim();
  const quote = trimmed[0];
  if (trimmed.length < 2 || (quote !== "'" && quote !== '"') || trimmed.at(-1) !== quote) {
    return null;
  }
  return trimmed.slice(1, -1).replace(/\\(x[0-9a-fA-F]{2}|[0-7]{1,3}|.)/g, (_all, code: string) => {
    if (/^x../.test(code)) return String.fromCharCode(Number.parseInt(code.slice(1), 16));
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff);
    return escapes.get(code) ?? code;
  });
}
