import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { observe } from '../../src/alerts/alert.ts';
import { History } from '../../src/history/history.ts';
import { systemClock } from '../../src/watch/system-clock.ts';
import { tempFolder } from '../history/temp-folder.ts';
import { connect, event, isEvent, record, serve, subscribe } from './test-server.ts';

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

test('greets with the epoch, the ends of the log, the version and the runs', async () => {
  const { url, history } = await serve();
  record(history, 3);
  const client = await connect(url);
  expect(await client.until((one) => one.type === 'hello')).toEqual({
    type: 'hello',
    epoch: history.epoch,
    oldest: '1',
    head: '3',
    version: '1.2.3',
    heartbeatSeconds: 15,
    runs: ['/run'],
  });
});

test('sends the backlog and then what happens, in order, each once', async () => {
  const { url, history } = await serve();
  record(history, 500);
  const client = await subscribe(url, 'all');
  for (let i = 0; i < 100; i += 1) {
    record(history, 1);
    if (i % 10 === 0) await new Promise((done) => setImmediate(done));
  }
  await client.until(isEvent(600));
  expect(client.seqs()).toEqual(upTo(600));
});

test('resumes after a cursor: nothing is missed and nothing comes twice', async () => {
  const { url, history } = await serve();
  record(history, 10);
  const first = await subscribe(url, 'all');
  await first.until(isEvent(7));
  first.socket.terminate();
  record(history, 10);
  const second = await subscribe(url, `${history.epoch}:7`);
  await second.until(isEvent(20));
  expect(second.seqs()).toEqual(upTo(20).slice(7));
  expect(second.messages.some((one) => one.type === 'gap')).toBe(false);
});

test('begins with the next event for `now`, and sends whole CloudEvents', async () => {
  const { url, history } = await serve();
  record(history, 4);
  const client = await subscribe(url, 'now');
  client.send({ type: 'ping' });
  await client.until((one) => one.type === 'heartbeat');
  record(history, 1, { left: Number.NaN });
  const { event: sent } = await client.until((one) => one.type === 'event');
  expect(sent).toMatchObject({
    ...{ specversion: '1.0', id: `${history.epoch}-000000000005`, seq: '5' },
    ...{ source: '/laika/node-3/run', data: { left: 'NaN' } },
  });
});

test('announces what retention took, and goes on with what is left', async () => {
  const { url, history } = await serve();
  record(history, 20);
  history.prune({ events: 5, results: 1 });
  const since = `${history.epoch}:3`;
  const client = await subscribe(url, since);
  const gap = await client.until((one) => one.type === 'gap');
  expect(gap).toEqual({
    ...{ type: 'gap', from: since, to: `${history.epoch}:15`, reason: 'retention' },
  });
  await client.until(isEvent(20));
  expect(client.seqs()).toEqual([16, 17, 18, 19, 20]);
  const exact = await subscribe(url, `${history.epoch}:15`);
  await exact.until(isEvent(20));
  expect(exact.messages.some((one) => one.type === 'gap')).toBe(false);
});

test('announces that a cursor is of another database, or of a number never given', async () => {
  const { url, history } = await serve();
  record(history, 3);
  for (const since of ['0123456789abcdef:2', `${history.epoch}:99`]) {
    const client = await subscribe(url, since);
    const gap = await client.until((one) => one.type === 'gap');
    expect(gap).toMatchObject({ from: since, to: `${history.epoch}:0`, reason: 'epoch' });
    await client.until(isEvent(3));
    expect(client.seqs()).toEqual([1, 2, 3]);
  }
});

