/**
 * Builds the WebAssembly kernels: node kernels/wasm/build.mjs [folder]. The same sources give the
 * same bytes.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = dirname(fileURLToPath(import.meta.url));

const flags = [
  ...['-O3', '--noAssert', '--runtime', 'stub', '--enable', 'simd'],
  ...['--importMemory', '--memoryBase', '8192', '--use', 'abort='],
];

function sha256(bytes) {
  return createHash('sha256').update(bytes).digest('hex');
}

function compilerVersion() {
  const path = fileURLToPath(import.meta.resolve('assemblyscript/package.json'));
  return JSON.parse(readFileSync(path, 'utf8')).version;
}

/**
 * SHA-256 over sources (by name), compiler version and flags: what the artefact must have been
 * built from.
 */
export function sourceSha256() {
  const hash = createHash('sha256');
  const names = readdirSync(folder).filter((name) => name.endsWith('.ts'));
  for (const name of names.sort()) {
    hash
      .update(`${name}\0`)
      .update(readFileSync(join(folder, name)))
      .update('\0');
  }
  return hash.update(compilerVersion()).update('\0').update(flags.join(' ')).digest('hex');
}

/** Compiles into `target`. @throws Error with the compiler's messages. */
export async function build(target) {
  // Imported late: the hash of the sources needs no compiler.
  const { default: asc } = await import('assemblyscript/asc');
  mkdirSync(target, { recursive: true });
  let wasm;
  const { error, stderr } = await asc.main(['index.ts', '--outFile', 'laika.wasm', ...flags], {
    // Names are relative to this folder wherever the build is started from.
    readFile: (name) => {
      try {
        return readFileSync(join(folder, name), 'utf8');
      } catch {
        return null;
      }
    },
    writeFile: (_name, contents) => {
      wasm = contents;
    },
    listFiles: () => [],
  });
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`);
  const facts = {
    sourceSha256: sourceSha256(),
    asc: compilerVersion(),
    flags,
    wasmSha256: sha256(wasm),
  };
  writeFileSync(join(target, 'laika.wasm'), wasm);
  writeFileSync(join(target, 'laika.wasm.json'), `${JSON.stringify(facts, null, 2)}\n`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await build(process.argv[2] ?? folder);
}
