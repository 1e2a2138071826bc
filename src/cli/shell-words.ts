/** A command that a person can paste: arguments quoted where a POSIX shell would split them. */

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

export function shellCommand(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}
