/** The entry of the command line: everything behind it is loaded when it is needed. */
import { version } from '../package.ts';

/** The command line; `argv` as Node has it. Sets the exit code. */
export async function main(argv: readonly string[] = process.argv): Promise<void> {
  if (argv.length === 3 && /^(-V|--version)$/.test(argv[2] as string)) {
    process.stdout.write(`${version}\n`);
    return;
  }
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(argv);
}
