import { request } from 'node:http';
import { connect as connectTcp } from 'node:net';
import { expect, test } from 'vitest';
import { connect, get, refusal, serve, token } from './test-server.ts';

const bearer = { Authorization: `Bearer ${token}` };
const asProtocol = (text: string): string =>
  `laika.bearer.${Buffer.from(text).toString('base64url')}`;

test('takes the token as header or as subprotocol, and echoes only the real one', async () => {
  const { url } = await serve();
  const byHeader = await connect(url);
  expect(byHeader.socket.protocol).toBe('laika.v1');
  const none = { headers: { Authorization: '' } };
  for (const [offered, chosen] of [
    [[asProtocol(token), 'laika.v1'], 'laika.v1'],
    [['cloudevents.json', asProtocol(token)], 'cloudevents.json'],
    [['cloudevents.json', 'laika.v1', asProtocol(token)], 'laika.v1'],
  ] as const) {
    const client = await connect(url, { ...none, protocols: [...offered] });
    expect(client.socket.protocol).toBe(chosen);
  }
  const silent = await connect(url, { protocols: [] });
  expect(silent.socket.protocol).toBe('');
  expect((await silent.until((one) => one.type === 'hello')).version).toBe('1.2.3');
});

test('refuses a handshake without a token, with a wrong one, with nothing else', async () => {
  const { url, server } = await serve();
  const none = await refusal(url, {});
  expect([none.status, none.body.code]).toEqual([401, 'token-required']);
  expect(none.headers['www-authenticate']).toMatch(/^Bearer/);
  expect(none.headers['content-type']).toBe('application/problem+json');
  const wrong = await refusal(url, { Authorization: `Bearer ${token}x` });
  expect([wrong.status, wrong.body.code]).toEqual([401, 'token-wrong']);
  const query = await refusal(`${url}?token=${token}`, {});
  expect(query.status).toBe(401);
  const only = await refusal(url, {}, [asProtocol(token)]);
  expect([only.status, only.body.code]).toEqual([400, 'subprotocol-required']);
  expect(JSON.stringify(only)).not.toContain(asProtocol(token));
  const other = await refusal(url, bearer, ['chat.v2']);
  expect(other.status).toBe(400);
  const elsewhere = await refusal(server.url.replace('/v1/stream', '/v1/other'), bearer);
  expect(elsewhere.status).toBe(404);
});

test('refuses other names and other sites, with a good token too', async () => {
  const { url, http } = await serve();
  const { host, port } = new URL(http);
  for (const name of ['evil.example', `127.0.0.1.evil.example:${port}`, `localhost@evil:${port}`]) {
    const { status, body } = await refusal(url, { ...bearer, Host: name });
    expect([name, status, body.code]).toEqual([name, 403, 'host-not-allowed']);
    expect((await get(`${http}/livez`, { headers: { Host: name } })).status).toBe(403);
  }
  for (const origin of [
    'http://evil.example',
    'null',
    `http://${host}.evil.example`,
    `https://${host}`,
    'http://127.0.0.1:1',
    `http://localhost:${Number(port) + 1}`,
  ]) {
    const { status, body } = await refusal(url, { ...bearer, Origin: origin });
    expect([origin, status, body.code]).toEqual([origin, 403, 'origin-not-allowed']);
    expect((await get(`${http}/v1/state`, { headers: { Origin: origin } })).status).toBe(403);
  }
});

test('accepts its own names and the pages that it serves itself', async () => {
  const { url, http } = await serve({ hosts: ['cluster.example'] });
  const { port } = new URL(http);
  for (const name of [
    '127.0.0.1',
    'localhost',
    'LOCALHOST',
    '[::1]',
    'node-3',
    'cluster.example',
  ]) {
    const client = await connect(url, { headers: { Host: `${name}:${port}` } });
    client.socket.close();
  }
  for (const origin of [`http://127.0.0.1:${port}`, `http://localhost:${port}`]) {
    const client = await connect(url, { headers: { Origin: origin } });
    client.socket.close();
  }
  // A forwarded port: the page and the address that it calls have one name.
  const forwarded = { Host: 'localhost:9000', Origin: 'http://localhost:9000' };
  (await connect(url, { headers: forwarded })).socket.close();
});

test('answers 429 to an address that guesses, and still lets the right token pass', async () => {
  const { url, http } = await serve();
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1) {
    statuses.push((await get(`${http}/v1/state`, { token: `guess-${i}` })).status);
  }
  expect(statuses).toEqual([...Array<number>(10).fill(401), 429, 429]);
  const refused = await refusal(url, { Authorization: 'Bearer guess' });
  expect([refused.status, refused.headers['retry-after']]).toEqual([429, '60']);
  expect((await get(`${http}/v1/state`)).status).toBe(200);
  (await connect(url)).socket.close();
});

test('closes clients past its number with 1013, when the others stay', async () => {
  const { url } = await serve({ limits: { clients: 2 } });
  const first = await connect(url);
  await connect(url);
  const third = await connect(url);
  expect((await third.closed).code).toBe(1013);
  first.socket.close();
  await first.closed;
  const fourth = await connect(url);
  expect((await fourth.until((one) => one.type === 'hello')).type).toBe('hello');
});

test('survives what is no HTTP and no handshake', async () => {
  const { http } = await serve();
  const { port } = new URL(http);
  const authorised = `Host: localhost\r\nAuthorization: Bearer ${token}`;
  const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket';
  for (const text of [
    'garbage\r\n\r\n',
    'GET /v1/stream HTTP/1.1\r\n\r\n',
    `GET /v1/stream HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n\r\n`,
    `GET //evil/v1/stream HTTP/1.1\r\nHost: localhost\r\n${upgrade}\r\n\r\n`,
    `GET http://[ HTTP/1.1\r\n${authorised}\r\n\r\n`,
    `GET /v1/stream HTTP/1.1\r\n${authorised}\r\n${upgrade}\r\nSec-WebSocket-Version: 99\r\n\r\n`,
  ]) {
    const answer = await new Promise<string>((done) => {
      let read = '';
      const socket = connectTcp(Number(port), '127.0.0.1', () => socket.end(text));
      socket.on('data', (data) => {
        read += String(data);
      });
      socket.on('error', () => done(read));
      socket.on('close', () => done(read));
    });
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
  }
  expect((await get(`${http}/livez`)).status).toBe(200);
});

test('serves a Unix socket that only its owner may open, with the token all the same', async () => {
  const { tempFolder } = await import('../history/temp-folder.ts');
  const { statSync } = await import('node:fs');
  const path = `${tempFolder()}/laika.sock`;
  const { url } = await serve({ listen: { socket: path } });
  expect(url).toBe(`ws+unix:${path}:/v1/stream`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const client = await connect(url);
  expect((await client.until((one) => one.type === 'hello')).runs).toEqual(['/run']);
  const status = await new Promise((done) => {
    const options = { socketPath: path, path: '/v1/state', headers: { Host: 'localhost' } };
    request(options, (response) => done(response.statusCode)).end();
  });
  expect(status).toBe(401);
  await expect(serve({ listen: { socket: path } })).rejects.toThrow(/EADDRINUSE/);
});
