/** Where Laika keeps its own state: never beside a checkpoint. */
import { homedir } from 'node:os';
import { join } from 'node:path';

/** `--state-dir` > LAIKA_STATE_DIR > STATE_DIRECTORY (systemd) > XDG state. */
export function stateFolder(flag: string | undefined): string {
  const { LAIKA_STATE_DIR, STATE_DIRECTORY, XDG_STATE_HOME } = process.env;
  const systemd = STATE_DIRECTORY?.split(':')[0];
  return (
    flag ??
    LAIKA_STATE_DIR ??
    systemd ??
    join(XDG_STATE_HOME ?? join(homedir(), '.local', 'state'), 'laika')
  );
}
