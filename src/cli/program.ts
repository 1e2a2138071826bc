/** The commands and their flags. Everything behind a command is loaded when it runs. */
import { Command, CommanderError } from 'commander';
import { isLaikaError, LaikaError } from '../checkpoint/errors.ts';
import { version } from '../package.ts';
import { escapeText } from '../report/escape.ts';
import { useS3Settings } from '../sources/open-path.ts';
import { failOnChoices } from './exit-code.ts';
import type { RawFlags } from './flags.ts';
import type { TailFlags } from './run-tail.ts';
import { s3SettingsFrom } from './s3-settings.ts';
import { showError } from './show-error.ts';
import type { ValidateFlags } from './validate.ts';

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
];

/** Flags of every command that judges. */
function judging(command: Command): Command {
  return command
    .option('--engine <name>', 'auto, wasm, reference, tensorflow or cuda')
    .option('--threads <n>', 'worker threads (default: the processors there are to use)')
    .option('--gpu-mem <mib>', 'memory of a GPU to hold at most (default 512, at least 4)')
    .option('--share-gpu', 'let auto take a GPU that somebody computes on')
    .option('--io-limit <rate>', 'bytes a second to read at most, such as 200M')
    .option('--direct', 'read past the page cache where the file system allows it')
    .option('--config <file>', 'configuration file instead of laika.config.json')
    .option('--state-dir <folder>', 'where Laika keeps its own state')
    .option('--optimizer <spec>', 'what the file does not say: kind=adamw,beta1=0.9,beta2=0.999,…')
    .option('--names <file>', 'names of parameters behind the optimizer’s numbers')
    .option('--lr-max <rate>', 'no learning rate since the base was larger')
    .option('--clip-norm <norm>', 'global norm that gradients were clipped to')
    .option(
      '--log <file>',
      'training log: JSONL, trainer_state.json, CSV, TensorBoard; repeatable',
      collect,
    );
}

function reporting(command: Command): Command {
  return passing(
    command.option('--output <format[:path]>', 'text, json, ndjson or junit; repeatable', collect),
  ).option('--reproducible', 'leave the engine and its time out of the result');
}

/** Flags that say what is good enough. */
function passing(command: Command): Command {
  return command
    .option(
      '--fail-on <verdict>',
      `exit 1 at this verdict: ${failOnChoices.join(', ')} (default corrupt)`,
    )
    .option('--exit-zero', 'only report: always exit 0')
    .option('--require <law...>', 'exit 2 unless these laws judged something')
    .option('--min-coverage <percent>', 'exit 2 unless every rule judged this share');
}

type Run = (code: Promise<number> | number) => Promise<void>;

function addChecks(program: Command, run: Run): void {
  const validate = program
    .command('validate <checkpoint>')
    .description('judge a checkpoint, a pair, or the newest of a run folder')
    .option('--base <checkpoint>', 'the earlier checkpoint to judge it against')
    .option(
      '--replicas <checkpoint...>',
      'copies of the same step by other ranks: all must be equal',
    );
  reporting(judging(validate)).action(async (path: string, flags: ValidateFlags) => {
    const { validateCommand } = await import('./validate.ts');
    await run(validateCommand(path, flags));
  });
  const inspect = program
    .command('inspect <checkpoint>')
    .description('list every tensor with role, type, shape and statistics')
    .option('--digest', 'SHA-256 of each tensor’s logical bytes');
  reporting(judging(inspect)).action(async (path: string, flags: RawFlags) => {
    const { inspectCommand } = await import('./inspect.ts');
    await run(inspectCommand(path, flags));
  });
  const postmortem = program
    .command('postmortem <run>')
    .description('walk a dead run: first bad step, last good checkpoint, how to resume');
  reporting(judging(postmortem)).action(async (folder: string, flags: RawFlags) => {
    const { postmortemCommand } = await import('./postmortem.ts');
    await run(postmortemCommand(folder, flags));
  });
}

