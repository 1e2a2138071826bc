/** Signed requests to an S3-compatible store, tried again while the store says that it is busy. */
import { setTimeout as delay } from 'node:timers/promises';
import { AwsClient } from 'aws4fetch';
import { LaikaError } from '../checkpoint/errors.ts';
import { changedError } from './storage-error.ts';

/** How a store is reached; absent is what AWS itself would take. */
export interface S3Settings {
  readonly accessKeyId?: string;
  readonly secretAccessKey?: string;
  readonly sessionToken?: string;
  /** Default `us-east-1`. */
  readonly region?: string;
  /** Of another store than AWS: `http://127.0.0.1:9000`. */
  readonly endpoint?: string;
  /** Objects on one page of a listing; default what the store takes, which is 1,000. */
  readonly pageObjects?: number;
}

/** Tries of one request, the first one counted. */
const triesMost = 6;

/** The first pause; each is twice the one before. */
const pauseMs = 100;

const requestMs = 120_000;

/** An error's text and a page of a listing; data is read by range. */
const textBytesMost = 32 * 1024 * 1024;

export interface S3Request {
  readonly method: 'GET' | 'HEAD';
  /** Empty: the bucket itself. */
  readonly key: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface S3Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

export class S3Client {
  readonly bucket: string;
  readonly pageObjects: number | null;
  readonly #base: string;
  readonly #client: AwsClient | null;
  readonly #settings: S3Settings;

  constructor(bucket: string, settings: S3Settings) {
    this.bucket = bucket;
    this.pageObjects = settings.pageObjects ?? null;
    this.#settings = settings;
    const { accessKeyId, secretAccessKey, sessionToken } = settings;
    const region = settings.region ?? 'us-east-1';
    this.#base = baseOf(bucket, region, settings.endpoint);
    const token = sessionToken === undefined ? {} : { sessionToken };
    const own = { service: 's3', region, retries: 0, ...token };
    this.#client =
      accessKeyId && secretAccessKey
        ? new AwsClient({ accessKeyId, secretAccessKey, ...own })
        : null;
  }

  /**
   * The answer where it is a success or one of `expected`.
   * @throws LaikaError `path-missing` (no bucket), `path-unreadable` (refused, unreachable),
   * `changed-while-reading` (412, 416).
   */
  async send(request: S3Request, expected: readonly number[] = []): Promise<S3Answer> {
    let last: S3Answer | Error = new Error('not tried');
    for (let tried = 0; tried < triesMost; tried += 1) {
      if (tried > 0) await delay(pauseMs * 2 ** (tried - 1));
      last = await this.#once(request);
      if (last instanceof Error || last.status === 429 || last.status >= 500) continue;
      if (last.status < 300 || expected.includes(last.status)) return last;
      break;
    }
    throw this.#error(request, last);
  }

  async #once({ method, key, query = {}, headers = {} }: S3Request): Promise<S3Answer | Error> {
    const url = new URL(this.#base + encodeKey(key));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    // A plus means a space in forms; in an address not every store takes it for one.
    url.search = url.search.replaceAll('+', '%20');
    const init = { method, headers, redirect: 'manual', signal: AbortSignal.timeout(requestMs) };
    try {
      const signed = this.#client
        ? await this.#client.sign(url, init as RequestInit)
        : new Request(url, init as RequestInit);
      const response = await fetch(signed);
      const body = method === 'HEAD' ? new Uint8Array(0) : await bodyOf(response, headers.range);
      return { status: response.status, headers: response.headers, body };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  #error({ key }: S3Request, last: S3Answer | Error): LaikaError {
    const where = `s3://${this.bucket}/${key}`;
    const what = 'The object store did not give what was asked for';
    if (last instanceof Error) {
      const why = causeOf(last);
      const next = 'check the address (AWS_ENDPOINT_URL, AWS_REGION) and the network';
      return new LaikaError({ code: 'path-unreadable', what, where, why, next }, { cause: last });
    }
    const { status, headers } = last;
    const code = codeIn(last.body);
    const why = `it answered ${status}${code ? ` (${code})` : ''}`;
    if (status === 412) return changedError(where, 'it was written again');
    if (status === 416) return changedError(where, 'it ends before the bytes it had');
    if (status === 404 && code !== 'NoSuchBucket') return changedError(where, 'it is gone');
    if (status === 404) {
      const next = 'check the name of the bucket, AWS_REGION and AWS_ENDPOINT_URL';
      return new LaikaError({ code: 'path-missing', what: 'There is no such bucket', where, next });
    }
    const region = headers.get('x-amz-bucket-region');
    const next = this.#nextOf(status, region);
    return new LaikaError({ code: 'path-unreadable', what, where, why, next });
  }

  #nextOf(status: number, region: string | null): string {
    if (status >= 300 && status < 400) {
      return region ? `set AWS_REGION=${region}` : 'set AWS_REGION to the bucket’s region';
    }
    if (this.#client === null) {
      return 'no credentials were given: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
    }
    if (status === 401 || status === 403) {
      const token = this.#settings.sessionToken ? ', and that the session has not ended' : '';
      return `check that the credentials may list the bucket and read the object${token}`;
    }
    return 'try again later';
  }
}

/** Path-style where the store is not AWS, or where the bucket's dots break its certificate. */
function baseOf(bucket: string, region: string, endpoint: string | undefined): string {
  const name = encodeURIComponent(bucket);
  if (endpoint) return `${endpoint.replace(/\/+$/, '')}/${name}/`;
  const host = `s3.${region}.amazonaws.com`;
  return bucket.includes('.') ? `https://${host}/${name}/` : `https://${name}.${host}/`;
}

function encodeKey(key: string): string {
  return key.split('/').map(encodePart).join('/');
}

function encodePart(part: string): string {
  const mark = (char: string) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(part).replace(/[!'()*]/g, mark);
}

/** Never more than was asked for, whatever the store sends. */
async function bodyOf(response: Response, range: string | undefined): Promise<Uint8Array> {
  const [, from, to] = /^bytes=([0-9]+)-([0-9]+)$/.exec(range ?? '') ?? [];
  const wanted = response.status === 206 ? Number(to) - Number(from) + 1 : textBytesMost;
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of response.body ?? []) {
    length += chunk.length;
    if (length > wanted) throw new Error(`it sent more than ${wanted} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function codeIn(body: Uint8Array): string | null {
  const text = Buffer.from(body.buffer, body.byteOffset, Math.min(body.length, 4096)).toString();
  return /<Code>([A-Za-z0-9]{1,64})<\/Code>/.exec(text)?.[1] ?? null;
}

/** `fetch failed` says nothing; its cause does. */
function causeOf(error: Error): string {
  const { cause } = error;
  if (cause instanceof Error && cause.message) return cause.message;
  return cause instanceof Error && 'code' in cause ? String(cause.code) : error.message;
}
