/** The entry of the command line: answers `--version` before anything is loaded, then runs the program. */
import { version } from '../package.ts';

if (process.argv.length === 3 && /^(-V|--version)$/.test(process.argv[2] as string)) {
  process.stdout.write(`${version}\n`);
} else {
  const { runProgram } = await import('./program.ts');
  process.exitCode = await runProgram(process.argv);
}
