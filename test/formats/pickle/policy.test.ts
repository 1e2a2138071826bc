import { describe, expect, it } from 'vitest';
import { standingOf } from '../../../src/formats/pickle/policy.ts';
import { readPickle } from '../../../src/formats/pickle/read-pickle.ts';

describe('a name in a pickle', () => {
  it.each([
    ['collections', 'OrderedDict'],
    ['__builtin__', 'set'],
    ['builtins', 'ValueError'],
    ['_codecs', 'encode'],
    ['argparse', 'Namespace'],
    ['pathlib', 'PosixPath'],
    ['datetime', 'datetime'],
    ['torch._utils', '_rebuild_tensor_v2'],
    ['torch._utils', '_rebuild_something_to_come'],
    ['torch.serialization', '_get_layout'],
    ['torch.storage', '_load_from_bytes'],
    ['torch', 'device'],
    ['numpy', 'dtype'],
    ['numpy._core.multiarray', '_reconstruct'],
    ['numpy.core.multiarray', 'scalar'],
    ['numpy.random._pickle', '__randomstate_ctor'],
    ['transformers.training_args', 'TrainingArguments'],
    ['omegaconf.dictconfig', 'DictConfig'],
    ['torch.distributed._shard.sharded_tensor.api', 'ShardedTensor.ProcessGroupState'],
    ['torch.jit._pickle', 'build_intlist'],
    ['sklearn.tree._tree', '__pyx_unpickle_Tree'],
  ])('%s.%s makes data', (module, name) => {
    expect(standingOf(module, name)).toBe('data');
  });

  it.each([
    ['my_project.models', 'Config'],
    ['__main__', 'Arguments'],
    ['code.models', 'Net'],
    ['mine', '_rebuild_config'],
    ['mine', 'Outer.Inner'],
  ])('%s.%s is a class that nobody knows', (module, name) => {
    expect(standingOf(module, name)).toBe('class');
  });

  it.each([
    ['torch', 'float32'],
    ['torch.nn.functional', 'relu'],
    ['mine', 'do_something'],
    ['torch.nn', 'Module.forward'],
  ])('%s.%s may be named, and is code where it is called', (module, name) => {
    expect(standingOf(module, name)).toBe('function');
  });

  it.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['nt', 'system'],
    ['subprocess', 'Popen'],
    ['sys', 'exit'],
    ['builtins', 'eval'],
    ['builtins', 'exec'],
    ['builtins', 'compile'],
    ['builtins', 'open'],
    ['builtins', '__import__'],
    ['importlib', 'import_module'],
    ['runpy', '_run_code'],
    ['pickle', 'loads'],
    ['marshal', 'loads'],
    ['types', 'FunctionType'],
    ['types', 'CodeType'],
    ['ctypes', 'CDLL'],
    ['socket', 'socket'],
    ['shutil', 'rmtree'],
    ['webbrowser', 'open'],
    ['pty', 'spawn'],
    ['code', 'InteractiveInterpreter'],
    ['torch.hub', 'load'],
    ['torch.jit', 'load'],
    ['torch', 'load'],
    ['torch.package', 'PackageImporter'],
    ['torch.utils.cpp_extension', 'load'],
    ['numpy.testing._private.utils', 'runstring'],
    ['operator', 'attrgetter'],
    ['operator', 'methodcaller'],
    ['functools', 'reduce'],
    ['asyncio', 'run'],
    ['multiprocessing', 'Process'],
    ['http.server', 'HTTPServer'],
    ['urllib.request', 'urlopen'],
    ['requests', 'get'],
    ['pip', 'main'],
    ['pydoc', 'locate'],
    ['cProfile', 'run'],
    ['timeit', 'timeit'],
    ['bdb', 'Bdb'],
    ['pdb', 'set_trace'],
    ['doctest', 'testmod'],
    ['lib2to3.pgen2.pgen', 'ParserGenerator'],
    ['ensurepip', 'bootstrap'],
    ['anything', 'system'],
    ['anything', 'Thing.run'],
    ['torch', 'serialization.os.system'],
    ['collections', 'OrderedDict.__init__'],
    ['mine', '__class__'],
  ])('%s.%s runs code', (module, name) => {
    expect(standingOf(module, name)).toBe('code');
  });
});

describe('a call', () => {
  const calls = (text: string) => readPickle(Buffer.from(text, 'latin1'), 'test').calls;

  it('is told once, with its arguments and the offset of its opcode', () => {
    expect(calls("cos\nsystem\n(S'a'\ntRcos\nsystem\n(S'b'\ntR\x86.")).toEqual([
      { kind: 'code', offset: 18, message: "asks for os.system('a') to be called" },
    ]);
  });

  it('of a function that is not known is code, of a class it is not', () => {
    expect(calls('cmine\nload\n)R.')).toMatchObject([{ kind: 'code' }]);
    expect(calls('cmine\nConfig\n)R.')).toMatchObject([{ kind: 'class' }]);
    expect(calls('cmine\nload\n.')).toMatchObject([{ kind: 'class' }]);
    expect(calls('ctorch.nn.functional\nrelu\n.')).toEqual([]);
    expect(calls('ctorch.nn.functional\nrelu\n)R.')).toMatchObject([{ kind: 'code' }]);
  });

  it('of what another call returned is code', () => {
    const text = 'cfunctools\npartial\n(ctorch.nn\nLinear\ntR)R.';
    expect(calls(text)).toMatchObject([
      { kind: 'code', message: expect.stringContaining('functools.partial') },
    ]);
  });

  it('of getattr takes nested classes and methods, never a way out', () => {
    const getattr = (base: string, name: string) => `cbuiltins\ngetattr\n(${base}S'${name}'\ntR.`;
    expect(calls(getattr('ctorch.nn\nModule\n', 'Inner'))).toEqual([]);
    expect(
      calls(getattr('ctorch.optim.lr_scheduler\nOneCycleLR\n)\x81', '_annealing_cos')),
    ).toEqual([]);
    expect(calls(getattr('ctorch.nn\nModule\n', '__class__'))).toMatchObject([
      { kind: 'code' },
      {},
    ]);
    expect(calls(getattr('ctorch\nserialization\n', 'os'))).toMatchObject([{ kind: 'code' }, {}]);
    expect(calls(getattr("S'text'\n", 'format'))).toMatchObject([{ kind: 'code' }]);
  });

  it('shows no control characters', () => {
    const [call] = calls("cos\nsystem\n(S'\\x1b[31m\\n'\ntR.");
    expect(call?.message).toContain("'\\u001b[31m\\u000a'");
    const long = calls(`cos\nsystem\n(S'${'a'.repeat(10_000)}'\ntR.`);
    expect(long[0]?.message.length).toBeLessThan(400);
  });

  it('does not vanish in a crowd of harmless names', () => {
    const crowd = Array.from({ length: 5000 }, (_, i) => `cmine\nConfig${i}\n0`).join('');
    const found = calls(`${crowd}cos\nsystem\n.`);
    expect(found.length).toBeLessThanOrEqual(200);
    expect(found.some(({ kind }) => kind === 'code')).toBe(true);
  });
});