test('filters by run, type and severity, and moves the cursor past what was filtered', async () => {
  const { url, history } = await serve();
  history.record({
    events: [
      event(1, { run: '/a' }),
      event(2, { run: '/b', severity: 'critical' }),
      event(3, { run: '/b', type: 'dev.laika.run.stalled.v1', severity: 'warning' }),
      event(4, { run: '/b', severity: 'error' }),
      event(5, { run: '/a' }),
    ],
  });
  const seqsFor = async (filter: object): Promise<number[]> => {
    const client = await subscribe(url, 'all', filter);
    const cursor = (): unknown => {
      client.send({ type: 'ping' });
      return client.messages.at(-1)?.cursor;
    };
    await expect.poll(cursor).toBe(`${history.epoch}:5`);
    return client.seqs();
  };
  expect(await seqsFor({ runs: ['/b'] })).toEqual([2, 3, 4]);
  expect(await seqsFor({ types: ['dev.laika.run.stalled.v1'] })).toEqual([3]);
  expect(await seqsFor({ severity: 'error' })).toEqual([2, 4]);
  expect(await seqsFor({ severity: ['warning'] })).toEqual([3]);
  expect(await seqsFor({ runs: ['/a'], severity: 'error' })).toEqual([]);
});

test('speaks bare CloudEvents to a client that asks for them', async () => {
  const { url, history } = await serve();
  record(history, 3);
  const client = await connect(`${url}?since=all`, { protocols: ['cloudevents.json'] });
  await client.until((one) => one.seq === '3');
  expect(client.messages.map((one) => one.seq)).toEqual(['1', '2', '3']);
  expect(client.messages[0]?.specversion).toBe('1.0');
  const lost = await connect(`${url}?since=ffff:1`, { protocols: ['cloudevents.json'] });
  const { code, reason } = await lost.closed;
  expect([code, reason]).toEqual([1008, 'gap (epoch): start again with since=all']);
});

test('sends heartbeats by itself, and one for each ping', async () => {
  const { url, history } = await serve({ limits: { heartbeatMs: 20 } });
  record(history, 2);
  const client = await connect(url);
  const beat = await client.until((one) => one.type === 'heartbeat');
  expect(beat.head).toBe('2');
  expect(beat.time).toMatch(/^\d{4}-\d\d-\d\dT[\d:]+\.\d{3}Z$/);
});

test('terminates a client that answers no ping, and keeps one that does', async () => {
  const { url } = await serve({ limits: { pingMs: 50 } });
  const dead = await connect(url, { autoPong: false });
  const alive = await connect(url);
  expect((await dead.closed).code).toBe(1006);
  expect(alive.socket.readyState).toBe(alive.socket.OPEN);
});

test('answers words it does not know, and closes on what is no message', async () => {
  const { url, history } = await serve();
  const bystander = await subscribe(url, 'all');
  const client = await connect(url);
  for (const [message, code] of [
    [{ type: 'dance' }, 'type-unknown'],
    [{}, 'type-unknown'],
    [{ type: 'subscribe', since: 'yesterday' }, 'since-invalid'],
    [{ type: 'subscribe', since: 7 }, 'since-invalid'],
    [{ type: 'subscribe', since: 'all', filter: { runs: 'one' } }, 'filter-invalid'],
    [{ type: 'subscribe', since: 'all', filter: { severity: 'loud' } }, 'filter-invalid'],
    [{ type: 'acknowledge', alert: 7 }, 'acknowledge-invalid'],
    [{ type: 'acknowledge', alert: 'nobody' }, 'alert-unknown'],
  ] as const) {
    client.messages.length = 0;
    client.send(message);
    const error = await client.until((one) => one.type === 'error');
    expect([message, error.code]).toEqual([message, code]);
  }
  const garbage: readonly (readonly [string | Buffer, number])[] = [
    ['{"type":', 1008],
    ['[]', 1008],
    ['null', 1008],
    [randomBytes(100), 1003],
    ['x'.repeat(65 * 1024), 1009],
  ];
  for (const [text, code] of garbage) {
    const bad = await connect(url);
    bad.socket.send(text);
    expect((await bad.closed).code).toBe(code);
  }
  const fragments = await connect(url);
  for (let i = 0; i < 20; i += 1) fragments.socket.send('x', { fin: false });
  expect((await fragments.closed).code).toBe(1008);
  const chatty = await connect(url);
  for (let i = 0; i < 130; i += 1) chatty.send({ type: 'ping' });
  expect((await chatty.closed).code).toBe(1008);
  record(history, 3);
  await bystander.until(isEvent(3));
  expect(bystander.seqs()).toEqual([1, 2, 3]);
});

