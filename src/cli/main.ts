/** The entry of the command line: everything behind it is loaded when it is needed. */
import { version } from '../package.ts';

/** The command line; `argv` as Node has it. Sets the exit code. */
export async function main(argv: readonly string[] = process.argv): Promise<void> {
  if (argv.length === 3 && /^(-V|--version)$/.test(argv[2] as string)) {
    process.stdout.write(`${version}\n`);
    return;
  }
  // Node ends with 0 when nothing is left to wait for, whether or not the work is done.
  process.on('exit', failUnfinished);
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(argv);
  process.off('exit', failUnfinished);
}

function failUnfinished(code: number): void {
  if (code !== 0) return;
  process.exitCode = 70;
  process.stderr.write('laika: this is a bug in Laika: it ended before its work was done\n');
}
