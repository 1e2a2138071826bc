/** What is wrong with a node of a database: caught where the database is read, and told as data. */
import type { Problem } from '../../checkpoint/problem.ts';

export class NodeFault extends Error {
  readonly rule: Problem['rule'];
  readonly kind: Problem['kind'];

  constructor(rule: Problem['rule'], message: string, kind: Problem['kind'] = 'damage') {
    super(message);
    this.name = 'NodeFault';
    this.rule = rule;
    this.kind = kind;
  }
}

/** The body breaks the format. */
export function malformed(message: string): NodeFault {
  return new NodeFault('header-invalid', message);
}
