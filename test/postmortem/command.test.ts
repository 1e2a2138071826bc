/** `laika postmortem` over a real run folder: the command line, from files to the report. */
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { flipBit } from '../../src/demo/flip-bit.ts';
import { laika, laikaJson } from '../cli/laika.ts';

const recorded = fileURLToPath(new URL('../fixtures/recorded/snapshot-gan/', import.meta.url));
const place = mkdtempSync(join(tmpdir(), 'laika-postmortem-'));
let run = '';

beforeEach(() => {
  run = mkdtempSync(join(place, 'run-'));
  cpSync(recorded, run, { recursive: true });
});

afterAll(() => rmSync(place, { recursive: true }));

const checkpoint = (step: number) => join(run, `checkpoint-000${step}.safetensors`);

describe('postmortem', () => {
  it('says that a healthy run is healthy', async () => {
    const { code, stdout } = await laika(['postmortem', run]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^NOTHING FOUND/);
    expect(stdout).toMatch(/step 201/);
  });

  it('names the first bad checkpoint, the last good one, layer and how to resume', async () => {
    const fault = { tensor: 'exp_avg_sq/g.2.weight', element: 700, bit: 28 };
    writeFileSync(checkpoint(200), flipBit(checkpoint(200), fault).bytes);
    const { code, result } = await laikaJson(['postmortem', run]);
    expect(code).toBe(1);
    expect(result).toMatchObject({
      verdict: 'corrupt',
      trusted: { checkpoint: checkpoint(120), step: 120 },
      postmortem: {
        first_bad: { checkpoint: checkpoint(200), step: 200 },
        blast: { tensors: ['exp_avg_sq/g.2.weight'] },
      },
    });
    const { stdout } = await laika(['postmortem', run]);
    expect(stdout).toMatch(/^FIRST BAD .*checkpoint-000200/);
    expect(stdout.replaceAll(/\s+/g, ' ')).toMatch(/last good \S*checkpoint-000120/);
  });

  it('points at the lane that the flips of four checkpoints share', async () => {
    for (const [i, step] of [110, 120, 200, 201].entries()) {
      const fault = { tensor: 'exp_avg/g.2.weight', element: 7 + 32 * (i + 3), bit: 30 };
      writeFileSync(checkpoint(step), flipBit(checkpoint(step), fault).bytes);
    }
    const { result } = await laikaJson(['postmortem', run]);
    const recurring = result.findings?.filter(({ rule }) => rule === 'recurring-suspect');
    expect(recurring).toMatchObject([{ severity: 'info', count: 4 }]);
    expect(recurring?.[0]?.message).toMatch(/lane \(index mod 32\) 7 is behind 4 of 4/);
  });

  it('walks past a cut file, and resumes from the last one that is whole', async () => {
    writeFileSync(checkpoint(120), 'cut');
    const { code, result } = await laikaJson(['postmortem', run]);
    expect(code).toBe(1);
    expect(result.postmortem?.first_bad?.checkpoint).toBe(checkpoint(120));
    expect(result.trusted?.step).toBe(201);
  });

  it('says which checkpoints it could not judge, and ends with 2', async () => {
    const names = join(run, 'names.json');
    writeFileSync(names, JSON.stringify([['somebody.else']]));
    const { code, stdout } = await laika(['postmortem', run, '--names', names]);
    expect(code).toBe(2);
    expect(stdout).toMatch(/^CANNOT TELL/);
    expect(stdout).toMatch(/unverified.*\n {18}\S/);
  });

  it('takes a flag that is wrong for a fault of the call, not of the checkpoints', async () => {
    const { code, stdout, stderr } = await laika(['postmortem', run, '--optimizer', 'adamw']);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/--optimizer adamw/);
  });

  it('prints a document also where it cannot walk', async () => {
    const { code, result } = await laikaJson(['postmortem', join(run, 'nowhere')]);
    expect(code).toBe(2);
    expect(result.error?.code).toBe('path-missing');
  });

  it('tells a checkpoint from a run', async () => {
    const { code, stderr } = await laika(['postmortem', checkpoint(110)]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/one checkpoint, not a run/);
  });

  it('says what is missing where there is nothing to walk', async () => {
    const { code, stderr } = await laika(['postmortem', mkdtempSync(join(place, 'empty-'))]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/no checkpoint/i);
  });
});
