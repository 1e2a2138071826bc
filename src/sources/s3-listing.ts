/** Pages of a bucket's listing, as ListObjectsV2 answers them. */
import { LaikaError } from '../checkpoint/errors.ts';
import { inParallel } from './in-parallel.ts';
import type { S3Client } from './s3-client.ts';

export interface ListedObject {
  readonly key: string;
  readonly sizeBytes: number;
  readonly etag: string;
  readonly modifiedMs: number;
}

interface Page {
  readonly objects: readonly ListedObject[];
  /** Prefixes that end with the delimiter. */
  readonly folders: readonly string[];
  readonly next: string | null;
}

/** As many as a listing of a folder on this machine may meet. */
const objectsMost = 1_000_000;

/** One folder deeper is one round of requests more; past this the whole prefix is listed at once. */
const roundsMost = 3;

/**
 * Objects under `prefix`, which is empty or ends with a slash, at most `depth` folders below it.
 * @throws LaikaError `limit-exceeded`; as `S3Client.send`.
 */
export async function listObjects(
  client: S3Client,
  prefix: string,
  depth: number,
): Promise<readonly ListedObject[]> {
  const objects: ListedObject[] = [];
  const take = (page: Page) => {
    for (const each of page.objects) objects.push(each);
    if (objects.length > objectsMost) throw tooMany(client, prefix);
  };
  if (depth > roundsMost) {
    await listPages(client, { prefix, isFlat: true }, take);
    return objects.filter(({ key }) => key.slice(prefix.length).split('/').length - 1 <= depth);
  }
  let folders: readonly string[] = [prefix];
  for (let level = 0; level <= depth; level += 1) {
    const below: string[] = [];
    await inParallel(folders, (folder) => {
      return listPages(client, { prefix: folder, isFlat: false }, (page) => {
        take(page);
        for (const each of page.folders) below.push(each);
      });
    });
    folders = below;
  }
  return objects;
}

async function listPages(
  client: S3Client,
  of: { prefix: string; isFlat: boolean },
  visit: (page: Page) => void,
): Promise<void> {
  const seen = new Set<string>();
  for (let token: string | null = null, first = true; first || token !== null; first = false) {
    const query: Record<string, string> = { 'list-type': '2', prefix: of.prefix };
    if (!of.isFlat) query.delimiter = '/';
    if (client.pageObjects !== null) query['max-keys'] = String(client.pageObjects);
    if (token !== null) query['continuation-token'] = token;
    const { body } = await client.send({ method: 'GET', key: '', query });
    const page: Page = readPage(Buffer.from(body).toString());
    visit(page);
    token = page.next;
    // A store that repeats itself would be asked for ever.
    if (token !== null && seen.has(token)) throw tooMany(client, of.prefix);
    if (token !== null) seen.add(token);
  }
}

/** Reads what a page says; elements that are not known are passed over. */
function readPage(xml: string): Page {
  const objects: ListedObject[] = [];
  for (const [, content = ''] of xml.matchAll(/<Contents>(.*?)<\/Contents>/gs)) {
    const key = textOf(content, 'Key');
    const sizeBytes = Number(textOf(content, 'Size'));
    // A key that ends with a slash marks a folder and is no file.
    if (key === null || key.endsWith('/') || !Number.isSafeInteger(sizeBytes)) continue;
    const modifiedMs = Date.parse(textOf(content, 'LastModified') ?? '');
    objects.push({ key, sizeBytes, etag: textOf(content, 'ETag') ?? '', modifiedMs });
  }
  const folders = [...xml.matchAll(/<CommonPrefixes>(.*?)<\/CommonPrefixes>/gs)].flatMap(
    ([, content = '']) => textOf(content, 'Prefix') ?? [],
  );
  const isCut = textOf(xml, 'IsTruncated') === 'true';
  return { objects, folders, next: isCut ? textOf(xml, 'NextContinuationToken') : null };
}

function textOf(xml: string, name: string): string | null {
  const found = new RegExp(`<${name}>([^<]*)</${name}>`).exec(xml);
  return found ? unescapeXml(found[1] as string) : null;
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
};

function unescapeXml(text: string): string {
  return text.replace(/&(#x[0-9a-f]{1,6}|#[0-9]{1,7}|[a-z]{2,4});/gi, (whole, name: string) => {
    if (!name.startsWith('#')) return entities[name] ?? whole;
    const code = /^#x/i.test(name) ? Number.parseInt(name.slice(2), 16) : Number(name.slice(1));
    return code <= 0x10ffff ? String.fromCodePoint(code) : whole;
  });
}

function tooMany(client: S3Client, prefix: string): LaikaError {
  return new LaikaError({
    code: 'limit-exceeded',
    what: `The prefix holds more than ${objectsMost} objects`,
    where: `s3://${client.bucket}/${prefix}`,
    next: 'name the checkpoint itself rather than a prefix above it',
  });
}
