// Loads a program: one file, with what V8 compiled of it when it was built. To compile it anew at
// every start takes longer than to judge a small checkpoint.
const { existsSync, readFileSync } = require('node:fs');
const { join } = require('node:path');
const { Script } = require('node:vm');
const { crc32 } = require('node:zlib');

const dist = join(__dirname, '..', 'dist');

/** The text of `dist/NAME.cjs`, and where its compiled form lies if it was made with this Node. */
function read(name) {
  const path = join(dist, `${name}.cjs`);
  const text = readFileSync(path, 'latin1');
  // V8 knows its own version again, but of the text only the length: the first line is a hash of it.
  const hash = text.slice(3, text.indexOf('\n'));
  const compiled = join(dist, `${name}-${hash}-${process.arch}-${process.versions.v8}.v8`);
  return { path, text, compiled };
}

/** The compiled form, without the CRC-32 at its end; null where it is damaged: V8 would not notice. */
function readCompiled(path) {
  const bytes = readFileSync(path);
  const end = bytes.length - 4;
  if (end < 0 || crc32(bytes.subarray(0, end)) !== bytes.readUInt32LE(end)) return null;
  return bytes.subarray(0, end);
}

/** The program as a script that has not run; `cachedData` is its compiled form. */
function compile({ path, text }, cachedData) {
  const wrapped = `(function (exports, require, module, __filename) {${text}\n})`;
  return new Script(wrapped, { filename: path, ...(cachedData ? { cachedData } : {}) });
}

/** Runs the script; returns what the program exports. */
function run(script, { path }) {
  const program = { exports: {} };
  script.runInThisContext()(program.exports, require, program, path);
  return program.exports;
}

function load(name) {
  const program = read(name);
  const { path, compiled } = program;
  if (existsSync(compiled)) return run(compile(program, readCompiled(compiled)), program);
  // Another Node than it was built with: newer ones keep a cache themselves.
  require('node:module').enableCompileCache?.();
  return require(path);
}

module.exports = { read, readCompiled, compile, run, load };
