/** Is a file one of torch.save's archives? By its first bytes, else by its name. */
import { Buffer } from 'node:buffer';
import type { Sighting } from '../format.ts';
import { isPicklePrefix } from '../pickle/read-pickle.ts';

const localSignature = Buffer.from('PK\x03\x04', 'latin1');
const pickleName = Buffer.from('/data.pkl', 'latin1');

/** Members that torch writes before or beside data.pkl, below the archive's folder. */
const torchMember =
  /^[^/]+\/(data\.pkl|version|byteorder|\.format_version|\.storage_alignment|data\/)/;

const torchName = /\.(pt|pth|pth\.tar|ckpt|bin)$/i;

/** The name in the local header at `at`, or null where there is none. */
function memberName(head: Buffer, at: number): string | null {
  if (at + 30 > head.length || !head.subarray(at, at + 4).equals(localSignature)) return null;
  return head.toString('latin1', at + 30, at + 30 + head.readUInt16LE(at + 26));
}

export function recogniseTorchZip({ source, files, head }: Sighting): 'certain' | 'named' | 'no' {
  const [file] = files;
  if (!source.isFile || !file) return 'no';
  const bytes = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  const first = memberName(bytes, 0);
  if (first !== null && torchMember.test(first) && isTorchArchive(bytes, first)) return 'certain';
  return torchName.test(file.name) && !isPicklePrefix(bytes) ? 'named' : 'no';
}

/** `data.pkl` comes first since torch 1.7; writers before that began with `version`. */
function isTorchArchive(head: Buffer, first: string): boolean {
  return first.endsWith('/data.pkl') || first.endsWith('/version') || head.includes(pickleName);
}
