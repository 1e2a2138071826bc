import { expect, test } from 'vitest';
import { cloudEventJson, type StoredEvent } from '../../src/history/event.ts';

const event: StoredEvent = {
  seq: 7,
  type: 'dev.laika.checkpoint.verdict.v1',
  run: '/data/run 1',
  subject: '/data/run 1/step-3',
  severity: 'error',
  time: '2026-11-21T12:00:00.000Z',
  data: '{"left":"NaN","big":"9007199254740993"}',
};

test('writes a CloudEvent 1.0 with all required attributes and the data as stored', () => {
  expect(JSON.parse(cloudEventJson(event, { epoch: 'ab12', host: 'node-3' }))).toEqual({
    specversion: '1.0',
    id: 'ab12-000000000007',
    source: '/laika/node-3/data/run%201',
    type: 'dev.laika.checkpoint.verdict.v1',
    subject: '/data/run 1/step-3',
    time: '2026-11-21T12:00:00.000Z',
    datacontenttype: 'application/json',
    seq: '7',
    severity: 'error',
    data: { left: 'NaN', big: '9007199254740993' },
  });
});

test('keeps out of attributes what CloudEvents forbids there: control characters', () => {
  const hostile = { ...event, run: null, subject: 'a\n\u001b[31mb\u0085' };
  const text = cloudEventJson(hostile, { epoch: 'ab12', host: 'h' });
  const parsed = JSON.parse(text) as { subject: string; source: string };
  expect(parsed.subject).toBe('a\ufffd\ufffd[31mb\ufffd');
  expect(parsed.source).toBe('/laika/h');
});
