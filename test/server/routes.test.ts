import { expect, test } from 'vitest';
import { observe } from '../../src/alerts/alert.ts';
import { event, get, record, serve, token } from './test-server.ts';

test('answers health without a token and reveals nothing there', async () => {
  let isOk = true;
  const { http } = await serve({ health: () => [{ name: 'watch', ok: isOk }] });
  const live = await get(`${http}/livez`, { token: null });
  expect([live.status, live.text]).toEqual([200, 'ok\n']);
  const ready = await get(`${http}/readyz?verbose`, { token: null });
  expect([ready.status, ready.text]).toEqual([200, '[+]watch ok\n[+]not-stopping ok\n']);
  isOk = false;
  const failed = await get(`${http}/readyz?verbose`, { token: null });
  expect([failed.status, failed.text]).toEqual([503, '[-]watch failed\n[+]not-stopping ok\n']);
  expect((await get(`${http}/readyz`, { token: null })).text).toBe('not ready\n');
});

test('wants the token for all else, also for what is not there', async () => {
  const { http } = await serve();
  for (const path of ['/v1/state', '/v1/events', '/v1/events/stream', '/', '/nothing']) {
    expect([path, (await get(`${http}${path}`, { token: null })).status]).toEqual([path, 401]);
  }
  expect((await get(`${http}/nothing`)).status).toBe(404);
  expect((await get(`${http}/v1/stream`)).status).toBe(426);
  expect((await get(`${http}/v1/state?token=${token}`, { token: null })).status).toBe(401);
});

test('marks every answer: not stored, not guessed, not for other sites, with an id', async () => {
  const { http } = await serve();
  const ids = new Set<string>();
  for (const path of ['/livez', '/v1/state', '/nothing']) {
    const { headers } = await get(`${http}${path}`, { headers: { Origin: http } });
    expect(headers['cache-control']).toBe('no-store');
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expect(headers.server).toBeUndefined();
    ids.add(String(headers['x-request-id']));
  }
  expect(ids.size).toBe(3);
});

test('states problems as RFC 9457 does', async () => {
  const { http } = await serve();
  const { status, headers, text } = await get(`${http}/v1/state`, { method: 'DELETE' });
  expect([status, headers.allow]).toEqual([405, 'GET, HEAD']);
  expect(headers['content-type']).toBe('application/problem+json');
  expect(JSON.parse(text)).toEqual({
    type: 'urn:laika:problem:method-not-allowed',
    title: 'Only GET and HEAD are answered',
    status: 405,
    detail: 'not DELETE',
    instance: `urn:uuid:${headers['x-request-id']}`,
    code: 'method-not-allowed',
  });
  const head = await get(`${http}/v1/state`, { method: 'HEAD' });
  expect([head.status, head.text]).toEqual([200, '']);
});

test('pages through the log with `since` and `limit`', async () => {
  const { http, history } = await serve();
  record(history, 7, { big: 9_007_199_254_740_993n });
  const page = async (query: string) => {
    const { status, text } = await get(`${http}/v1/events${query}`);
    const body = JSON.parse(text);
    return {
      status,
      body,
      seqs: (body.events ?? []).map((one: { seq: string }) => Number(one.seq)),
    };
  };
  const first = await page('?limit=3');
  expect(first.seqs).toEqual([1, 2, 3]);
  expect(first.body).toMatchObject({ epoch: history.epoch, oldest: '1', head: '7' });
  expect(first.body.next).toBe(`${history.epoch}:3`);
  expect(first.body.events[0].data).toEqual({ big: '9007199254740993' });
  const rest = await page(`?since=${first.body.next}`);
  expect(rest.seqs).toEqual([4, 5, 6, 7]);
  expect((await page(`?since=${rest.body.next}`)).seqs).toEqual([]);
  expect((await page('?since=now')).seqs).toEqual([]);
  const other = await page('?since=abcd:2');
  expect([other.seqs.length, other.body.gap.reason]).toEqual([7, 'epoch']);
  for (const query of ['?since=x', '?limit=0', '?limit=1001', '?limit=1.5', '?limit=x']) {
    expect([query, (await page(query)).status]).toEqual([query, 400]);
  }
});

test('tells the present: active alerts, latest verdicts, and its place in the log', async () => {
  const { http, history } = await serve();
  const checkpoint = { path: '/run/7', step: 7 };
  const fired = observe(null, {
    ...{ run: '/run', verdict: 'corrupt', severity: 'critical', checkpoint, hasBase: true },
    ...{ rules: ['moment-bound'], time: '2026-11-21T12:00:00.000Z' },
  });
  const judged = (step: number, verdict: 'intact' | 'corrupt') => ({
    ...{ run: '/run', path: `/run/${step}`, identity: `${step}`, step, position: step, verdict },
    ...{ trusted: verdict === 'intact', seenAt: '2026-11-21T12:00:00.000Z' },
    result: { schema: 'laika.result/1' as const, laika: { version: '1', rules: '' }, verdict },
  });
  history.record({ checkpoint: judged(6, 'intact'), events: [event()] });
  history.record({
    checkpoint: judged(7, 'corrupt'),
    ...(fired ? { alert: fired.alert } : {}),
    events: [event(), event()],
  });
  const state = JSON.parse((await get(`${http}/v1/state`)).text);
  expect(state).toMatchObject({
    ...{ epoch: history.epoch, seq: '3', cursor: `${history.epoch}:3` },
    alerts: [{ id: fired?.alert.id, state: 'firing', checkpoint }],
    runs: [
      {
        run: '/run',
        latest: { checkpoint, verdict: 'corrupt' },
        trusted: { checkpoint: '/run/6', step: 6 },
      },
    ],
  });
});

test('streams the same log as server-sent events, and resumes by Last-Event-ID', async () => {
  const { http, history } = await serve();
  record(history, 5);
  const read = async (headers: Record<string, string>, wanted: string): Promise<string> => {
    const stop = new AbortController();
    const response = await fetch(`${http}/v1/events/stream?since=all`, {
      headers: { Authorization: `Bearer ${token}`, ...headers },
      signal: stop.signal,
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    let text = '';
    const decoder = new TextDecoder();
    for await (const part of response.body ?? []) {
      text += decoder.decode(part as Uint8Array);
      if (text.includes(wanted)) break;
    }
    stop.abort();
    return text;
  };
  const ids = (text: string) =>
    [...text.matchAll(/^id: \S+:(\d+)$/gm)].map((one) => Number(one[1]));
  expect(ids(await read({}, `id: ${history.epoch}:5\n`))).toEqual([1, 2, 3, 4, 5]);
  const resumed = read({ 'Last-Event-ID': `${history.epoch}:3` }, `id: ${history.epoch}:6\n`);
  record(history, 1);
  expect(ids(await resumed)).toEqual([4, 5, 6]);
  const lost = await read({ 'Last-Event-ID': 'abcd:3' }, `id: ${history.epoch}:6\n`);
  expect(lost).toContain('event: gap\ndata: {"from":"abcd:3"');
});
