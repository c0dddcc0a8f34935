/** Finds the methods of a path, so that a wrong method (405) is told apart from an unknown path (404). */
import type { Operation } from './operation.ts';

/** Returns a function from a request's path, without the query, to the methods of its operations in order. Empty for an unknown path. */
export function methodsOf(operations: readonly Operation[]): (path: string) => string[] {
  const paths = new Map<string, { readonly form: RegExp; readonly methods: Set<string> }>();
  for (const { path, method } of operations) {
    const known = paths.get(path) ?? { form: formOf(path), methods: new Set<string>() };
    paths.set(path, known);
    known.methods.add(method);
    // The framework adds HEAD to every GET route.
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
