/** What a file is that is no checkpoint, told from its first bytes, and what to do about it. */

export interface ContentKind {
  /** With its article: `a git-lfs pointer`. */
  readonly what: string;
  readonly next: string;
}

interface Signature extends ContentKind {
  readonly bytes: string;
  readonly offset?: number;
}

const unpack = (command: string) => `unpack it (${command}) and validate what comes out`;
const wrongFile = 'name the checkpoint; this file is something else';

/** Bytes as latin-1 text. */
const signatures: readonly Signature[] = [
  { bytes: '\x1f\x8b\x08', what: 'a gzip archive', next: unpack('gunzip -k FILE') },
  { bytes: '\x28\xb5\x2f\xfd', what: 'a zstd archive', next: unpack('unzstd FILE') },
  { bytes: '\xfd7zXZ\0', what: 'an xz archive', next: unpack('unxz -k FILE') },
  { bytes: 'BZh', what: 'a bzip2 archive', next: unpack('bunzip2 -k FILE') },
  { bytes: '\x04\x22\x4d\x18', what: 'an lz4 archive', next: unpack('unlz4 FILE') },
  { bytes: '7z\xbc\xaf\x27\x1c', what: 'a 7z archive', next: unpack('7z x FILE') },
  { bytes: 'ustar', offset: 257, what: 'a tar archive', next: unpack('tar -xf FILE') },
  { bytes: '\x89PNG\r\n', what: 'a PNG picture', next: wrongFile },
  { bytes: '\xff\xd8\xff', what: 'a JPEG picture', next: wrongFile },
  { bytes: 'GIF8', what: 'a GIF picture', next: wrongFile },
  { bytes: '%PDF-', what: 'a PDF document', next: wrongFile },
  { bytes: '\x7fELF', what: 'a program (ELF)', next: wrongFile },
  { bytes: 'MZ\x90\0', what: 'a program (Windows)', next: wrongFile },
  { bytes: '\xcf\xfa\xed\xfe', what: 'a program (Mach-O)', next: wrongFile },
  { bytes: '\xca\xfe\xba\xbe', what: 'a program (Mach-O or Java)', next: wrongFile },
  { bytes: '\0asm', what: 'a WebAssembly module', next: wrongFile },
  { bytes: 'SQLite format 3\0', what: 'an SQLite database', next: wrongFile },
  { bytes: 'PAR1', what: 'a Parquet table', next: wrongFile },
  {
    bytes: '\x0c\xdb\x3a\x2a',
    what: 'an OCDBT manifest, a part of an Orbax checkpoint',
    next: 'name the folder that it lies in',
  },
];

/** Null: nothing that is recognised; it may be a damaged checkpoint, or noise. */
export function contentKindOf(head: Uint8Array): ContentKind | null {
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  for (const { bytes: magic, offset = 0, what, next } of signatures) {
    if (bytes.toString('latin1', offset, offset + magic.length) === magic) return { what, next };
  }
  const text = asText(bytes);
  return text === null ? null : textKind(text.trimStart());
}

function textKind(text: string): ContentKind {
  if (text.startsWith('version https://git-lfs')) {
    const next = 'fetch the file itself: git lfs pull';
    return { what: 'a git-lfs pointer, not the weights that it stands for', next };
  }
  if (/^<(!doctype html|html)/i.test(text)) {
    const next = 'download the file again: a server answered with a page instead';
    return { what: 'an HTML page', next };
  }
  if (/^[[{]/.test(text)) {
    return { what: 'JSON text', next: 'name the folder that it lies in, if that is a checkpoint' };
  }
  return { what: 'text', next: wrongFile };
}

/** Null where it holds bytes that text does not; a last character cut in two is no objection. */
function asText(bytes: Buffer): string | null {
  if (bytes.length === 0) return null;
  for (const byte of bytes) {
    const isControl = byte < 0x20 && byte !== 9 && byte !== 10 && byte !== 12 && byte !== 13;
    if ((isControl && byte !== 0x1b) || byte === 0x7f) return null;
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
  } catch {
    return null;
  }
}
