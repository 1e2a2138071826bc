/** A model's configuration: which optimizer it names, in which order its layers come, and code in it. */
import { Buffer } from 'node:buffer';
import type { Problem } from '../../checkpoint/problem.ts';
import { plainRecord } from '../plain-value.ts';
import { isJsonObject, type JsonObject, type JsonValue, readStrictJson } from '../strict-json.ts';
import type { KerasSettings } from './keras-optimizer.ts';

export interface KerasConfig {
  readonly settings: KerasSettings;
  /** Names of the outermost layers, in the model's order; empty where the model is a program's own. */
  readonly layers: readonly string[];
  /** Weights are moved after an update: no law of an update may judge them. */
  readonly constrains: boolean;
  readonly problems: readonly Problem[];
}

/** Nested models go some ten levels down for each. */
const depthMost = 512;

/** Classes of the program's own that are named in a note. */
const namesShown = 10;

const noSettings: KerasSettings = { className: null, config: Object.create(null) };

export const noConfig: KerasConfig = {
  settings: noSettings,
  layers: [],
  constrains: false,
  problems: [],
};

/** `where` names the text for people: `config.json`. */
export interface ConfigText {
  readonly text: string;
  readonly file: string;
  readonly where: string;
}

function inside(value: JsonValue | undefined, key: string): JsonValue | undefined {
  return value !== undefined && isJsonObject(value) ? value.get(key) : undefined;
}

/** What one text of a configuration tells. @throws LaikaError `limit-exceeded`. */
export function readKerasConfig({ text, file, where }: ConfigText): KerasConfig {
  const options = { where: `${file}: ${where}`, maxDepth: depthMost, allowNonFinite: true };
  const json = readStrictJson(Buffer.from(text), options);
  if (!json.ok) {
    const message = `${where} is no JSON: ${json.message}`;
    return { ...noConfig, problems: [{ rule: 'header-invalid', kind: 'damage', file, message }] };
  }
  const found = walk(json.value);
  const compiled = inside(json.value, 'compile_config') ?? json.value;
  const optimizer = inside(compiled, 'optimizer') ?? inside(compiled, 'optimizer_config');
  return {
    settings: settingsOf(optimizer),
    layers: layerNames(inside(inside(json.value, 'config'), 'layers')),
    constrains: found.constrains,
    problems: problemsOf(found, file, where),
  };
}

/** Optimizers that wrap one another: the loss is scaled, and its gradients are those of no scale. */
const wrapsMost = 4;

function innermost(optimizer: JsonValue | undefined): JsonValue | undefined {
  let own = optimizer;
  for (let i = 0; i < wrapsMost && inside(own, 'class_name') === 'LossScaleOptimizer'; i += 1) {
    own = inside(inside(own, 'config'), 'inner_optimizer');
  }
  return own;
}

function settingsOf(optimizer: JsonValue | undefined): KerasSettings {
  const own = innermost(optimizer);
  const name = inside(own, 'class_name');
  const config = inside(own, 'config');
  if (typeof name !== 'string' || config === undefined || !isJsonObject(config)) return noSettings;
  return { className: name, config: plainRecord(config) };
}

function layerNames(layers: JsonValue | undefined): string[] {
  if (!Array.isArray(layers)) return [];
  return (layers as readonly JsonValue[]).flatMap((layer) => {
    const name = inside(inside(layer, 'config'), 'name') ?? inside(layer, 'name');
    return typeof name === 'string' ? [name] : [];
  });
}

interface Found {
  constrains: boolean;
  readonly code: Set<string>;
  readonly custom: Set<string>;
}

/** Every object of the tree, iteratively. */
function walk(root: JsonValue): Found {
  const found: Found = { constrains: false, code: new Set(), custom: new Set() };
  const pending: JsonValue[] = [root];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (Array.isArray(next)) pending.push(...(next as readonly JsonValue[]).slice(0, 100_000));
    else if (isJsonObject(next)) {
      look(next, found);
      pending.push(...next.values());
    }
  }
  return found;
}

function look(object: JsonObject, found: Found): void {
  for (const [key, value] of object) {
    if (key.endsWith('_constraint') && isJsonObject(value)) found.constrains = true;
  }
  const name = object.get('class_name');
  if (typeof name !== 'string') return;
  const code = inside(object.get('config'), 'function');
  // A list is marshalled byte code; newer versions wrap it in a class of its own.
  if (name === '__lambda__' || (name === 'Lambda' && Array.isArray(code))) found.code.add(name);
  const module = object.get('module');
  const isOwn =
    typeof module === 'string' && !/^(keras|builtins|tensorflow|tf_keras)\b/.test(module);
  if (isOwn || typeof object.get('registered_name') === 'string') {
    if (!(typeof module === 'string' && module.startsWith('keras'))) found.custom.add(name);
  }
}

function problemsOf({ code, custom }: Found, file: string, where: string): Problem[] {
  const problems: Problem[] = [];
  if (code.size > 0) {
    const message = `${where} holds a Lambda layer with byte code, which runs when the model is loaded`;
    problems.push({ rule: 'code-in-config', kind: 'security', file, message });
  }
  if (custom.size > 0) {
    const shown = [...custom].slice(0, namesShown).join(', ');
    const rest = custom.size > namesShown ? ` and ${custom.size - namesShown} more` : '';
    const message = `${where} names classes of the program’s own: ${shown}${rest}`;
    problems.push({ rule: 'note', kind: 'info', file, message });
  }
  return problems;
}
