/**
 * Tables of the policy: which names are data, which packages are known, which are known to run
 * code.
 */

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

/**
 * Python's standard library, versions 2 to 3.13: whatever of it is not listed as data runs code or
 * opens things.
 */
export const standardLibrary = words(`
  __builtin__ __future__ _abc _aix_support _ast _asyncio _bisect _blake2 _bootsubprocess _bz2
  _codecs _codecs_cn _codecs_hk _codecs_iso2022 _codecs_jp _codecs_kr _codecs_tw _collections
  _collections_abc _compat_pickle _compression _contextvars _crypt _csv _ctypes _curses
  _curses_panel _datetime _dbm _decimal _elementtree _frozen_importlib _frozen_importlib_external
  _functools _gdbm _hashlib _heapq _imp _interpreters _io _json _locale _lsprof _lzma _markupbase
  _md5 _msi _multibytecodec _multiprocessing _opcode _operator _osx_support _overlapped _pickle
  _posixshmem _posixsubprocess _py_abc _pydecimal _pyio _pyrepl _queue _random _scproxy _sha1
  _sha256 _sha3 _sha512 _signal _sitebuiltins _socket _sqlite3 _sre _ssl _stat _statistics _string
  _strptime _struct _symtable _thread _threading_local _tkinter _tokenize _tracemalloc _typing
  _uuid _warnings _weakref _weakrefset _winapi _winreg _zoneinfo abc aifc antigravity anydbm
  argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins
  bz2 cPickle cProfile cStringIO calendar cgi cgitb chunk cmath cmd code codecs codeop collections
  colorsys commands compileall concurrent configparser contextlib contextvars copy copy_reg
  copyreg crypt csv ctypes curses dataclasses datetime dbhash dbm decimal difflib dis distutils
  doctest dummy_thread email encodings ensurepip enum errno exceptions execfile faulthandler fcntl
  filecmp fileinput fnmatch fractions ftplib functools gc genericpath getopt getpass gettext glob
  graphlib grp gzip hashlib heapq hmac html http httplib idlelib imaplib imghdr imp importlib
  inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma mailbox
  mailcap marshal math mimetypes mmap modulefinder msilib msvcrt multiprocessing netrc nis nntplib
  nt ntpath nturl2path numbers opcode operator optparse os os2 ossaudiodev pathlib pdb pickle
  pickletools pipes pkgutil platform plistlib popen2 poplib posix posixpath pprint profile pstats
  pty pwd py_compile pyclbr pydoc pydoc_data pyexpat queue quopri random re readline reprlib
  resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd
  smtplib sndhdr socket socketserver spwd sqlite3 sre_compile sre_constants sre_parse ssl stat
  statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny
  tarfile telnetlib tempfile termios textwrap this thread threading time timeit tkinter token
  tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata
  unittest urllib urllib2 urlparse uu uuid venv warnings wave weakref webbrowser winreg winsound
  wsgiref xdrlib xml xmlrpc xmlrpclib zipapp zipfile zipimport zlib zoneinfo`);

/**
 * Modules of the standard library that have modules inside: elsewhere `code.models` is somebody's
 * own folder.
 */
export const standardPackages = words(`
  _pyrepl asyncio collections concurrent ctypes curses dbm distutils email encodings ensurepip
  html http idlelib importlib json lib2to3 logging msilib multiprocessing os pathlib pydoc_data re
  sqlite3 sysconfig tkinter tomllib unittest urllib venv wsgiref xml xmlrpc zipfile zoneinfo`);

/** Of the standard library: names that only make data. `*`: every class of the module. */
export const dataNames: ReadonlyMap<string, ReadonlySet<string>> = new Map([
  [
    'builtins',
    words(`set frozenset list dict tuple bytearray bytes complex object slice range xrange int float
      long str unicode bool type getattr Ellipsis NotImplemented`),
  ],
  ['copyreg', words('_reconstructor __newobj__ __newobj_ex__')],
  ['collections', words('* OrderedDict defaultdict Counter deque namedtuple')],
  ['collections.abc', words('*')],
  ['_collections_abc', words('*')],
  ['_codecs', words('encode')],
  ['datetime', words('* date datetime time timedelta timezone tzinfo')],
  ['_datetime', words('* date datetime time timedelta timezone tzinfo')],
  ['decimal', words('*')],
  ['_decimal', words('*')],
  ['_pydecimal', words('*')],
  ['fractions', words('*')],
  ['uuid', words('*')],
  ['pathlib', words('*')],
  ['pathlib._local', words('*')],
  ['types', words('SimpleNamespace MappingProxyType NoneType EllipsisType GenericAlias UnionType')],
  ['functools', words('partial')],
  ['_functools', words('partial')],
  ['operator', words('itemgetter')],
  ['_operator', words('itemgetter')],
  ['re', words('_compile RegexFlag')],
  ['_io', words('BytesIO StringIO')],
  ['io', words('BytesIO StringIO')],
  ['argparse', words('Namespace')],
  ['random', words('Random')],
  ['_random', words('Random')],
  ['array', words('array _array_reconstructor')],
  ['typing', words('*')],
  ['enum', words('* auto')],
  ['logging', words('getLogger Logger RootLogger Formatter PlaceHolder Manager NullHandler')],
  ['zoneinfo', words('ZoneInfo')],
  ['_zoneinfo', words('ZoneInfo')],
  ['ipaddress', words('*')],
  ['time', words('struct_time')],
  ['dataclasses', words('*')],
  ['numbers', words('*')],
  ['itertools', words('count repeat chain cycle')],
  ['math', words('ceil floor sqrt cos sin exp log')],
  ['abc', words('*')],
]);

