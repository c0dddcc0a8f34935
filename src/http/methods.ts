/** Which methods a path takes, so that one that it does not take is told from a path that is not there. */
import type { Operation } from './operation.ts';

/** By path as a caller writes it, without the query: the methods of its operations in order; empty if there is no such path. */
export function methodsOf(operations: readonly Operation[]): (path: string) => string[] {
  const paths = new Map<string, { readonly form: RegExp; readonly methods: Set<string> }>();
  for (const { path, method } of operations) {
    const known = paths.get(path) ?? { form: formOf(path), methods: new Set<string>() };
    paths.set(path, known);
    known.methods.add(method);
    // The framework answers HEAD wherever it answers GET.
    if (method === 'GET') known.methods.add('HEAD');
  }
  return (path) => [
    ...new Set([...paths.values()].filter(({ form }) => form.test(path)).flatMap(({ methods }) => [...methods])),
  ];
}

function formOf(path: string): RegExp {
  const parts = path.split(/\{\w+\}/).map((part) => part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('[^/]+')}$`);
}
