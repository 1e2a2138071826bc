import { expect, test } from 'vitest';
import { acknowledge, alertId, type Observation, observe } from '../../src/alerts/alert.ts';
import type { AlertRecord } from '../../src/history/alert-record.ts';
import type { Verdict } from '../../src/verdict/result.ts';

function seen(verdict: Verdict, more: Partial<Observation> = {}): Observation {
  return {
    ...{ run: '/run', verdict, severity: 'error', hasBase: true, rules: ['moment-bound'] },
    ...{ checkpoint: { path: '/run/7', step: 7 }, time: '2026-11-21T12:00:00.000Z' },
    ...more,
  };
}

function firing(verdict: Verdict = 'corrupt'): AlertRecord {
  const alert = observe(null, seen(verdict))?.alert;
  if (!alert) throw new Error('did not fire');
  return alert;
}

test('fires for corrupt and suspect, and for nothing else', () => {
  const changes = (['corrupt', 'suspect', 'intact', 'unremarkable', 'unverified'] as const).map(
    (verdict) => observe(null, seen(verdict))?.change ?? null,
  );
  expect(changes).toEqual(['firing', 'firing', null, null, null]);
});

test('stays one alert with one id and start while bad checkpoints follow each other', () => {
  const second = observe(firing(), seen('corrupt', { time: '2026-11-21T13:00:00.000Z' }));
  expect(second?.alert).toMatchObject({
    ...{ id: alertId('/run'), count: 2, state: 'firing' },
    ...{ since: '2026-11-21T12:00:00.000Z', updatedAt: '2026-11-21T13:00:00.000Z' },
  });
  expect(alertId('/run')).not.toBe(alertId('/run2'));
});

test('is resolved by a good checkpoint with a trusted base, and by nothing else', () => {
  const alert = firing();
  expect(observe(alert, seen('unverified'))).toBeNull();
  expect(observe(alert, seen('intact', { hasBase: false }))).toBeNull();
  const resolved = observe(alert, seen('unremarkable'));
  expect([resolved?.change, resolved?.alert.state]).toEqual(['resolved', 'resolved']);
  expect(observe(resolved?.alert ?? null, seen('intact'))).toBeNull();
  expect(observe(resolved?.alert ?? null, seen('corrupt'))?.alert.count).toBe(1);
});

test('stays acknowledged for more of the same, but not when suspicion becomes proof', () => {
  const known = acknowledge(firing('suspect'), 'ada', '2026-11-21T12:30:00.000Z');
  expect(known).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'ada' });
  expect(observe(known, seen('suspect'))?.alert.state).toBe('acknowledged');
  expect(observe(known, seen('corrupt'))?.alert).toMatchObject({
    ...{ state: 'firing', acknowledgedBy: null },
  });
  const resolved = observe(known, seen('intact'))?.alert;
  expect(resolved && acknowledge(resolved, 'ada', 'later')).toBeNull();
});
