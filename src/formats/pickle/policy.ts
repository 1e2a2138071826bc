/**
 * What a name in a pickle stands for, judged by the name alone. Loading the pickle for real would
 * import the module and call the name; Laika does neither.
 */
import {
  codeModules,
  codeNames,
  codeWords,
  constructors,
  dataNames,
  knownPackages,
  standardLibrary,
  standardPackages,
  torchScriptNames,
} from './known-names.ts';

/**
 * data: makes data, or belongs to a known package; class: a class of a package that Laika does not
 * know (somebody's own configuration, mostly); function: a function where data is no explanation,
 * so calling it is code; code: runs code, whether it is called or only named.
 */
export type Standing = 'data' | 'class' | 'function' | 'code';

const aliases: ReadonlyMap<string, string> = new Map([
  ['__builtin__', 'builtins'],
  ['exceptions', 'builtins'],
  ['copy_reg', 'copyreg'],
]);

/** Python 2 names of modules that Python 3 renamed. */
export function presentModule(module: string): string {
  return aliases.get(module) ?? module;
}

/** By the convention of PEP 8, leading underscores aside: what starts with a capital is a class. */
function looksLikeClass(name: string): boolean {
  return /^_*[A-Z]/.test(name);
}

/**
 * `_rebuild_tensor_v2`, `_reconstruct`, `__pyx_unpickle_Tree`, `__randomstate_ctor`, `new_block`, …
 */
function looksLikeRebuild(name: string): boolean {
  return /(^|_)(re)?(build|construct(or)?|unpickle|ctor|frombuffer|new)(_|$)/.test(name);
}

function isDunder(name: string): boolean {
  return name.startsWith('__') && name.endsWith('__');
}

function startsWithModule(module: string, prefix: string): boolean {
  return module === prefix || module.startsWith(`${prefix}.`);
}

function runsCode(module: string, name: string): boolean {
  const full = `${module}.${name}`;
  if (module === 'torch.jit._pickle' && torchScriptNames.has(name)) return false;
  if (codeWords.has(name) || codeNames.has(full)) return true;
  return codeModules.some((prefix) => startsWithModule(full, prefix));
}

function isStandard(module: string): boolean {
  const [top = '', ...below] = module.split('.');
  return standardLibrary.has(top) && (below.length === 0 || standardPackages.has(top));
}

function standingInStandardLibrary(module: string, name: string): Standing {
  const names = dataNames.get(module);
  if (names?.has(name)) return 'data';
  if (names?.has('*') && looksLikeClass(name)) return 'data';
  if (module === 'builtins') return /(Error|Exception|Warning|Exit)$/.test(name) ? 'data' : 'code';
  return 'code';
}

/**
 * A dotted name walks attributes: from class to class it is a nested class, elsewhere it leaves the
 * module.
 */
function standingOfPath(module: string, path: readonly string[]): Standing {
  const last = path.at(-1) as string;
  if (path.some((part) => part === '' || isDunder(part))) return 'code';
  if (path.slice(0, -1).some((part) => !looksLikeClass(part))) return 'code';
  const outer = standingOf(module, path[0] as string);
  if (outer === 'code' || codeWords.has(last)) return 'code';
  return looksLikeClass(last) || looksLikeRebuild(last) ? outer : 'function';
}

/** How `module.name` stands, before it is known whether it is called. */
export function standingOf(storedModule: string, name: string): Standing {
  const module = presentModule(storedModule);
  const top = module.split('.', 1)[0] as string;
  if (name.includes('.')) return standingOfPath(module, name.split('.'));
  if (runsCode(module, name)) return 'code';
  if (isStandard(module)) return standingInStandardLibrary(module, name);
  if (isDunder(name)) return 'code';
  if (constructors.has(`${module}.${name}`)) return 'data';
  const known = knownPackages.has(top);
  if (looksLikeClass(name) || looksLikeRebuild(name)) return known ? 'data' : 'class';
  // Element types, activation functions, layouts: named in known packages, never to be called.
  return 'function';
}

/** True where merely naming a function of this module says nothing about it. */
export function isKnownModule(storedModule: string): boolean {
  return knownPackages.has(presentModule(storedModule).split('.', 1)[0] as string);
}

/** A name that is a class by its last part: nested classes are taken from it by attribute. */
export function namesClass(name: string): boolean {
  return looksLikeClass(name.slice(name.lastIndexOf('.') + 1));
}

/** Attributes that `getattr` may take of a class or an instance: no way back to code from there. */
export function isPlainAttribute(name: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !isDunder(name) && !codeWords.has(name);
}
