/** Starts the server for one test file, fills it, and stands between it and the reader. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { AwsClient } from 'aws4fetch';
import { afterAll, onTestFinished } from 'vitest';
import type { S3Settings } from '../../src/sources/s3.ts';
import { temporaryFolder } from './temporary-folder.ts';

export const bucket = 'laika-test';

/** What the server knows by itself. */
const credentials = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' };

/** Its continuation tokens are made with a cipher that OpenSSL 3 has put aside. */
const legacyCipher = '--openssl-legacy-provider';

export interface Store {
  readonly settings: S3Settings;
  put(key: string, bytes: Uint8Array): Promise<void>;
  /** Every file below `folder` under a prefix. */
  putFolder(prefix: string, folder: string): Promise<void>;
}

export async function startStore(): Promise<Store> {
  const script = join(import.meta.dirname, 's3-server.mjs');
  const server = spawn(process.execPath, [legacyCipher, script, temporaryFolder()], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  afterAll(() => {
    server.kill();
  });
  const [port] = await once(server.stdout, 'data');
  const endpoint = `http://127.0.0.1:${String(port).trim()}`;
  const client = new AwsClient({ ...credentials, service: 's3', region: 'us-east-1' });
  const put = async (key: string, bytes: Uint8Array) => {
    const path = key.split('/').map(encodeURIComponent).join('/');
    const answer = await client.fetch(`${endpoint}/${bucket}/${path}`, {
      method: 'PUT',
      body: Buffer.from(bytes),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
  };
  const putFolder = async (prefix: string, folder: string) => {
    const files = readdirSync(folder, { recursive: true, withFileTypes: true });
    for (const file of files.filter((each) => each.isFile())) {
      const path = join(file.parentPath, file.name);
      await put(prefix + path.slice(folder.length + 1), readFileSync(path));
    }
  };
  return { settings: { ...credentials, endpoint }, put, putFolder };
}

export type Fault = (
  asked: IncomingMessage,
  answer: ServerResponse,
  etag: string | undefined,
) => boolean;

/** A way to the store on which `fault` may answer in its place. */
export async function between(store: Store, fault: Fault): Promise<S3Settings> {
  const { endpoint = '' } = store.settings;
  const proxy = createServer((asked, answer) => {
    const { method, headers, url } = asked;
    const forward = request(`${endpoint}${url}`, { method, headers }, (given) => {
      if (fault(asked, answer, given.headers.etag)) {
        given.resume();
        return;
      }
      answer.writeHead(given.statusCode ?? 500, given.headers);
      given.pipe(answer);
    });
    asked.pipe(forward);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  onTestFinished(() => {
    proxy.close();
    proxy.closeAllConnections();
  });
  const { port } = proxy.address() as AddressInfo;
  return { ...store.settings, endpoint: `http://127.0.0.1:${port}` };
}