/** Packages that training writes into checkpoints. Their classes are worth no line. */
export const knownPackages = words(`
  __torch__ accelerate addict allennlp apex ase attr attrs autograd axolotl bitsandbytes box
  catalyst catboost chex clip composer datasets deepspeed detectron2 dgl diffusers e3nn easydict
  einops espnet espnet2 evaluate fairscale fairseq fastai fastcore flash_attn flax fvcore gym
  gymnasium haiku huggingface_hub hydra ignite iopath jax jaxlib jaxtyping joblib keras kornia
  lightgbm lightning lightning_fabric lightning_utilities lion_pytorch llmfoundry mace megatron
  metaseq ml_collections ml_dtypes mmcv mmdet mmengine mmseg monai nemo nerfstudio numpy omegaconf
  open_clip optax orbax pandas peft PIL pydantic pydantic_core pytorch_lightning pytorch_optimizer
  ray s3prl safetensors sb3_contrib scipy sentence_transformers skimage sklearn spacy speechbrain
  stable_baselines3 streaming tensordict tensorflow thinc timm tokenizers torch torch_ema
  torch_geometric torch_xla torchao torchaudio torchdata torchmetrics torchrl torchtext torchtitan
  torchtune torchvision tqdm transformer_engine transformers trl ultralytics wandb xarray xformers
  xgboost yacs`);

/**
 * Packages and modules that exist to run, load, compile or fetch things. A prefix counts with all
 * below it.
 */
export const codeModules: readonly string[] = [
  'cffi',
  'cloudpickle',
  'dill',
  'easy_install',
  'fabric',
  'invoke',
  'IPython',
  'jnius',
  'joblib.externals',
  'jsonpickle',
  'keras.saving',
  'keras.src.saving',
  'numpy.distutils',
  'numpy.f2py',
  'numpy.testing',
  'paramiko',
  'pexpect',
  'pip',
  'pkg_resources',
  'plumbum',
  'ptyprocess',
  'requests',
  'scipy.weave',
  'setuptools',
  'sh',
  'tensorflow.python.util.lazy_loader',
  'torch._dynamo',
  'torch._inductor',
  'torch.classes',
  'torch.compiler',
  'torch.distributed.elastic',
  'torch.distributed.launch',
  'torch.distributed.rpc',
  'torch.distributed.run',
  'torch.export',
  'torch.fx.experimental',
  'torch.fx.graph_module',
  'torch.hub',
  'torch.jit',
  'torch.multiprocessing',
  'torch.onnx',
  'torch.ops',
  'torch.package',
  'torch.testing',
  'torch.utils._config_module',
  'torch.utils.bottleneck',
  'torch.utils.collect_env',
  'torch.utils.cpp_extension',
  'torch.utils.data.datapipes',
  'torch.utils.jit',
  'torch.utils.model_zoo',
  'torch.utils.show_pickle',
  'urllib3',
  'xonsh',
];

/** Functions of otherwise harmless modules. */
export const codeNames = words(`
  torch.load torch.save torch.compile torch.from_file torch.import_ir_module torch.script
  torch.serialization.load torch.storage.UntypedStorage.from_file numpy.load numpy.loadtxt
  numpy.genfromtxt numpy.fromfile numpy.save numpy.savetxt numpy.lib.npyio.load pandas.read_pickle
  pandas.eval pandas.io.pickle.read_pickle joblib.load`);

/** Names that run things wherever they are. */
export const codeWords = words(`
  system popen Popen run call check_call check_output exec eval execfile __import__ import_module
  exec_module load_module runcode runsource`);

/** What TorchScript's own archives call. */
export const torchScriptNames = words(`
  build_intlist build_tensorlist build_tensor_from_id build_doublelist build_boollist
  restore_type_tag build_stringlist`);

/** Lower-case constructors of known packages. */
export const constructors = words(`
  torch.device torch.dtype torch.finfo torch.Size numpy.dtype numpy.ndarray numpy.recarray
  numpy.matrix numpy.bool_ numpy.str_ numpy.bytes_ numpy.record numpy.void numpy.datetime64
  numpy.timedelta64 ml_dtypes.bfloat16 torch.serialization._get_layout
  torch.storage._load_from_bytes numpy.core.multiarray.scalar numpy._core.multiarray.scalar
  deepspeed.utils.tensor_fragment.fragment_address torch.distributed.remote_device._remote_device`);
