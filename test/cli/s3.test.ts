import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { fixtures } from '../formats/golden.ts';
import { bucket, startStore } from '../sources/s3-store.ts';
import { temporaryFolder } from '../sources/temporary-folder.ts';
import { laika } from './laika.ts';

const store = await startStore();
const state = temporaryFolder();
const run = `s3://${bucket}/runs/orbax`;
const optimizer = 'kind=adamw,beta1=0.9,beta2=0.999,eps=1e-8,weight_decay=0.001';

const environment = {
  AWS_ACCESS_KEY_ID: store.settings.accessKeyId ?? '',
  AWS_SECRET_ACCESS_KEY: store.settings.secretAccessKey ?? '',
  AWS_ENDPOINT_URL: store.settings.endpoint ?? '',
  LAIKA_STATE_DIR: state,
};

beforeAll(async () => {
  await store.putFolder('runs/orbax/', join(fixtures, 'orbax-ocdbt'));
}, 30_000);

it('validate judges a pair in a bucket', async () => {
  const words = ['validate', `${run}/step-5`, '--base', `${run}/step-4`, '--optimizer', optimizer];
  const { code, stdout, stderr } = await laika(words, environment);
  expect(stderr).toBe('');
  expect(stdout).toContain('INTACT');
  expect(stdout).toMatch(/replay-moments +100 % of 66/);
  expect(code).toBe(0);
});

it('validate of a run in a bucket takes its newest checkpoint', async () => {
  const { code, stdout } = await laika(['validate', run], environment);
  expect(stdout).toContain(`${run}/step-9`);
  expect(stdout).toContain(`${run}/step-5`);
  expect(code).toBe(0);
});

it('inspect lists the tensors of a checkpoint in a bucket', async () => {
  const { code, stdout } = await laika(['inspect', `${run}/step-5`], environment);
  expect(stdout).toContain('opt_state.0.nu.dense_0.kernel');
  expect(code).toBe(0);
});

it('postmortem walks a run in a bucket', async () => {
  const { code, stdout } = await laika(['postmortem', run], environment);
  expect(stdout).toContain('step 9');
  expect(code).toBe(0);
});

it('watch judges what completes in a bucket, and remembers it', async () => {
  const words = ['watch', run, '--once', '--listen', '127.0.0.1:0'];
  const first = await laika(words, environment);
  expect(first.stdout.trim().split('\n')).toHaveLength(3);
  expect(first.code).toBe(0);
  const second = await laika(words, environment);
  expect(second.stdout.match(/judged before/g)).toHaveLength(3);
}, 20_000);

it('a bucket that is not there ends with one sentence', async () => {
  const { code, stderr } = await laika(['validate', 's3://laika-other/x'], environment);
  expect(stderr).toContain('There is no such bucket');
  expect(stderr).not.toContain('    at ');
  expect(code).toBe(2);
});
