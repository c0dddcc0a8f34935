/**
 * Checks of decoded requests, for HTTP and NATS alike. A refusal names the wrong fields.
 *
 * Requests are strict: a property or a query parameter that the schema does not define is refused, because its sender means something by
 * it. The schemas themselves stay open, because nodes of different versions send them to each other (actors/ports/peer-operations.ts).
 */
import { z } from 'zod';
import { type FieldError, Refusal } from '../../actors/ports/refusal.ts';
import { nearest } from './nearest.ts';

/** Most wrong fields that one problem names. */
const ERRORS_NAMED = 20;
/** Characters that are shown of a name that is not known. */
const NAME_SHOWN = 64;

/** Returns the value as its schema types it. Throws a refusal that names the wrong fields if it does not match (SA1 of stock-api.ts). */
export function valid<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const unknown = unknownNames(schema, value);
  const result = schema.safeParse(value);
  if (result.success && unknown.length === 0) return result.data;
  const wrong = result.error?.issues.map(({ path, message }) => ({ field: fieldName(path), message })) ?? [];
  throw invalid([...unknown, ...wrong]);
}

/**
 * Like `valid`, for a query. A parameter that is given twice would parse as a list, and the schema's message would mislead.
 * @param lists parameters that may be given several times
 */
export function validQuery<T extends z.ZodType>(schema: T, query: unknown, lists: readonly string[] = []): z.output<T> {
  for (const name in query as Record<string, unknown>) {
    if (!lists.includes(name) && Array.isArray((query as Record<string, unknown>)[name]))
      throw invalid([{ field: name.slice(0, NAME_SHOWN), message: 'must be given once only' }]);
  }
  return valid(schema, query);
}

/** Refuses names that the schema does not define, and checks nothing else. */
export function refuseUnknown(schema: z.ZodType, value: unknown): void {
  const unknown = unknownNames(schema, value);
  if (unknown.length > 0) throw invalid(unknown);
}

export function present(body: unknown): unknown {
  if (body === undefined) throw new Refusal('malformed', 'the body is empty; JSON or MessagePack is expected');
  return body;
}

export function invalid(found: readonly FieldError[]): Refusal {
  const errors = found
    .filter(({ field }, index) => found.findIndex((other) => other.field === field) === index)
    .slice(0, ERRORS_NAMED);
  const named = errors.slice(0, 3).map(({ field, message }) => `${field === 'body' ? 'the body' : field} ${message}`);
  const more = errors.length > named.length ? '; and more, see errors' : '';
  return new Refusal('invalid-request', named.join('; ') + more, { errors });
}

/** The name of a field, such as `lines[0].qty`; `body` for the whole body. */
function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const step of path) name += typeof step === 'number' ? `[${step}]` : `${name === '' ? '' : '.'}${String(step)}`;
  return name === '' ? 'body' : name;
}

function unknownNames(schema: z.ZodType, value: unknown): FieldError[] {
  const found: FieldError[] = [];
  finderOf(schema)?.(value, [], found);
  return found;
}

/** Adds the unknown names in a value to those found. Stops when as many are found as one problem names. */
type Finder = (value: unknown, path: PropertyKey[], found: FieldError[]) => void;
/** Made once for each schema, because every request passes here. Undefined if the schema has no objects, or only open ones. */
const finders = new WeakMap<z.ZodType, Finder | undefined>();

function finderOf(schema: z.ZodType): Finder | undefined {
  if (!finders.has(schema)) finders.set(schema, makeFinder(schema));
  return finders.get(schema);
}

function makeFinder(schema: z.ZodType): Finder | undefined {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodNullable || schema instanceof z.ZodDefault)
    return finderOf(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodPipe) return finderOf(schema.in as z.ZodType);
  if (schema instanceof z.ZodUnion) return inAny(schema.options as readonly z.ZodType[]);
  if (schema instanceof z.ZodRecord) return inRecord;
  if (schema instanceof z.ZodArray) return inArray(finderOf(schema.element as z.ZodType));
  const isOpen = !(schema instanceof z.ZodObject) || schema.def.catchall !== undefined;
  return isOpen ? undefined : inObject(schema.shape as Readonly<Record<string, z.ZodType>>);
}

/** Of several forms, the one that knows the most names is probably meant. */
function inAny(options: readonly z.ZodType[]): Finder | undefined {
  const finders = options.map(finderOf).filter((finder) => finder !== undefined);
  if (finders.length === 0) return undefined;
  return (value, path, found) => {
    const tried = finders.map((finder) => {
      const here: FieldError[] = [];
      finder(value, path, here);
      return here;
    });
    const fewest = Math.min(...tried.map(({ length }) => length));
    found.push(...(tried.find(({ length }) => length === fewest) ?? []));
  };
}

function inArray(each: Finder | undefined): Finder | undefined {
  if (each === undefined) return undefined;
  return (value, path, found) => {
    if (!Array.isArray(value)) return;
    for (let index = 0; index < value.length && found.length < ERRORS_NAMED; index++) {
      path.push(index);
      each(value[index], path, found);
      path.pop();
    }
  };
}

/** The schema of a record leaves out a name that would change the object itself. */
const inRecord: Finder = (value, path, found) => {
  if (typeof value === 'object' && value !== null && Object.hasOwn(value, '__proto__'))
    found.push({ field: fieldName([...path, '__proto__']), message: 'is not allowed as a name' });
};

function inObject(shape: Readonly<Record<string, z.ZodType>>): Finder {
  const names = Object.keys(shape);
  const known = new Set(names);
  const inside = names.flatMap((name) => {
    const finder = finderOf(shape[name] as z.ZodType);
    return finder === undefined ? [] : [{ name, finder }];
  });
  return (value, path, found) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    for (const name in value) {
      if (known.has(name)) continue;
      if (found.length >= ERRORS_NAMED) return;
      found.push({ field: fieldName([...path, name.slice(0, NAME_SHOWN)]), message: unknownText(name, names) });
    }
    for (const { name, finder } of inside) {
      path.push(name);
      finder((value as Readonly<Record<string, unknown>>)[name], path, found);
      path.pop();
    }
  };
}

function unknownText(name: string, known: readonly string[]): string {
  const found = nearest(name.slice(0, NAME_SHOWN), known);
  if (found === undefined) return 'is not known; the request takes none';
  return found.close ? `is not known; did you mean ${found.name}?` : `is not known; the nearest is ${found.name}`;
}