function addService(program: Command, run: Run): void {
  const watch = program
    .command('watch <run...>')
    .description('follow run folders: judge each checkpoint as it completes, serve alerts')
    .option('--interval <seconds>', 'how often to look', '5')
    .option('--once', 'look once, judge what is there and end')
    .option('--listen <host:port>', 'where to serve (default 127.0.0.1:7474; port 0: a free one)')
    .option('--socket <path>', 'serve on a Unix socket instead')
    .option('--output <format>', 'text: a line a verdict, or ndjson: every event', collect);
  passing(judging(watch)).action(async (runs: string[], flags: RawFlags) => {
    const { runWatch } = await import('./run-watch.ts');
    await run(runWatch(runs, flags));
  });
  program
    .command('tail [url]')
    .description('events of a running watcher as lines')
    .option('--since <cursor>', 'epoch:seq, all or now', 'now')
    .option('--once', 'end after the backlog')
    .option('--output <format>', 'text or ndjson', 'text')
    .option('--state-dir <folder>', 'the watcher’s state folder')
    .action(async (url: string | undefined, flags: TailFlags) => {
      const { runTail } = await import('./run-tail.ts');
      await run(runTail(url, flags));
    });
}

function addHelp(program: Command, run: Run): void {
  const write = (text: string) => process.stdout.write(text);
  program
    .command('rules [id]')
    .description('every rule, or one in full: statement, derivation, needs, cost')
    .option('--output <format>', 'text or json', 'text')
    .action(async (id: string | undefined, flags: { output: string }) => {
      const { rulesCommand } = await import('./rules.ts');
      await run(rulesCommand(id, flags.output, write));
    });
  program
    .command('doctor')
    .description('engines found, which one auto takes and why, a self-test of each')
    .action(async () => {
      const { doctorCommand } = await import('./doctor.ts');
      await run(doctorCommand(write));
    });
  program
    .command('demo')
    .description('a recorded run, a planted bit flip, a real client: the whole way in a minute')
    .action(async () => {
      const { runDemo } = await import('../demo/demo.ts');
      await run(runDemo(write));
    });
}

/** An empty path is the working folder to Node, and hardly ever what a script meant. */
function refuseEmpty(command: Command): void {
  const words = [...command.args, ...Object.values(command.opts()).flat()];
  if (!words.includes('')) return;
  throw new LaikaError({
    code: 'arguments-invalid',
    what: 'an argument is empty',
    where: `laika ${command.name()}`,
    next: 'a variable of the script that calls it may not be set',
  });
}

/**
 * A reader that closed the pipe (`laika … | head`) is no error. Output that cannot be written is one
 * for whoever waits for it, and no reason to end a watcher. Nobody is left to tell of standard error.
 */
function guardStreams(): void {
  let isTold = false;
  process.stderr.on('error', () => undefined);
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE' || isTold) return;
    isTold = true;
    process.stderr.write(`laika: standard output cannot be written: ${error.message}\n`);
    process.on('exit', (code) => {
      // What was found wins, as it does over everything else that ends with 2.
      if (code === 0 || code === 3) process.exitCode = 2;
    });
  });
}

/** Our own bug: one line, and the stack only when asked for. */
function showBug(error: unknown): void {
  const text = error instanceof Error ? error.message : String(error);
  process.stderr.write(`laika: this is a bug in Laika: ${escapeText(text)}\n`);
  process.stderr.write('  next   set LAIKA_DEBUG=1 for the stack, and report it\n');
  if (process.env.LAIKA_DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`);
}

/** Runs the command line and returns the exit code; errors are printed here and nowhere else. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let code = 0;
  useS3Settings(s3SettingsFrom(process.env));
  const run: Run = async (result) => {
    code = await result;
  };
  const program = new Command('laika')
    .description('A watchdog for the integrity of machine-learning training.')
    .version(version)
    .exitOverride()
    .showHelpAfterError('(laika --help lists commands and flags)')
    .configureHelp({ helpWidth: 80 });
  addChecks(program, run);
  addService(program, run);
  addHelp(program, run);
  program.hook('preAction', (_program, command) => refuseEmpty(command));
  guardStreams();
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (isLaikaError(error)) {
      showError(error);
      return 2;
    }
    showBug(error);
    return 70;
  }
  return code;
}
