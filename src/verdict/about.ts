/** What every finding about a tensor says of it. */
import type { Tensor } from '../checkpoint/tensor.ts';
import type { Finding, Severity } from './result.ts';

/** State that training will carry on with. */
const carriedOn: ReadonlySet<string> = new Set([
  'parameter',
  'master',
  'first-moment',
  'second-moment',
  'max-second-moment',
  'momentum',
]);

/** How bad a confirmed finding about this tensor is. */
export function severityOf(tensor: Tensor | null): Severity {
  return tensor === null || carriedOn.has(tensor.role) ? 'critical' : 'error';
}

/** The parts of a finding that say which tensor it is about. */
export function aboutTensor(
  tensor: Tensor,
  owner: string | null = tensor.parameter,
): Partial<Finding> {
  return {
    tensor: tensor.name,
    role: tensor.role,
    ...(owner === null ? {} : { parameter: owner }),
    file: tensor.file,
  };
}