test('acknowledges an active alert as an event for all', async () => {
  const { url, history } = await serve();
  const checkpoint = { path: '/run/7', step: 7 };
  const fired = observe(null, {
    ...{ run: '/run', verdict: 'corrupt', severity: 'critical', checkpoint, hasBase: true },
    ...{ rules: ['moment-bound'], time: '2026-11-21T12:00:00.000Z' },
  });
  if (!fired) throw new Error('did not fire');
  history.record({ alert: fired.alert, events: [] });
  const other = await subscribe(url, 'all');
  const client = await connect(url);
  client.send({ type: 'acknowledge', alert: fired.alert.id, by: 'ada' });
  const { event: told } = await other.until((one) => one.type === 'event');
  expect(told.type).toBe('dev.laika.alert.acknowledged.v1');
  expect(told.data).toMatchObject({ checkpoint, by: 'ada' });
  expect(history.activeAlerts()).toMatchObject([{ state: 'acknowledged', acknowledgedBy: 'ada' }]);
});

test('cuts off a client that does not read, and lets the others have every event', async () => {
  const limits = {
    lagEventsMax: 200,
    terminateMs: 50,
    highWaterBytes: 64 * 1024,
    lowWaterBytes: 8192,
  };
  const { url, history, logged } = await serve({ limits });
  const slow = await subscribe(url, 'now');
  const quick = await subscribe(url, 'now');
  slow.send({ type: 'ping' });
  quick.send({ type: 'ping' });
  for (const client of [slow, quick]) await client.until((one) => one.type === 'heartbeat');
  slow.socket.pause();
  const text = 'x'.repeat(30_000);
  for (let i = 1; i <= 900; i += 1) {
    record(history, 1, { text });
    if (i % 20 === 0) await quick.until(isEvent(i));
  }
  await quick.until(isEvent(900));
  expect(quick.seqs()).toEqual(upTo(900));
  await expect.poll(() => logged.join('\n'), { timeout: 5000 }).toMatch(/slow client cut off/);
  slow.socket.resume();
  await slow.closed;
  // What it did get is without a hole, and it resumes where that ended.
  const got = slow.seqs();
  expect(got).toEqual(upTo(got.length));
  expect(got.length).toBeLessThan(900);
  const again = await subscribe(url, `${history.epoch}:${got.length}`);
  await again.until(isEvent(900));
  expect([...got, ...again.seqs()]).toEqual(upTo(900));
});

test('cuts off a client whose queue stays full, not one with a long backlog', async () => {
  const limits = {
    lagEventsMax: 100,
    stalledMsMax: 300,
    highWaterBytes: 64 * 1024,
    lowWaterBytes: 8192,
  };
  const { url, history } = await serve({ limits: { ...limits, terminateMs: 50 } });
  record(history, 600, { text: 'x'.repeat(30_000) });
  const reader = await subscribe(url, 'all');
  const stuck = await subscribe(url, 'all');
  stuck.socket.pause();
  await reader.until(isEvent(600));
  expect(reader.seqs()).toEqual(upTo(600));
  await new Promise((done) => setTimeout(done, 1000));
  stuck.socket.resume();
  expect([4008, 1006]).toContain((await stuck.closed).code);
});

test('tells clients to come back with 1001 when it stops', async () => {
  const { url, server } = await serve();
  const client = await connect(url);
  await server.close();
  expect((await client.closed).code).toBe(1001);
});

test('gives the log of a killed server to the next one under the same epoch', async () => {
  const folder = tempFolder();
  const history = History.open(folder, { clock: systemClock });
  record(history, 5);
  history.close();
  const next = await serve({ history: History.open(folder, { clock: systemClock }) });
  record(next.history, 1);
  const client = await subscribe(next.url, `${history.epoch}:4`);
  await client.until(isEvent(6));
  expect(client.seqs()).toEqual([5, 6]);
});
