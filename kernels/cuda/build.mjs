/**
 * Builds the CUDA kernels: node kernels/cuda/build.mjs [--nvrtc LIBRARY] [--ptxas PROGRAM] [--to
 * FOLDER]. Needs NVIDIA's run-time compiler of one version, which PyPI has; no GPU and no driver. The
 * same sources give the same text.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

const folder = dirname(fileURLToPath(import.meta.url));

/** The release of CUDA whose PTX, 8.0, is the newest that an R525 driver takes. */
const compiler = '12.0';
const wheel = 'nvidia-cuda-nvrtc-cu12==12.0.140';

// Nothing is fused or flushed: results must be those of the reference engine to the last bit.
const flags = [
  ...['--gpu-architecture=compute_75', '--std=c++17', '--fmad=false', '--ftz=false'],
  ...['--prec-div=true', '--prec-sqrt=true'],
];

/** Turing to Blackwell. */
const targets = [75, 80, 86, 87, 89, 90, 100, 120];

function sources() {
  const names = readdirSync(folder).filter((name) => /\.(cu|h)$/.test(name));
  return names.sort().map((name) => ({ name, text: readFileSync(join(folder, name), 'utf8') }));
}

/** SHA-256 over sources (by name), compiler and flags: what the artefact must have been built from. */
export function sourceSha256() {
  const hash = createHash('sha256');
  for (const { name, text } of sources()) hash.update(`${name}\0`).update(text).update('\0');
  return hash.update(compiler).update('\0').update(flags.join(' ')).digest('hex');
}

function missing(what) {
  return new Error(
    `${what}\n` +
      `Get it without CUDA or a GPU: python3 -m venv v && v/bin/pip install ${wheel}\n` +
      'then: npm run build:cuda -- --nvrtc v/lib/python3.*/site-packages/nvidia/cuda_nvrtc/lib/' +
      'libnvrtc.so.12',
  );
}

async function openCompiler(path) {
  const { default: koffi } = await import('koffi').catch(() => {
    throw missing('The optional package koffi is not installed: npm install --no-save koffi');
  });
  let library;
  try {
    library = koffi.load(path);
  } catch {
    throw missing(`There is no ${path}.`);
  }
  const call = (signature) => {
    const named = library.func(signature);
    return (...values) => {
      const code = named(...values);
      if (code !== 0) throw new Error(`${signature.split(/[ (]/)[1]}: status ${code}`);
    };
  };
  return {
    version: call('int nvrtcVersion(_Out_ int *major, _Out_ int *minor)'),
    create: call(
      'int nvrtcCreateProgram(_Out_ void **program, const char *text, const char *name, int count, ' +
        'const char **headers, const char **names)',
    ),
    compile: library.func(
      'int nvrtcCompileProgram(void *program, int count, const char **options)',
    ),
    logSize: call('int nvrtcGetProgramLogSize(void *program, _Out_ size_t *size)'),
    log: call('int nvrtcGetProgramLog(void *program, void *text)'),
    size: call('int nvrtcGetPTXSize(void *program, _Out_ size_t *size)'),
    text: call('int nvrtcGetPTX(void *program, void *text)'),
  };
}

function readText(program, sizeOf, textOf) {
  const size = [0];
  sizeOf(program, size);
  const text = Buffer.alloc(Number(size[0]));
  textOf(program, text);
  return text.toString('utf8').replace(/\0+$/, '');
}

/** Compiles to PTX. @throws Error with the compiler's messages, or with what is missing. */
async function compile(path) {
  const nvrtc = await openCompiler(path);
  const [major, minor] = [[0], [0]];
  nvrtc.version(major, minor);
  if (`${major[0]}.${minor[0]}` !== compiler)
    throw missing(`${path} is of CUDA ${major[0]}.${minor[0]}; ${compiler} is needed.`);
  const all = sources();
  const main = all.find(({ name }) => name === 'laika.cu');
  const program = [null];
  const texts = all.map(({ text }) => text);
  const names = all.map(({ name }) => name);
  nvrtc.create(program, main.text, main.name, all.length, texts, names);
  const code = nvrtc.compile(program[0], flags.length, flags);
  if (code !== 0) throw new Error(readText(program[0], nvrtc.logSize, nvrtc.log));
  return readText(program[0], nvrtc.size, nvrtc.text);
}

/** Assembles for every target that this ptxas knows. @throws Error where it refuses the text. */
function assemble(ptxas, ptx) {
  const place = mkdtempSync(join(tmpdir(), 'laika-ptx-'));
  try {
    const file = join(place, 'laika.ptx');
    writeFileSync(file, ptx);
    const help = execFileSync(ptxas, ['--help'], { encoding: 'utf8' });
    const known = targets.filter((each) => help.includes(`'sm_${each}'`));
    for (const each of known)
      execFileSync(ptxas, [`-arch=sm_${each}`, '-o', join(place, 'out'), file]);
    const release = /V([0-9.]+)/.exec(execFileSync(ptxas, ['--version'], { encoding: 'utf8' }));
    return { release: release?.[1] ?? 'unknown', targets: known.map((each) => `sm_${each}`) };
  } finally {
    rmSync(place, { recursive: true });
  }
}

function hasProgram(name) {
  try {
    execFileSync(name, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

/** Compiles into `to`; `say` is told what was proven and what was not. */
export async function build({ nvrtc, ptxas, to }, say) {
  const ptx = await compile(nvrtc);
  const facts = {
    sourceSha256: sourceSha256(),
    compiler: `nvrtc ${compiler}`,
    flags,
    ptxSha256: createHash('sha256').update(ptx).digest('hex'),
  };
  if (hasProgram(ptxas)) {
    const { release, targets: proven } = assemble(ptxas, ptx);
    say(`ptxas ${release} assembles it for ${proven.join(', ')}`);
  } else {
    say(`there is no ${ptxas}: whether it assembles was not checked (--ptxas PROGRAM)`);
  }
  mkdirSync(to, { recursive: true });
  writeFileSync(join(to, 'laika.ptx'), ptx);
  writeFileSync(join(to, 'laika.ptx.json'), `${JSON.stringify(facts, null, 2)}\n`);
  say(`wrote ${join(to, 'laika.ptx')}`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      nvrtc: { type: 'string', default: 'libnvrtc.so.12' },
      ptxas: { type: 'string', default: 'ptxas' },
      to: { type: 'string', default: folder },
    },
  });
  try {
    await build(values, (line) => process.stdout.write(`${line}\n`));
  } catch (error) {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}
